/// \file detail/share.hpp  Divides a total among partitions: by weight, within bounds, in whole records.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// One partition's part in sharing.
struct stake {
  double weight = 0;       ///< not negative
  std::int64_t least = 0;  ///< given even where the total is too small for it
  std::int64_t most = 0;   ///< not below `least`; up to 2^53
  double carried = 0;      ///< in: what earlier shares fell short by, within [-1, 1]; out: with this share
  std::int64_t share = 0;  ///< out
  double due = 0;          ///< out: the share as a real number
  bool bounded = false;
};

/// Sets each `due` to λ × weight, or the bound beyond which that lies, so that they sum to `total`, or as near as the
/// bounds let them come. It is how CSS lays out flexible boxes: of those out of bounds, each round settles the side
/// that is farther out (CSS Flexible Box Layout 1, "Resolving Flexible Lengths").
template <class Stakes>
void weigh(double total, Stakes&& stakes) {
  for (auto& s : stakes) s.bounded = false;
  for (bool settled = true; settled;) {
    double left = total, weight = 0, beyond = 0;
    for (auto const& s : stakes) (s.bounded ? left : weight) += s.bounded ? -s.due : s.weight;
    auto const by_weight = [&](stake const& s) { return weight > 0 ? std::max(left, 0.) * (s.weight / weight) : 0.; };
    for (auto& s : stakes) {
      if (s.bounded) continue;
      s.due = std::clamp(by_weight(s), static_cast<double>(s.least), static_cast<double>(s.most));
      beyond += s.due - by_weight(s);
    }
    settled = false;
    for (auto& s : stakes) {
      if (s.bounded || !(beyond >= 0 ? s.due > by_weight(s) : s.due < by_weight(s))) continue;
      s.bounded = settled = true;
    }
  }
}

/// Rounds each `due` to a `share` so that these sum to `budget` where the bounds let them, and to no more than it
/// where `least` lets them. Whoever was rounded down most, earlier rounds counted, is rounded up first: a steady due
/// is met in full over time. `order` is room to work in.
template <class Stakes>
void round_to(std::int64_t budget, Stakes&& stakes, std::vector<std::size_t>& order) {
  auto const short_by = [&](std::size_t i) {
    return stakes[i].due + stakes[i].carried - static_cast<double>(stakes[i].share);
  };
  auto left = budget;
  order.clear();
  for (auto& s : stakes) {
    s.share = std::clamp(static_cast<std::int64_t>(std::floor(s.due + s.carried)), s.least, s.most);
    left -= s.share;
    order.push_back(order.size());
  }
  auto const step = left > 0 ? 1 : -1;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    auto const x = short_by(a) * step, y = short_by(b) * step;
    return x != y ? x > y : a < b;
  });
  for (bool moved = true; moved && left != 0;) {
    moved = false;
    for (auto const i : order) {
      auto& s = stakes[i];
      if (left == 0 || s.share == (step > 0 ? s.most : s.least)) continue;
      s.share += step;
      left -= step;
      moved = true;
    }
  }
  for (std::size_t i = 0; i < stakes.size(); ++i) stakes[i].carried = std::clamp(short_by(i), -1., 1.);
}

}}}  // namespace sluice::v0::detail
