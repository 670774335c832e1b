/// \file detail/nonce.hpp  What a new fence and a new incarnation are made of: random bits, and the wall clock.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>

namespace sluice { inline namespace v0 { namespace detail {

inline std::uint64_t random_64() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

inline std::string hex(std::uint64_t n) {
  std::string text(16, '0');
  for (auto i = text.rbegin(); n != 0; n >>= 4) *i++ = "0123456789abcdef"[n & 15];
  return text;
}

/// Of a log after a rewind: never below the one before, not even for a stored one that nobody could have made.
inline std::int64_t next_incarnation(std::int64_t stored, std::int64_t now) {
  return std::max(stored < INT64_MAX ? stored + 1 : stored, now);
}

inline std::int64_t wall_ms() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
}

}}}  // namespace sluice::v0::detail
