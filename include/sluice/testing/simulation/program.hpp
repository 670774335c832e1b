/// \file testing/simulation/program.hpp  Makes one program's memory, clocks and random_device those of the simulation that runs; elsewhere as they were.
///
/// Included by testing/simulation.hpp in the one source file that defines SLUICE_SIMULATION_PROGRAM. For libstdc++: it
/// replaces operator new and delete, as every program may, and steady_clock, system_clock, random_device, nanosleep and
/// __cxa_allocate_exception, which the dynamic linker then finds here first. So whatever asks for time or chance in a
/// simulated process gets the simulation's, and a killed process leaves nothing behind. Its threads are the simulation's, too
/// (threads.hpp).
#pragma once
#include <sluice/testing/simulation/threads.hpp>
#include <sluice/testing/simulation/world.hpp>

#ifdef SLUICE_SIMULATION_PROGRAM
#include <dlfcn.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <random>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

inline void* take_memory(std::size_t n) {
  if (auto* const a = arena_in_use) return a->allocate(n);
  if (auto* const p = std::malloc(n == 0 ? 1 : n)) return p;
  throw std::bad_alloc{};
}
inline void give_memory(void* p) noexcept {
  if (auto* const a = arena::of(p))
    a->release(p);
  else
    std::free(p);
}
inline std::chrono::nanoseconds machine_time(clockid_t which) {
  timespec t{};
  ::clock_gettime(which, &t);
  return std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec};
}
/// In a process of a simulation.
inline world* world_of_process() { return world_running && world_running->current() >= 0 ? world_running : nullptr; }

template <class F>
F* in_the_library(char const* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}}}}  // namespace sluice::v0::testing::simulated

void* operator new(std::size_t n) { return sluice::testing::simulated::take_memory(n); }
void* operator new[](std::size_t n) { return sluice::testing::simulated::take_memory(n); }
void* operator new(std::size_t n, std::nothrow_t const&) noexcept {
  try {
    return operator new(n);
  } catch (std::bad_alloc const&) { return nullptr; }
}
void* operator new[](std::size_t n, std::nothrow_t const&) noexcept { return operator new(n, std::nothrow); }
void operator delete(void* p) noexcept { sluice::testing::simulated::give_memory(p); }
void operator delete[](void* p) noexcept { sluice::testing::simulated::give_memory(p); }
void operator delete(void* p, std::size_t) noexcept { sluice::testing::simulated::give_memory(p); }
void operator delete[](void* p, std::size_t) noexcept { sluice::testing::simulated::give_memory(p); }

std::chrono::steady_clock::time_point std::chrono::steady_clock::now() noexcept {
  namespace sim = sluice::testing::simulated;
  if (auto const* const w = sim::world_running) return time_point{std::chrono::microseconds{w->steady()}};
  return time_point{sim::machine_time(CLOCK_MONOTONIC)};
}
std::chrono::system_clock::time_point std::chrono::system_clock::now() noexcept {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_running) return time_point{std::chrono::milliseconds{w->wall_ms()}};
  return time_point{sim::machine_time(CLOCK_REALTIME)};
}

void std::random_device::_M_init(std::string const&) {}
void std::random_device::_M_fini() {}
std::random_device::result_type std::random_device::_M_getval() {
  if (auto* const w = sluice::testing::simulated::world_running) return static_cast<result_type>(w->luck.next());
  result_type value = 0;
  while (::getrandom(&value, sizeof value, 0) != sizeof value) {}
  return value;
}

/// The C++ runtime takes exceptions by malloc: those of a killed process are found by its arena.
extern "C" void* __cxa_allocate_exception(std::size_t n) noexcept {
  namespace sim = sluice::testing::simulated;
  static auto* const real = sim::in_the_library<void*(std::size_t)>("__cxa_allocate_exception");
  static auto* const back = sim::in_the_library<void(void*)>("__cxa_free_exception");
  sim::arena::give_exception_back = back;
  auto* const p = real(n);
  if (auto* const a = sim::arena_in_use) a->keep(p);
  return p;
}
extern "C" void __cxa_free_exception(void* p) noexcept {
  namespace sim = sluice::testing::simulated;
  static auto* const real = sim::in_the_library<void(void*)>("__cxa_free_exception");
  if (auto* const a = sim::arena_in_use) a->let_go(p);
  real(p);
}

extern "C" int nanosleep(timespec const* wish, timespec* left) {
  if (auto* const w = sluice::testing::simulated::world_of_process()) {
    auto const f = w->begins(sluice::testing::call::rest);
    w->sleep_until(w->now + wish->tv_sec * sluice::testing::simulated::seconds + wish->tv_nsec / 1000);
    w->ends(f);
    return 0;
  }
  return static_cast<int>(::syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, wish, left));
}
#endif
