/// \file testing/simulation/memory.hpp  Memory of a simulated process, which goes as a whole when the process is killed.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_SIMULATION_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_SIMULATION_ASAN 1
#endif
#endif
#ifdef SLUICE_SIMULATION_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// What outlives processes (brokers, stores, the trace) never comes from a process's memory, whoever's stack it is
/// changed on.
template <class T>
struct outside_allocator {
  using value_type = T;
  outside_allocator() = default;
  template <class U>
  outside_allocator(outside_allocator<U> const&) {}
  T* allocate(std::size_t n) {
    if (auto* p = static_cast<T*>(std::malloc(n * sizeof(T)))) return p;
    throw std::bad_alloc{};
  }
  void deallocate(T* p, std::size_t) { std::free(p); }
  friend bool operator==(outside_allocator const&, outside_allocator const&) { return true; }
};
template <class T>
using list = std::vector<T, outside_allocator<T>>;
using text = std::basic_string<char, std::char_traits<char>, outside_allocator<char>>;

/// All that one process allocates. A block is found to be an arena's by its address, so that it may be freed from
/// anywhere. Under the address sanitizer freed blocks are poisoned and not used again.
class arena {
  static constexpr std::size_t header = 16, small = 1024, classes = 64 + 20;
#ifdef SLUICE_SIMULATION_ASAN
  static constexpr std::size_t room = std::size_t{64} << 20;
#else
  static constexpr std::size_t room = std::size_t{4} << 20;
#endif
  static constexpr std::size_t most = 64;

  struct block {
    block* next;
  };
  struct label {  // before each block
    std::uint32_t which = 0;
    std::uint32_t life = 0;  // of the process that took it
  };
  struct pool {
    std::mutex lock;
    char* begin;
    std::uint64_t taken;
  };
  inline static constinit pool all_{};

  std::size_t used_ = first();
  std::uint32_t life_ = 1;
  std::array<block*, classes> free_{};
  std::array<void*, 64> exceptions_{};  // of the C++ runtime, by malloc
  std::size_t kept_ = 0;

  static constexpr std::size_t first() { return 4096; }
  static std::size_t class_of(std::size_t n) {
    return n <= small ? (n + 15) / 16 : 64 + static_cast<std::size_t>(std::bit_width((n - 1) / small));
  }
  static std::size_t size_of(std::size_t which) { return which <= 64 ? which * 16 : small << (which - 64); }

 public:
  /// One that nobody has; give() returns it.
  static arena* take() {
    std::lock_guard const hold{all_.lock};
    if (!all_.begin) {
      auto* const got = ::mmap(nullptr, (most + 1) * room, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (got == MAP_FAILED) throw std::bad_alloc{};
      auto const at = reinterpret_cast<std::uintptr_t>(got);
      all_.begin = static_cast<char*>(got) + ((room - at % room) % room);
    }
    auto const i = static_cast<std::size_t>(std::countr_one(all_.taken));
    if (i >= most) throw std::bad_alloc{};
    all_.taken |= std::uint64_t{1} << i;
    return new (all_.begin + i * room) arena;
  }
  static void give(arena* a) {
    std::lock_guard const hold{all_.lock};
    a->reset();
    all_.taken &= ~(std::uint64_t{1} << (static_cast<std::size_t>(reinterpret_cast<char*>(a) - all_.begin) / room));
  }
  /// Whose this block is; null: of the program's own heap.
  static arena* of(void* p) {
    auto const begin = reinterpret_cast<std::uintptr_t>(all_.begin), at = reinterpret_cast<std::uintptr_t>(p);
    if (begin == 0 || at < begin || at >= begin + most * room) return nullptr;
    return reinterpret_cast<arena*>(at - (at - begin) % room);
  }

  void* allocate(std::size_t n) {
    if (n > room) throw std::bad_alloc{};
    auto const which = class_of(std::max<std::size_t>(n, 1));
#ifndef SLUICE_SIMULATION_ASAN
    if (auto* const b = free_[which]) {
      free_[which] = b->next;
      return b;
    }
#endif
    auto const size = size_of(which);
    if (used_ + header + size > room) throw std::bad_alloc{};
    auto* const p = reinterpret_cast<char*>(this) + used_ + header;
    used_ += header + size;
#ifdef SLUICE_SIMULATION_ASAN
    ASAN_UNPOISON_MEMORY_REGION(p - header, header + n);
#endif
    new (p - header) label{static_cast<std::uint32_t>(which), life_};
#ifdef SLUICE_SIMULATION_ASAN
    ASAN_POISON_MEMORY_REGION(p - header, header);
#endif
    return p;
  }
  void release(void* p) {
    auto* const at = static_cast<char*>(p) - header;
#ifdef SLUICE_SIMULATION_ASAN
    ASAN_UNPOISON_MEMORY_REGION(at, header);
#endif
    auto const was = *reinterpret_cast<label*>(at);
    if (was.life != life_) {
      std::fputs(
          "simulation: memory of a process that is gone is used: change what outlives processes in "
          "process::outside()\n",
          stderr);
      std::abort();
    }
#ifdef SLUICE_SIMULATION_ASAN
    ASAN_POISON_MEMORY_REGION(at, header + size_of(was.which));
#else
    free_[was.which] = new (p) block{free_[was.which]};
#endif
  }
  /// An exception that the process holds; reset() frees it where the process is gone.
  void keep(void* exception) {
    if (kept_ < exceptions_.size()) exceptions_[kept_++] = exception;
  }
  void let_go(void* exception) {
    auto const end = exceptions_.begin() + static_cast<std::ptrdiff_t>(kept_);
    auto const at = std::find(exceptions_.begin(), end, exception);
    if (at != end) *at = exceptions_[--kept_];
  }
  std::size_t exceptions() const { return kept_; }
  using giver = void (*)(void*);
  inline static constinit giver give_exception_back = nullptr;

  /// The process is gone, and all that it had.
  void reset() {
    while (kept_ > 0) give_exception_back(exceptions_[--kept_]);
#ifdef SLUICE_SIMULATION_ASAN
    ASAN_POISON_MEMORY_REGION(reinterpret_cast<char*>(this) + first(), used_ - first());
#endif
    used_ = first();
    free_ = {};
    ++life_;
  }
};

/// Of the process that runs now on this thread; null outside of one. What <sluice/testing/simulation/program.hpp> makes
/// of operator new asks for it.
inline constinit thread_local arena* arena_in_use = nullptr;

}}}}  // namespace sluice::v0::testing::simulated
