#include <sluice/source/kafka_start.hpp>

#include "catch.hpp"
#include "scripted_client.hpp"

using namespace scripted;

namespace {
struct rig {
  cluster world{};
  client at{world, false};
  rig() {
    world.create("t", 3);
    for (int p = 0; p < 3; ++p)
      for (int i = 0; i < 10 + p; ++i) world.produce({"t", p}).stamp = 1000 + i;
    world.retain_from({"t", 1}, 4);
  }
  std::vector<std::int64_t> starts(sl::kafka_plan const& plan) {
    sl::kafka_start<client> s{plan, at};
    std::vector<std::int64_t> all;
    for (auto const o : s.start_of("t", world.now).starts) all.push_back(o.value());
    return all;
  }
  sl::errc refused(sl::kafka_plan const& plan, std::string const& topic = "t") {
    sl::kafka_start<client> s{plan, at};
    try {
      (void)s.start_of(topic, world.now);
    } catch (sl::error const& e) { return e.code(); }
    FAIL("nothing was thrown");
    return {};
  }
};
using numbers = std::vector<std::int64_t>;
sl::start_at since(std::int64_t ms) { return sl::start_at::since(sl::wall_time{std::chrono::milliseconds{ms}}); }
}  // namespace

TEST_CASE("a start for each partition") {
  rig r;
  CHECK(r.starts({.start = sl::start_at::earliest}) == numbers{0, 4, 0});
  CHECK(r.starts({.start = sl::start_at::latest}) == numbers{10, 11, 12});
  CHECK(r.starts({.start = sl::start_at::at(sl::offset{6})}) == numbers{6, 6, 6});
  CHECK(r.starts({.start = since(1010)}) == numbers{10, 10, 10});
  CHECK(r.starts({.start = since(0)}) == numbers{0, 4, 0});
}

TEST_CASE("given offsets come before the start; those of other topics and of no partition don't count") {
  rig r;
  CHECK(r.starts({.start = sl::start_at::latest,
                  .start_from = {{{"t", 1}, sl::offset{5}},
                                 {{"u", 0}, sl::offset{1}},
                                 {{"t", 3}, sl::offset{1}},
                                 {{"t", -1}, sl::offset{1}}}}) == numbers{10, 5, 12});
}

TEST_CASE("what can't be resolved is an error, never a start") {
  rig r;
  CHECK(r.refused({.start = sl::start_at::must_exist}) == sl::errc::no_position);
  CHECK(r.refused({}, "u") == sl::errc::unknown_topic);
  r.world.leaderless = {{"t", 2}};
  CHECK(r.refused({.start = sl::start_at::earliest}) == sl::errc::no_broker);
  sl::kafka_plan const plan{};
  sl::kafka_start<client> s{plan, r.at};
  CHECK(s.earliest({"t", 1}, r.world.now) == sl::offset{4});
  CHECK_THROWS_AS(s.earliest({"t", 2}, r.world.now), sl::error);
  r.world.reachable = false;
  CHECK(r.refused({}) == sl::errc::no_broker);
}

TEST_CASE("a time limit of nothing is refused") {
  source bad{.timeout = 0ms};
  CHECK_THROWS_AS(sl::detail::plan_of(bad), sl::error);
}
