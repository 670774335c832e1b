#include <sluice/output/print.hpp>

#include <sstream>

#include "catch.hpp"
#include "some_records.hpp"

namespace {

std::string printed(sl::print how, sl::batch const& b) {
  std::ostringstream out;
  how.out = &out;
  how(b);
  return out.str();
}
sl::batch at(some_records const& r, std::int64_t ms) {
  return {{&r.part(), 1}, sl::wall_time{std::chrono::milliseconds{ms}}};
}

}  // namespace

TEST_CASE("the time of a batch and its first records are printed") {
  some_records r{{"orders", 0}};
  for (int i = 0; i < 12; ++i) r.add(i, "k", std::to_string(i));
  std::string const head =
      "-------------------------------------------\nTime: 1700000000000 ms\n"
      "-------------------------------------------\n";
  CHECK(printed({}, at(r, 1'700'000'000'000)) == head + "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n...\n\n");
  CHECK(printed({.most = 12}, at(r, 1'700'000'000'000)) == head + "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n\n");
  CHECK(printed({.most = 0}, at(r, 1'700'000'000'000)) == head + "...\n\n");
  CHECK(printed({}, sl::batch{{}, sl::wall_time{std::chrono::milliseconds{1'700'000'000'000}}}) == head + "\n");
}

TEST_CASE("what a record holds can't disturb a terminal, nor fill it") {
  some_records r{{"orders", 0}};
  r.add(1, "k", "a\x1b[31mé\n").add(2, "k", std::nullopt).add(3, "k", std::string(2000, 'x'));
  auto const text = printed({}, at(r, 0));
  CHECK_THAT(text, ContainsSubstring("\na\\x1b[31mé\\x0a\n(null)\n" + std::string(1000, 'x') + "…\n"));
}

TEST_CASE("what is printed of a record may be chosen") {
  some_records r{{"orders", 0}};
  r.add(7, "k", "v");
  CHECK_THAT(
      printed({.format = [](sl::record one) { return std::string(one.key_text()) + "=" + std::string(one.text()); }},
              at(r, 0)),
      ContainsSubstring("\nk=v\n"));
}

TEST_CASE("it goes beside a transaction, which it leaves alone") {
  some_records r{{"orders", 0}};
  r.add(7, "k", "v");
  std::ostringstream out;
  int tx = 0;
  sl::print{.out = &out}(at(r, 0), tx);
  CHECK_THAT(out.str(), ContainsSubstring("\nv\n"));
}
