#include <sluice/rate_limit/pid_estimator.hpp>

#include <array>
#include <limits>

#include "catch.hpp"
#include "seed.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
struct batch_done {
  std::int64_t end_ms, records, work_ms, wait_ms;
};

/// Spark's controller once more, from its description: a fold over the batches that count, in milliseconds throughout.
/// The gains apply to (what was aimed at less what was done, what is overdue, how fast the first one changes).
std::vector<std::optional<double>> by_the_book(std::vector<batch_done> const& batches, double interval_ms,
                                               std::array<double, 3> gains, double floor) {
  struct memory {
    std::int64_t when;
    double aim, off;
  };
  std::optional<memory> m;
  std::vector<std::optional<double>> answers;
  for (auto const& b : batches) {
    answers.emplace_back();
    bool const counts = b.records > 0 && b.work_ms > 0 && (!m || b.end_ms > m->when);
    if (!counts) continue;
    double const done = 1000. * static_cast<double>(b.records) / static_cast<double>(b.work_ms);
    if (!m) {
      m = memory{b.end_ms, done, 0};
      continue;
    }
    std::array const terms{m->aim - done, static_cast<double>(b.wait_ms) / interval_ms * done,
                           (m->aim - done - m->off) * 1000 / static_cast<double>(b.end_ms - m->when)};
    double aim = m->aim;
    for (std::size_t i = 0; i < 3; ++i) aim -= gains[i] * terms[i];
    if (aim < floor) aim = floor;
    m = memory{b.end_ms, aim, terms[0]};
    answers.back() = aim;
  }
  return answers;
}
}  // namespace

TEST_CASE("1,000 random sequences give what the formula gives") {
  std::mt19937 random(seed());
  auto const below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<unsigned>(n)); };
  auto const real = [&](double to) { return std::uniform_real_distribution<>(0, to)(random); };
  int estimates = 0, at_the_floor = 0;
  for (int sequence = 0; sequence < 1000; ++sequence) {
    auto const interval = milliseconds(10 + below(5000));
    std::array const gains{real(1.5), below(3) ? real(0.5) : 0., below(2) ? real(0.2) : 0.};
    auto const floor = 1 + real(200);
    std::vector<batch_done> batches;
    std::int64_t end = below(1'000'000);
    for (int i = 0; i < 50; ++i) {
      end += below(10) ? 1 + below(3000) : below(3) - 2;  // now and then not later
      batches.push_back(
          {end, below(8) ? below(20'000) : 0, below(8) ? 1 + below(4000) : 0, below(3) ? 0 : below(8000)});
    }
    sl::pid_estimator pid(interval, gains[0], gains[1], gains[2], floor);
    auto const expected = by_the_book(batches, static_cast<double>(interval.count()), gains, floor);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      auto const& b = batches[i];
      auto const rate = pid.update(milliseconds(b.end_ms), static_cast<std::size_t>(b.records), milliseconds(b.work_ms),
                                   milliseconds(b.wait_ms));
      REQUIRE(rate.has_value() == expected[i].has_value());
      if (!rate) continue;
      REQUIRE(std::abs(*rate - *expected[i]) <= 1e-9 * std::max(1., std::abs(*expected[i])));
      ++estimates, at_the_floor += *rate == floor;
    }
  }
  CHECK(estimates > 20'000);
  CHECK(at_the_floor > 100);
  CHECK(at_the_floor < estimates / 2);
}

TEST_CASE("by hand: Spark's defaults") {
  sl::pid_estimator pid(1s, 1, 0.2, 0, 100);
  CHECK_FALSE(pid.update(1s, 1000, 500ms, 0s));               // 2,000/s: a start
  CHECK(*pid.update(2s, 1000, 500ms, 0s) == Approx(2000));    // nothing to correct
  CHECK(*pid.update(4s, 2000, 2s, 0s) == Approx(1000));       // half as fast
  CHECK(*pid.update(5s, 1000, 1s, 1s) == Approx(800));        // 1,000 overdue, a fifth of them in each second
  CHECK(*pid.update(6s, 1000, 100ms, 0s) == Approx(10'000));  // ten times as fast, and no memory of the delay
  CHECK(*pid.update(7s, 10, 1s, 0s) == Approx(100));          // the floor
}

TEST_CASE("what teaches nothing is passed over") {
  sl::pid_estimator pid(1s, 1, 0, 0, 1);
  CHECK_FALSE(pid.update(1s, 0, 500ms, 0s));
  CHECK_FALSE(pid.update(1s, 100, 0s, 0s));
  CHECK_FALSE(pid.update(1s, 100, 1s, 0s));  // only this is the start
  CHECK_FALSE(pid.update(1s, 200, 1s, 0s));
  CHECK_FALSE(pid.update(900ms, 200, 1s, 0s));
  CHECK(*pid.update(2s, 200, 1s, 0s) == Approx(200));
}

TEST_CASE("the rate is finite and within its bounds, whatever comes") {
  std::mt19937_64 random(seed());
  auto const any = [&] { return static_cast<std::int64_t>(random() >> (1 + random() % 63)); };
  for (int sequence = 0; sequence < 300; ++sequence) {
    auto const gain = [&] { return std::pow(10, static_cast<double>(random() % 13) - 6); };
    sl::pid_estimator pid(1ms + milliseconds(any() % 86'400'000), gain(), gain(), gain(), 0.5);
    std::chrono::nanoseconds end{0};
    for (int i = 0; i < 100; ++i) {
      end += std::chrono::nanoseconds(any() / 200);
      if (auto const rate = pid.update(end, random() >> (random() % 64), std::chrono::nanoseconds(any()),
                                       std::chrono::nanoseconds(any() * (random() % 2 ? 1 : -1)))) {
        REQUIRE(*rate >= 0.5);
        REQUIRE(*rate <= sl::pid_estimator::highest);
      }
    }
  }
}

TEST_CASE("a batch that began too early counts as one in time") {
  sl::pid_estimator pid(1s, 1, 0.2, 0, 100);
  pid.update(1s, 1000, 1s, 0s);
  CHECK(*pid.update(2s, 1000, 1s, -1s) == Approx(1000));
}

TEST_CASE("nothing winds up: years behind are forgotten with the delay") {
  sl::pid_estimator pid(1s, 1, 0.2, 0, 100);
  auto end = 0s;
  for (int i = 0; i < 1000; ++i) pid.update(end += 1s, 1000, 1s, 24h);
  CHECK(*pid.update(end += 1s, 1000, 1s, 0s) == Approx(1000));
}

TEST_CASE("a configuration that is none is refused with its key") {
  auto const nan = std::numeric_limits<double>::quiet_NaN();
  auto const refusal = [](milliseconds interval, double p, double i, double d, double least) {
    try {
      sl::pid_estimator pid(interval, p, i, d, least);
      return std::string("none");
    } catch (sl::error const& e) {
      CHECK(e.code() == sl::errc::bad_configuration);
      return std::string(e.what()).substr(0, std::string(e.what()).find(" is "));
    }
  };
  CHECK(refusal(1s, 0, 0, 0, 1) == "none");
  CHECK(refusal(0s, 0, 0, 0, 1) == "sluice: pid_backpressure.interval");
  CHECK(refusal(-1s, 0, 0, 0, 1) == "sluice: pid_backpressure.interval");
  CHECK(refusal(1s, -1, 0, 0, 1) == "sluice: pid_backpressure.proportional");
  CHECK(refusal(1s, nan, 0, 0, 1) == "sluice: pid_backpressure.proportional");
  CHECK(refusal(1s, 0, -1, 0, 1) == "sluice: pid_backpressure.integral");
  CHECK(refusal(1s, 0, 0, nan, 1) == "sluice: pid_backpressure.derivative");
  CHECK(refusal(1s, 0, 0, 0, 0) == "sluice: pid_backpressure.min_rate");
  CHECK(refusal(1s, 0, 0, 0, 1e13) == "sluice: pid_backpressure.min_rate");
}
