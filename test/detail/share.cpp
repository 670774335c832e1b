#include <sluice/detail/share.hpp>

#include <limits>
#include <numeric>

#include "catch.hpp"
#include "seed.hpp"

using namespace sluice::detail;

namespace {
std::vector<std::int64_t> shares(double total, std::vector<stake>& stakes) {
  std::vector<std::size_t> order;
  weigh(total, stakes);
  round_to(static_cast<std::int64_t>(total), stakes, order);
  std::vector<std::int64_t> result;
  for (auto const& s : stakes) result.push_back(s.share);
  return result;
}
stake within(double weight, std::int64_t least, std::int64_t most) {
  return {.weight = weight, .least = least, .most = most};
}
}  // namespace

TEST_CASE("by weight, within bounds") {
  std::vector<stake> free{within(1, 0, 100), within(2, 0, 100), within(1, 0, 100)};
  CHECK(shares(12, free) == std::vector<std::int64_t>{3, 6, 3});
  std::vector<stake> bounded{within(1, 0, 4), within(1, 5, 9), within(8, 0, 6)};
  CHECK(shares(12, bounded) == std::vector<std::int64_t>{1, 5, 6});
  CHECK(shares(100, bounded) == std::vector<std::int64_t>{4, 9, 6});  // no more than the bounds
  CHECK(shares(2, bounded) == std::vector<std::int64_t>{0, 5, 0});    // no less
  std::vector<stake> weightless{within(0, 0, 0), within(0, 1, 1)};
  CHECK(shares(9, weightless) == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("what is due is weight times one factor, except at a bound; all together the total, if bounds allow") {
  std::mt19937 random(seed());
  for (int round = 0; round < 2000; ++round) {
    std::vector<stake> stakes;
    for (auto n = random() % 12; n-- > 0;) {
      auto const least = static_cast<std::int64_t>(random() % 4);
      auto const room = static_cast<std::int64_t>(random() % (1u << (random() % 12)));
      stakes.push_back(within(std::pow(2, random() % 30), least, least + room));
    }
    auto const total = static_cast<double>(random() % 5000) / 3;
    weigh(total, stakes);
    double sum = 0, least = 0, most = 0, up_to = std::numeric_limits<double>::infinity(), from = 0;
    for (auto const& s : stakes) {
      sum += s.due, least += static_cast<double>(s.least), most += static_cast<double>(s.most);
      auto const lo = static_cast<double>(s.least), hi = static_cast<double>(s.most);
      REQUIRE((s.due >= lo && s.due <= hi));
      if (s.due > lo) from = std::max(from, s.due / s.weight);    // the factor is at least that
      if (s.due < hi) up_to = std::min(up_to, s.due / s.weight);  // and at most that
    }
    REQUIRE(sum == Approx(std::clamp(total, least, most)));
    REQUIRE(from <= up_to * (1 + 1e-9));
  }
}

TEST_CASE("whole shares: the budget, if bounds allow, and what is due in the long run") {
  std::mt19937 random(seed());
  std::vector<std::size_t> order;
  for (int round = 0; round < 100; ++round) {
    std::vector<stake> stakes;
    for (auto n = 1 + random() % 20; n-- > 0;)
      stakes.push_back(within(static_cast<double>(1 + random() % 1000), 0, 1'000'000));
    auto const total = static_cast<std::int64_t>(random() % 200);
    std::vector<double> had(stakes.size());
    for (int batch = 1; batch <= 200; ++batch) {
      weigh(static_cast<double>(total), stakes);
      round_to(total, stakes, order);
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < stakes.size(); ++i) {
        sum += stakes[i].share;
        had[i] += static_cast<double>(stakes[i].share);
        REQUIRE(stakes[i].share >= 0);
        REQUIRE(std::abs(had[i] - batch * stakes[i].due) <= 1 + 1e-9);
      }
      REQUIRE(sum == total);
    }
  }
}
