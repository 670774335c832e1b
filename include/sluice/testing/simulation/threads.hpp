/// \file testing/simulation/threads.hpp  Threads, mutexes, condition variables and eventfds of simulated processes: a thread is a fibre, which one runs is chance.
///
/// Included by testing/simulation/program.hpp. What the standard library asks of the C library is answered here for code in a
/// simulated process, and handed on for any other. So code that has threads of its own (a write-ahead log, a receiver) runs as it is;
/// others go on at each lock, and at each call to the outside. Not under the thread sanitizer, which has these functions for itself.
#pragma once
#include <sluice/testing/simulation/world.hpp>

#if defined(SLUICE_SIMULATION_PROGRAM) && !defined(SLUICE_SIMULATION_TSAN)
#define SLUICE_SIMULATION_THREADS 1
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// The world of the process that asks; null outside of one.
inline world* world_of_thread() { return world_running && world_running->current() >= 0 ? world_running : nullptr; }

template <class F>
F* next_in_libraries(char const* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

/// Whether it is held stands in the mutex itself, and goes with its process.
inline void lock(world& w, pthread_mutex_t* m) {
  w.at_lock();
  while (m->__data.__lock != 0) w.wait_on(m, never);
  m->__data.__lock = 1;
}
inline void unlock(world& w, pthread_mutex_t* m) {
  m->__data.__lock = 0;
  w.wake(m);
}
inline int wait(world& w, pthread_cond_t* c, pthread_mutex_t* m, std::int64_t until) {
  unlock(w, m);
  w.wait_on(c, until);
  bool const late = w.now >= until;
  lock(w, m);
  return late ? ETIMEDOUT : 0;
}
/// In µs, not before `t`.
inline std::int64_t micros(timespec const& t) { return t.tv_sec * seconds + (t.tv_nsec + 999) / 1000; }

inline constexpr int first_descriptor = 1 << 20;
inline descriptor* descriptor_of(world* w, int fd) {
  return w && fd >= first_descriptor ? &w->descriptors[static_cast<std::size_t>(fd - first_descriptor)] : nullptr;
}

}}}}  // namespace sluice::v0::testing::simulated

extern "C" {
int pthread_mutex_lock(pthread_mutex_t* m) noexcept {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_of_thread()) return sim::lock(*w, m), 0;
  static auto* const real = sim::next_in_libraries<int(pthread_mutex_t*)>("pthread_mutex_lock");
  return real(m);
}
int pthread_mutex_unlock(pthread_mutex_t* m) noexcept {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_of_thread()) return sim::unlock(*w, m), 0;
  static auto* const real = sim::next_in_libraries<int(pthread_mutex_t*)>("pthread_mutex_unlock");
  return real(m);
}
int pthread_cond_wait(pthread_cond_t* c, pthread_mutex_t* m) {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_of_thread()) return sim::wait(*w, c, m, sim::never);
  static auto* const real = sim::next_in_libraries<int(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
  return real(c, m);
}
int pthread_cond_clockwait(pthread_cond_t* c, pthread_mutex_t* m, clockid_t clock, timespec const* until) {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_of_thread()) {
    auto const ahead = w->now - (clock == CLOCK_MONOTONIC ? w->steady() : w->wall_ms() * sim::ms);
    return sim::wait(*w, c, m, sim::micros(*until) + ahead);
  }
  static auto* const real = sim::next_in_libraries<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, timespec const*)>(
      "pthread_cond_clockwait");
  return real(c, m, clock, until);
}
int pthread_cond_signal(pthread_cond_t* c) noexcept {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_of_thread()) return w->wake(c, false), 0;
  static auto* const real = sim::next_in_libraries<int(pthread_cond_t*)>("pthread_cond_signal");
  return real(c);
}
int pthread_cond_broadcast(pthread_cond_t* c) noexcept {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_of_thread()) return w->wake(c), 0;
  static auto* const real = sim::next_in_libraries<int(pthread_cond_t*)>("pthread_cond_broadcast");
  return real(c);
}
int pthread_create(pthread_t* thread, pthread_attr_t const* how, void* (*run)(void*), void* argument) noexcept {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_of_thread()) {
    *thread = w->start_thread(run, argument) + 1;
    return 0;
  }
  static auto* const real =
      sim::next_in_libraries<int(pthread_t*, pthread_attr_t const*, void* (*)(void*), void*)>("pthread_create");
  return real(thread, how, run, argument);
}
int pthread_join(pthread_t thread, void** result) {
  namespace sim = sluice::testing::simulated;
  if (auto* const w = sim::world_of_thread()) return w->join_thread(thread - 1), 0;
  static auto* const real = sim::next_in_libraries<int(pthread_t, void**)>("pthread_join");
  return real(thread, result);
}
/// As the others: else the address sanitizer is asked to detach a thread that it has not seen begin.
int pthread_detach(pthread_t thread) noexcept {
  static auto* const real = sluice::testing::simulated::next_in_libraries<int(pthread_t)>("pthread_detach");
  return real(thread);
}

int eventfd(unsigned count, int flags) noexcept {
  namespace sim = sluice::testing::simulated;
  auto* const w = sim::world_of_thread();
  if (!w) return static_cast<int>(::syscall(SYS_eventfd2, count, flags));
  std::size_t i = 0;
  while (i < w->descriptors.size() && w->descriptors[i].process >= 0) ++i;
  if (i == w->descriptors.size()) w->descriptors.emplace_back();
  w->descriptors[i] = {w->current(), w->life(), count};
  return sim::first_descriptor + static_cast<int>(i);
}
ssize_t read(int fd, void* to, size_t n) {
  namespace sim = sluice::testing::simulated;
  auto* const d = sim::descriptor_of(sim::world_of_thread(), fd);
  if (!d) return ::syscall(SYS_read, fd, to, n);
  if (d->count == 0) return errno = EAGAIN, -1;
  auto const count = std::exchange(d->count, 0);
  std::memcpy(to, &count, sizeof count);
  return sizeof count;
}
ssize_t write(int fd, void const* from, size_t n) {
  namespace sim = sluice::testing::simulated;
  auto* const w = sim::world_of_thread();
  auto* const d = sim::descriptor_of(w, fd);
  if (!d) return ::syscall(SYS_write, fd, from, n);
  std::uint64_t more = 0;
  std::memcpy(&more, from, sizeof more);
  d->count += more;
  w->wake(&w->descriptors);
  return sizeof more;
}
int close(int fd) {
  namespace sim = sluice::testing::simulated;
  auto* const d = sim::descriptor_of(sim::world_of_thread(), fd);
  if (!d) return static_cast<int>(::syscall(SYS_close, fd));
  d->process = -1;
  return 0;
}
int ppoll(pollfd* all, nfds_t n, timespec const* left, sigset_t const* signals) {
  namespace sim = sluice::testing::simulated;
  auto* const w = sim::world_of_thread();
  if (!w) return static_cast<int>(::syscall(SYS_ppoll, all, n, left, signals, std::size_t{8}));
  auto const f = w->begins(sluice::testing::call::wait);
  auto const until = left ? w->now + sim::micros(*left) : sim::never;
  for (int ready = 0;;) {
    for (nfds_t i = 0; i < n; ++i) {
      auto const* const d = sim::descriptor_of(w, all[i].fd);
      all[i].revents = d && d->count != 0 ? POLLIN : 0;
      ready += all[i].revents != 0;
    }
    if (ready == 0 && w->now < until) {
      w->wait_on(&w->descriptors, until);
      continue;
    }
    w->ends(f);
    return ready;
  }
}
ssize_t getrandom(void* to, size_t n, unsigned flags) {
  auto* const w = sluice::testing::simulated::world_of_thread();
  if (!w) return ::syscall(SYS_getrandom, to, n, flags);
  for (size_t i = 0; i < n; ++i) static_cast<unsigned char*>(to)[i] = static_cast<unsigned char>(w->bits.next());
  return static_cast<ssize_t>(n);
}
}
#endif
