/// \file seed.hpp  The seed of a random test: another each time, or SLUICE_SEED to see a failure again.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

inline std::uint32_t seed() {
  auto const* given = std::getenv("SLUICE_SEED");
  auto const s = given ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  std::cout << "SLUICE_SEED=" << s << '\n';
  return s;
}
