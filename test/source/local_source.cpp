#include <sluice/source/local_source.hpp>

#include "source/constant_records.hpp"

TEST_CASE("run() returns at the end, and goes on where it was stopped") {
  temporary_folder const f;
  texts seen;
  struct never {
    bool stop_requested() const { return false; }
  };
  for (int i = 0; i < 2; ++i) {
    auto c = start<sl::transactional>(f, abc(2), sl::micro_batch{.max_records = 2});
    if (i == 0)
      c.step([&](sl::batch const& b, auto& tx) {
        for (auto const r : b) seen.emplace_back(r.text());
        tx.put("n", std::to_string(b.size()));
      });
    else
      c.run(never{}, [&](sl::batch const& b, auto&) {
        for (auto const r : b) seen.emplace_back(r.text());
      });
  }
  CHECK(seen == texts{"a", "b", "c", "a", "b", "c"});
}

TEST_CASE("a batch whose handler fails comes again, the same") {
  temporary_folder const f;
  auto c = start<sl::at_least_once>(f, abc(), sl::micro_batch{.max_records = 2});
  int calls = 0;
  noted seen;
  auto const h = [&](sl::batch const& b) {
    if (++calls == 1) throw std::runtime_error("no");
    seen.handler()(b);
  };
  CHECK_THROWS_AS(c.step(h), std::runtime_error);
  REQUIRE(to_the_end(c, h));
  CHECK(seen.lines == texts{"a", "b", "c"});
}

TEST_CASE("seek goes back; where a group starts") {
  temporary_folder const f;
  noted seen;
  auto s = abc();
  s.start = sl::start_at::at(offset{1});
  auto c = start<sl::at_least_once>(f, s);
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines == texts{"b", "c"});
  c.seek({"constant", 0}, offset{2});
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 3; }));
  CHECK(seen.lines.back() == "c");
  CHECK(seen.offsets.back() == 2);
}

TEST_CASE("a position that is no good is an error, or goes on by policy") {
  temporary_folder const f;
  noted seen;
  {
    auto c = start<sl::at_least_once>(f, abc(2));
    REQUIRE(to_the_end(c, seen.handler()));
  }
  {
    auto c = start<sl::at_least_once>(f, abc(1));  // shorter than the position
    CHECK(code_of([&] { c.step(seen.handler()); }) == sl::errc::out_of_range);
  }
  auto other = abc(3);
  other.records[2].value = "C";  // the record that was consumed last
  {
    auto c = start<sl::at_least_once>(f, other);
    CHECK(code_of([&] { c.step(seen.handler()); }) == sl::errc::position_truncated);
  }
  other.on_position_error = sl::position_error::earliest;
  seen = {};
  auto c = start<sl::at_least_once>(f, other);
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines.size() == 9);
}

TEST_CASE("what is said of a partition that the source does not have is passed over") {
  auto s = constant_source::open(abc(), 0);
  sl::topic_partition const other{"constant", 7};
  s.reposition({.of = other, .next = offset{1}});
  s.reclaim(other, std::chrono::steady_clock::now());
  s.advanced({.of = other});
  CHECK(s.lanes().empty());
  CHECK_FALSE(s.next_due());
}
