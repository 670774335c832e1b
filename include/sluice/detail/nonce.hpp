/// \file detail/nonce.hpp  What a new fence and a new incarnation are made of: random bits, and the wall clock.
#pragma once
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

inline std::int64_t wall_ms() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
}

}}}  // namespace sluice::v0::detail
