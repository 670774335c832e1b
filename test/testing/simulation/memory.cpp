#include <sluice/testing/simulation/memory.hpp>

#include "catch.hpp"

using namespace sluice::testing::simulated;

TEST_CASE("blocks are told by their address, aligned, and apart") {
  auto* const a = arena::take();
  auto* const b = arena::take();
  std::vector<char*> blocks;
  for (std::size_t n : {0u, 1u, 16u, 17u, 1000u, 1024u, 1025u, 100'000u}) {
    auto* const p = static_cast<char*>(a->allocate(n));
    CHECK(arena::of(p) == a);
    CHECK(reinterpret_cast<std::uintptr_t>(p) % 16 == 0);
    std::fill(p, p + n, static_cast<char>(blocks.size()));
    blocks.push_back(p);
  }
  std::size_t i = 0;
  for (std::size_t n : {0u, 1u, 16u, 17u, 1000u, 1024u, 1025u, 100'000u}) {
    CHECK(std::count(blocks[i], blocks[i] + n, static_cast<char>(i)) == static_cast<std::ptrdiff_t>(n));
    a->release(blocks[i++]);
  }
  int here = 0;
  CHECK(arena::of(&here) == nullptr);
  CHECK(arena::of(b->allocate(5)) == b);
  arena::give(a);
  arena::give(b);
}

TEST_CASE("what was freed is used again, and a reset gives all of it") {
  auto* const a = arena::take();
  for (int round = 0; round < 3; ++round) {
#ifndef SLUICE_SIMULATION_ASAN
    for (int i = 0; i < 100'000; ++i) a->release(a->allocate(500));
#endif
    for (int i = 0; i < 1000; ++i) (void)a->allocate(2000);
    a->reset();
  }
  CHECK_THROWS_AS(a->allocate(std::size_t{1} << 30), std::bad_alloc);
  arena::give(a);
}
