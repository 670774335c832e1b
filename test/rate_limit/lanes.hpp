/// \file rate_limit/lanes.hpp  Partitions for a rate limit under test, and short ways to ask it.
#pragma once
#include <sluice/error.hpp>
#include <sluice/rate_limit/concept.hpp>

#include <deque>
#include <numeric>
#include <string>
#include <vector>

namespace lanes {
using namespace std::chrono_literals;
namespace sl = sluice;

/// Owns the names that the loads point to.
class set {
  std::deque<sl::topic_partition> names_{};

 public:
  std::vector<sl::load> loads{};

  set() = default;
  explicit set(std::vector<std::optional<std::int64_t>> const& lags) {
    for (auto const lag : lags) add(static_cast<std::int32_t>(loads.size()), 1, lag);
  }
  void add(std::int32_t partition, std::uint64_t assignment, std::optional<std::int64_t> lag = {}) {
    names_.push_back({"orders", partition});
    loads.push_back({&names_.back(), assignment, lag});
  }
};

inline constexpr std::optional<std::int64_t> unknown{};

using counts = std::vector<std::size_t>;

inline std::size_t sum(counts const& of) { return std::accumulate(of.begin(), of.end(), std::size_t{0}); }
inline sl::time_point at(std::chrono::nanoseconds since_start) { return sl::time_point{1'000'000s} + since_start; }

template <class R>
counts ask(R&& limit, std::chrono::nanoseconds now, set const& of) {
  counts quota(of.loads.size(), 77);
  limit.allow(at(now), of.loads, quota);
  return quota;
}

/// A batch that takes all that it may.
template <class R>
counts take_all(R&& limit, std::chrono::nanoseconds now, set const& of) {
  auto quota = ask(limit, now, of);
  limit.taken(at(now), of.loads, quota);
  return quota;
}

inline sl::context every(std::chrono::milliseconds interval) {
  sl::context c;
  c.batch_interval = interval;
  return c;
}

/// The message that opening throws; empty where it throws none.
template <class P>
std::string refusal(P const& policy, sl::context const& with = {}) {
  try {
    static_cast<void>(P::open(policy, with));
    return {};
  } catch (sl::error const& e) { return e.code() == sl::errc::bad_configuration ? e.what() : "another code"; }
}
}  // namespace lanes
