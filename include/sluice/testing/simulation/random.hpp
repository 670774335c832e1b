/// \file testing/simulation/random.hpp  The one source of chance: the same seed gives the same numbers everywhere.
#pragma once
#include <cstdint>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). No standard distributions: theirs
/// differ from library to library.
class chance {
  std::uint64_t state_;

 public:
  explicit chance(std::uint64_t seed = 0) : state_(seed) {}
  std::uint64_t next() {
    auto z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// 0 … n-1, for an n above 0.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint32_t>(high - low + 1)));
  }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  bool per_mille(std::uint32_t n) { return below(1000) < n; }
};

}}}}  // namespace sluice::v0::testing::simulated
