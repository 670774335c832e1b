#include <sluice/window/over_event_time.hpp>

#include "seed.hpp"
#include "state/kept_counts.hpp"
#include "state/state_cases.hpp"

namespace {

using namespace kept_counts;
using tx_t = sl::sqlite_transaction;
using fixture = state_cases::claimed_store<sqlite_fixture>;
using texts = std::vector<std::string>;

/// Records are "KEY@SECOND"; what is given is "BEGIN KEY=COUNT".
struct by_hand {
  sqlite_fixture f{};
  fixture s{f};
  texts out{}, late{};

  static std::chrono::sys_seconds time_of(sl::record r) {
    auto const text = r.text();
    return std::chrono::sys_seconds{std::chrono::seconds{std::stoll(std::string{text.substr(text.find('@') + 1)})}};
  }
  auto handler(sl::event_window w) {
    return sl::reduce_by_key_and_event_window(
        std::move(w), time_of, [](sl::record r) { return r.text().substr(0, r.text().find('@')); },
        [](sl::record) { return std::int64_t{1}; }, std::plus<>{},
        [this](sl::window_span const& span, std::string const& key, std::int64_t n) {
          out.push_back(
              std::to_string(std::chrono::floor<std::chrono::seconds>(span.begin).time_since_epoch().count()) + " " +
              key + "=" + std::to_string(n));
        },
        [this](sl::record r) { late.emplace_back(r.text()); });
  }
  template <class Handler>
  texts turn(Handler& h, texts const& records, int partition = 0, bool commits = true, std::int64_t now = 0) {
    held batch;
    std::vector<made> all;
    for (auto const& r : records) all.push_back({static_cast<std::int64_t>(all.size()), "k", r});
    batch.part("orders", partition, all);
    s.transact([&](tx_t& tx) { h(batch.batch(sl::wall_time{std::chrono::seconds{now}}), tx); }, commits);
    return std::exchange(out, {});
  }
};

/// With rollbacks and restarts.
void event_time_agrees_with_a_naive_reference(int streams) {
  std::mt19937 random{seed()};
  for (int stream = 0; stream < streams; ++stream) {
    by_hand b;
    auto const slide = 1 + static_cast<int>(random() % 5), size = slide + static_cast<int>(random() % 8);
    auto const disorder = static_cast<int>(random() % 6), lateness = static_cast<int>(random() % 2 ? 0 : random() % 9);
    sl::event_window const w{.name = "w",
                             .size = std::chrono::seconds{size},
                             .slide = std::chrono::seconds{slide},
                             .out_of_order = std::chrono::seconds{disorder},
                             .allowed_lateness = std::chrono::seconds{lateness}};
    auto h = b.handler(w);
    std::map<std::pair<int, std::string>, std::int64_t> open, last_given, wanted;
    std::map<std::pair<int, std::string>, std::int64_t> got;
    int newest = -1'000'000, now = static_cast<int>(random() % 100) - 50;
    std::size_t late = 0;
    for (int i = 0; i < 60; ++i) {
      texts records;
      auto const closed = newest - disorder;
      auto seen = newest;
      for (auto n = 1 + random() % 4; n > 0; --n) {
        auto const t = now - static_cast<int>(random() % 12);
        now += static_cast<int>(random() % 3);
        std::string const key(1, static_cast<char>('a' + random() % 2));
        records.push_back(key + "@" + std::to_string(t));
        seen = std::max(seen, t);
        bool any = false;
        for (auto begin = t - size + 1; begin <= t; ++begin)
          if ((begin % slide + slide) % slide == 0 && begin + size + lateness > closed)
            ++open[{begin, key}], any = true;
        late += !any;
      }
      newest = seen;
      if (random() % 5 == 0) b.turn(h, records, 0, false);
      b.late.clear();
      if (random() % 7 == 0) std::destroy_at(&h), std::construct_at(&h, b.handler(w));
      for (auto const& line : b.turn(h, records)) {
        auto const space = line.find(' '), equals = line.find('=');
        got[{std::stoi(line), line.substr(space + 1, equals - space - 1)}] = std::stoll(line.substr(equals + 1));
      }
      for (auto const& [which, n] : open)
        if (which.first + size <= newest - disorder) wanted[which] = n;
      CAPTURE(stream, i, size, slide, disorder, lateness);
      REQUIRE(got == wanted);
      REQUIRE(h.late_records() == late);
    }
  }
}

}  // namespace

TEST_CASE("tumbling windows are given when the watermark has reached their end") {
  by_hand b;
  auto h = b.handler({.name = "w", .size = 10s, .out_of_order = 5s});
  CHECK(b.turn(h, {"a@1", "b@9", "a@14"}).empty());
  CHECK(b.turn(h, {"a@8"}).empty());
  CHECK(b.turn(h, {"c@15"}) == texts{"0 a=2", "0 b=1"});
  CHECK(b.turn(h, {"a@9", "a@13"}).empty());
  CHECK(b.late == texts{"a@9"});
  CHECK(h.late_records() == 1);
  CHECK(b.turn(h, {"z@100"}) == texts{"10 a=2", "10 c=1"});
  auto anew = b.handler({.name = "w", .size = 10s, .out_of_order = 5s});
  CHECK(b.turn(anew, {"y@1"}).empty());  // the watermark outlives the process
  CHECK(anew.late_records() == 2);
  CHECK(b.turn(anew, {"y@1"}, 1).empty());
  CHECK(b.turn(anew, {"y@50"}, 1) == texts{"0 y=1"});  // and each partition has its own
}

TEST_CASE("sliding windows, before 1970 too") {
  by_hand b;
  auto h = b.handler({.name = "w", .size = 4s, .slide = 2s});
  CHECK(b.turn(h, {"a@-3", "a@-1"}) == texts{"-6 a=1"});
  CHECK(b.turn(h, {"a@1"}) == texts{"-4 a=2"});
  CHECK(b.turn(h, {"b@10"}) == texts{"-2 a=2", "0 a=1"});
}

TEST_CASE("a window that was given is given again for late records, as long as it is kept") {
  by_hand b;
  auto h = b.handler({.name = "w", .size = 10s, .allowed_lateness = 20s});
  CHECK(b.turn(h, {"a@1", "a@12"}) == texts{"0 a=1"});
  CHECK(b.turn(h, {"a@2", "a@3"}) == texts{"0 a=3"});
  CHECK(b.turn(h, {"b@4"}) == texts{"0 b=1"});
  CHECK(b.turn(h, {"x@29"}) == texts{"10 a=1"});
  CHECK(b.turn(h, {"a@5"}) == texts{"0 a=4"});
  CHECK(b.turn(h, {"x@30"}) == texts{"20 x=1"});
  CHECK(b.turn(h, {"a@6"}).empty());
  CHECK(b.late == texts{"a@6"});
  CHECK(b.turn(h, {"x@1000"}) == texts{"30 x=1"});
  CHECK(b.f.look("select count(*) from sluice_offsets_state where hex(\"key\") like '6B%'") == texts{"1"});
}

TEST_CASE("times of the years 1 and 9999, and a clock that runs ahead") {
  by_hand b;
  auto h = b.handler({.name = "w", .size = 3600s});
  CHECK(b.turn(h, {"a@-62135596800"}).empty());
  CHECK(b.turn(h, {"b@253402300799"}) == texts{"-62135596800 a=1"});
  CHECK(b.turn(h, {"c@1700000000"}).empty());
  CHECK(b.late == texts{"c@1700000000"});
  by_hand d;
  auto guarded = d.handler({.name = "w", .size = 10s, .ahead = 60s});
  CHECK(d.turn(guarded, {"a@1000", "b@253402300799"}, 0, true, 1000).empty());
  CHECK(d.late == texts{"b@253402300799"});
  CHECK(d.turn(guarded, {"a@1005", "a@1060"}, 0, true, 1000) == texts{"1000 a=2"});
}

TEST_CASE("shapes that can't be are told") {
  by_hand b;
  auto const complaint = [&](sl::event_window w) { return error_of([&] { (void)b.handler(w); }); };
  CHECK_THAT(complaint({.name = "w", .size = 1s, .slide = 2s}).text, ContainsSubstring(".sampling = true"));
  CHECK(complaint({.name = "w"}).code == sl::errc::bad_configuration);
  CHECK(complaint({.name = "w", .size = 1s, .out_of_order = -1s}).code == sl::errc::bad_configuration);
  CHECK_THAT(complaint({.name = "w", .size = 3600s, .slide = std::chrono::milliseconds{1}}).text,
             ContainsSubstring("3600000 windows"));
}

TEST_CASE("event time against a naive reference on random streams") { event_time_agrees_with_a_naive_reference(40); }
TEST_CASE("event time against a naive reference on very many streams", "[.long]") {
  event_time_agrees_with_a_naive_reference(15'000);
}

TEST_CASE("what emit throws of a window that ends names the window") {
  by_hand b;
  auto h = sl::reduce_by_key_and_event_window(
      {.name = "w", .size = 10s}, by_hand::time_of, [](sl::record) { return std::string{"k"}; },
      [](sl::record) { return std::int64_t{1}; }, std::plus<>{},
      [](sl::window_span const&, std::string const&, std::int64_t) {
        throw std::runtime_error("no room for results");
      });
  for (auto const* text : {"a@100", "a@101"}) {
    auto const e = error_of([&] { b.turn(h, {"a@1", text}); });
    CHECK(e.code == sl::errc::handler_failed);
    CHECK_THAT(e.text, ContainsSubstring("event_window \"w\"") && ContainsSubstring("10000 ms since 1970") &&
                           ContainsSubstring("no room for results"));
  }
}
