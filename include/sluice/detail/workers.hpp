/// \file detail/workers.hpp  A fixed number of threads that share the parts of one piece of work with the caller.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// Allocates only where a piece of work has more parts than any before.
class workers {
  std::mutex guard_{};
  std::condition_variable begin_{}, end_{};
  void (*call_)(void*, std::size_t) = nullptr;
  void* work_ = nullptr;
  std::size_t parts_ = 0;
  std::atomic<std::size_t> next_{0};
  std::size_t busy_ = 0;
  unsigned long round_ = 0;
  bool over_ = false;
  std::vector<std::exception_ptr> thrown_{};
  std::vector<std::jthread> threads_{};  // the last: they end before what they look at

 public:
  explicit workers(unsigned helpers) {
    threads_.reserve(helpers);
    try {
      for (unsigned i = 0; i < helpers; ++i) threads_.emplace_back([this] { serve(); });
    } catch (...) {
      dismiss();
      throw;
    }
  }
  workers(workers const&) = delete;
  workers& operator=(workers const&) = delete;
  ~workers() { dismiss(); }

  /// Calls `work(i)` once for each i below `parts`, and returns when all have ended; rethrows what the lowest of those
  /// that threw has thrown. One thread.
  template <class Work>
  void run(std::size_t parts, Work&& work) {
    thrown_.assign(parts, nullptr);
    {
      std::lock_guard const held{guard_};
      work_ = const_cast<void*>(static_cast<void const*>(std::addressof(work)));
      call_ = [](void* w, std::size_t i) { (*static_cast<std::remove_reference_t<Work>*>(w))(i); };
      parts_ = parts;
      next_ = 0;
      busy_ = threads_.size();
      ++round_;
    }
    begin_.notify_all();
    take_part();
    {
      std::unique_lock held{guard_};
      end_.wait(held, [this] { return busy_ == 0; });
    }
    for (auto& e : thrown_)
      if (e) std::rethrow_exception(std::exchange(e, nullptr));
  }

 private:
  void take_part() noexcept {
    for (std::size_t i = next_++; i < parts_; i = next_++) {
      try {
        call_(work_, i);
      } catch (...) { thrown_[i] = std::current_exception(); }
    }
  }

  void serve() {
    for (unsigned long seen = 0;;) {
      {
        std::unique_lock held{guard_};
        begin_.wait(held, [&] { return over_ || round_ != seen; });
        if (over_) return;
        seen = round_;
      }
      take_part();
      std::lock_guard const held{guard_};
      if (--busy_ == 0) end_.notify_one();
    }
  }

  void dismiss() {
    {
      std::lock_guard const held{guard_};
      over_ = true;
    }
    begin_.notify_all();
    threads_.clear();
  }
};

}}}  // namespace sluice::v0::detail
