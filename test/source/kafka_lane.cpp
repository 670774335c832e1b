#include <sluice/source/kafka_lane.hpp>

#include <deque>

#include "catch.hpp"
#include "seed.hpp"

namespace sl = sluice;
using sl::detail::kafka_lane_state;

namespace {

/// Values that differ from offset to offset; what is released is counted.
struct shelf {
  sl::detail::message_access how{[](void const*) { return std::int64_t{5}; }, nullptr};
  std::deque<std::string> values{};
  std::vector<std::int64_t> released{};

  sl::detail::message_access const* access() const { return &how; }
  void release(std::span<sl::detail::message const> back) {
    for (auto const& m : back) released.push_back(m.at);
  }
  sl::detail::message one(std::int64_t at, std::string value = {}) {
    values.push_back(value.empty() ? std::to_string(at) : value);
    return {nullptr, values.back().data(), 0, static_cast<std::uint32_t>(values.back().size()), at, nullptr};
  }
  std::vector<sl::detail::message> some(std::vector<std::int64_t> const& offsets) {
    std::vector<sl::detail::message> all;
    for (auto const at : offsets) all.push_back(one(at));
    return all;
  }
};
using numbers = std::vector<std::int64_t>;

numbers kept(sl::lane& l, kafka_lane_state& s, std::vector<sl::detail::message> fresh, shelf& from) {
  std::size_t bytes = 0;
  auto const n = sl::detail::keep_expected(l, s, fresh, from, bytes);
  numbers all;
  for (auto const& m : std::span{fresh}.first(n)) all.push_back(m.at);
  return all;
}

}  // namespace

TEST_CASE("what is expected stays, in order; the lane stands behind it; the rest is released") {
  shelf s;
  sl::lane l{.next = sl::offset{5}};
  kafka_lane_state state;
  CHECK(kept(l, state, s.some({3, 4, 5, 6, 9}), s) == numbers{5, 6, 9});
  CHECK(l.next == sl::offset{10});
  CHECK(s.released == numbers{3, 4});
  CHECK(kept(l, state, s.some({8, 9}), s).empty());
  CHECK(l.next == sl::offset{10});
  CHECK(kept(l, state, {}, s).empty());
}

TEST_CASE("whatever comes, each record is kept once, in order, and the others are released") {
  std::mt19937 random{seed()};
  for (int round = 0; round < 300; ++round) {
    shelf s;
    auto const from = static_cast<std::int64_t>(random() % 10);
    sl::lane l{.next = sl::offset{from}};
    kafka_lane_state state;
    numbers came, expected;
    for (int i = 0; i < 30; ++i) came.push_back(static_cast<std::int64_t>(random() % 30));
    auto next = from;
    for (auto const at : came)
      if (at >= next) expected.push_back(at), next = at + 1;
    CHECK(kept(l, state, s.some(came), s) == expected);
    CHECK(l.next == sl::offset{next});
    CHECK(s.released.size() + expected.size() == came.size());
  }
}

TEST_CASE("the record consumed last is compared with what comes, and never handed over") {
  shelf s;
  sl::lane l{.next = sl::offset{5}};
  kafka_lane_state state{.compare = true};
  l.log.last = sl::detail::fingerprint_of(s.one(4), s.how);
  SECTION("the same") {
    CHECK(kept(l, state, s.some({4, 5}), s) == numbers{5});
    CHECK_FALSE(state.truncated);
    CHECK_FALSE(state.gone);
  }
  SECTION("in a batch of its own, behind older ones") {
    CHECK(kept(l, state, s.some({2, 3}), s).empty());
    CHECK(state.compare);
    CHECK(kept(l, state, s.some({4}), s).empty());
    CHECK_FALSE(state.compare);
    CHECK(kept(l, state, s.some({5}), s) == numbers{5});
  }
  SECTION("another") {
    l.reading = true;
    std::vector<sl::detail::message> fresh{s.one(4, "other"), s.one(5)};
    CHECK(kept(l, state, fresh, s).empty());
    CHECK(state.truncated);
    CHECK_FALSE(l.reading);
    CHECK(l.next == sl::offset{5});
    CHECK(s.released == numbers{4, 5});
  }
  SECTION("gone") {
    CHECK(kept(l, state, s.some({6}), s) == numbers{6});
    CHECK(state.gone);
    CHECK_FALSE(state.truncated);
  }
  SECTION("once compared, never again") {
    CHECK(kept(l, state, s.some({4, 5}), s) == numbers{5});
    std::vector<sl::detail::message> late{s.one(4, "other"), s.one(6)};
    CHECK(kept(l, state, late, s) == numbers{6});
    CHECK_FALSE(state.truncated);
  }
}
