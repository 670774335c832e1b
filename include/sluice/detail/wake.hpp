/// \file detail/wake.hpp  A bell: any thread rings it, one thread sleeps until it rings, a user's descriptor hears it too.
#pragma once
#include <sluice/error.hpp>
#include <sluice/offset.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace sluice { inline namespace v0 { namespace detail {

/// ring() is heard once however often it is called until somebody calls hush(); so a busy queue costs no system call
/// for each record. What was put somewhere before ring() is seen by whoever looks after hush().
class bell {
  int own_ = -1;
  std::atomic<int> users_{-1};
  std::atomic<bool> rung_{false};

  static void write_one(int fd) noexcept {
    std::uint64_t const one = 1;
    while (::write(fd, &one, sizeof one) < 0 && errno == EINTR) {}
  }

 public:
  bell() : own_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (own_ < 0)
      throw error(errc::client_failed,
                  "no eventfd: " + std::generic_category().message(errno) + "; raise the limit of open files");
  }
  ~bell() { ::close(own_); }
  bell(bell const&) = delete;
  bell& operator=(bell const&) = delete;

  void ring() noexcept {
    if (rung_.exchange(true)) return;
    write_one(own_);
    if (int const fd = users_.load(); fd >= 0) write_one(fd);
  }

  /// First emptied, then armed again: a ring in between is lost to the descriptors, and what it was for is seen by the
  /// look that follows.
  void hush() noexcept {
    if (!rung_.load()) return;
    empty();
    rung_ = false;
  }

  /// 8 bytes arrive at `fd` when the bell rings; -1: nobody listens. The descriptor stays the caller's.
  void also_on(int fd) noexcept {
    users_ = fd;
    if (fd >= 0 && rung_.load()) write_one(fd);
  }

  /// Readable while it rings; 8 bytes that are written to it wake a wait() too.
  int descriptor() const noexcept { return own_; }

  /// Until it rings, or `by`.
  void wait(time_point by) noexcept {
    for (;;) {
      auto const left = by - std::chrono::steady_clock::now();
      if (poll_for(std::min<time_point::duration>(left, std::chrono::hours{1})) || left <= left.zero()) break;
    }
    empty();
    rung_ = false;
  }

 private:
  bool poll_for(std::chrono::nanoseconds left) noexcept {
    left = std::max(left, left.zero());
    constexpr std::int64_t second = 1'000'000'000;
    timespec const time{static_cast<time_t>(left.count() / second), static_cast<long>(left.count() % second)};
    pollfd one{own_, POLLIN, 0};
    return ::ppoll(&one, 1, &time, nullptr) > 0;
  }

  void empty() noexcept {
    std::uint64_t count = 0;
    while (::read(own_, &count, sizeof count) < 0 && errno == EINTR) {}
  }
};

}}}  // namespace sluice::v0::detail
