/// \file testing/simulation/fibre.hpp  A stack of its own for each simulated process, and the switch from one to another.
#pragma once
#include <sluice/testing/simulation/memory.hpp>

#include <cxxabi.h>
#include <ucontext.h>

#include <cstring>
#include <utility>

#if defined(__SANITIZE_THREAD__)
#define SLUICE_SIMULATION_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLUICE_SIMULATION_TSAN 1
#endif
#endif
#ifdef SLUICE_SIMULATION_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SLUICE_SIMULATION_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// The first one stands for the thread that it was made on; others get their own stack with start(). A fibre that is
/// never switched to again is as good as killed: nothing of it runs any more.
class fibre {
#ifdef SLUICE_SIMULATION_ASAN
  static constexpr std::size_t stack_size = std::size_t{1} << 20;
#else
  static constexpr std::size_t stack_size = std::size_t{256} << 10;
#endif
  /// What the C++ runtime keeps for each thread: exceptions that are being handled (Itanium C++ ABI, 2.2.2).
  using exceptions = std::array<char, 16>;

  ucontext_t context_{};
  char* stack_ = nullptr;
  exceptions exceptions_{};
  void (*run_)(void*) = nullptr;
  void* argument_ = nullptr;
#ifdef SLUICE_SIMULATION_ASAN
  void* fake_stack_ = nullptr;
  void const* bottom_ = nullptr;
  std::size_t size_ = 0;
  fibre* ended_by_ = nullptr;
#endif
#ifdef SLUICE_SIMULATION_TSAN
  void* twin_ = nullptr;
#endif
  inline static constinit thread_local fibre* entering_ = nullptr;
  inline static constinit thread_local fibre* left_ = nullptr;

  static void begin() {
    auto* const self = entering_;
    arrived(*self);
    self->run_(self->argument_);
    std::abort();  // run_ switches away and never returns
  }
  static void arrived([[maybe_unused]] fibre& here) {
#ifdef SLUICE_SIMULATION_ASAN
    void const* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(here.fake_stack_, &bottom, &size);
    if (left_ && !left_->stack_) left_->bottom_ = bottom, left_->size_ = size;
    if (here.ended_by_) leave_for_good(*here.ended_by_);
#endif
  }
#ifdef SLUICE_SIMULATION_ASAN
  /// The sanitizer takes a fibre's fake stack back only where the fibre itself says that it leaves for good.
  static void leave_for_good(fibre& to) {
    std::memcpy(abi::__cxa_get_globals(), to.exceptions_.data(), sizeof(exceptions));
    __sanitizer_start_switch_fiber(nullptr, to.bottom_, to.size_);
    ::setcontext(&to.context_);
  }
#endif

 public:
  fibre() = default;
  fibre(fibre const&) = delete;
  fibre& operator=(fibre const&) = delete;
  ~fibre() {
    end();
    if (stack_) ::munmap(stack_, stack_size);
  }

  /// The next switch to it calls run(argument) on a fresh stack.
  void start(void (*run)(void*), void* argument) {
    end();
    if (!stack_) {
      auto* const got = ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (got == MAP_FAILED) throw std::bad_alloc{};
      stack_ = static_cast<char*>(got);
    }
    run_ = run;
    argument_ = argument;
    exceptions_ = {};
    ::getcontext(&context_);
    context_.uc_stack.ss_sp = stack_;
    context_.uc_stack.ss_size = stack_size;
    context_.uc_link = nullptr;
    ::makecontext(&context_, &fibre::begin, 0);
#ifdef SLUICE_SIMULATION_ASAN
    ASAN_UNPOISON_MEMORY_REGION(stack_, stack_size);
    fake_stack_ = nullptr;
    bottom_ = stack_;
    size_ = stack_size;
#endif
#ifdef SLUICE_SIMULATION_TSAN
    twin_ = __tsan_create_fiber(0);
#endif
  }
  /// It will not run any more.
  void end() {
#ifdef SLUICE_SIMULATION_ASAN
    if (stack_ && fake_stack_) {
      fibre here;
      ended_by_ = &here;
      go(here, *this);
      ended_by_ = nullptr;
      fake_stack_ = nullptr;
    }
#endif
#ifdef SLUICE_SIMULATION_TSAN
    if (stack_ && twin_) __tsan_destroy_fiber(std::exchange(twin_, nullptr));
#endif
  }

  /// From `from`, which runs now; returns when somebody switches back.
  static void go(fibre& from, fibre& to) {
    auto* const now = reinterpret_cast<char*>(abi::__cxa_get_globals());
    std::memcpy(from.exceptions_.data(), now, sizeof(exceptions));
    std::memcpy(now, to.exceptions_.data(), sizeof(exceptions));
    entering_ = &to;
    left_ = &from;
#ifdef SLUICE_SIMULATION_ASAN
    __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.size_);
#endif
#ifdef SLUICE_SIMULATION_TSAN
    if (!from.stack_) from.twin_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.twin_, 0);
#endif
    ::swapcontext(&from.context_, &to.context_);
    arrived(from);
  }
};

}}}}  // namespace sluice::v0::testing::simulated
