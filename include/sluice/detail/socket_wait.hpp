/// \file detail/socket_wait.hpp  Waiting for a socket, until a point in time.
#pragma once
#include <sluice/offset.hpp>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace sluice { inline namespace v0 { namespace detail {

/// The events of poll() that have come, of `events`; all of them where the connection has ended, or can't be waited for: the next
/// call of its own tells. 0: the time was up.
inline short socket_wait(int fd, int events, time_point by) {
  for (;;) {
    auto const left = by - std::chrono::steady_clock::now();
    auto const ms = std::chrono::ceil<std::chrono::milliseconds>(
        std::clamp<time_point::duration>(left, time_point::duration::zero(), std::chrono::hours{1}));
    pollfd p{fd, static_cast<short>(events), 0};
    auto const n = ::poll(&p, 1, static_cast<int>(ms.count()));
    if (n > 0) return p.revents & (POLLERR | POLLHUP) ? static_cast<short>(events) : p.revents;
    if (n < 0 && errno != EINTR) return static_cast<short>(events);
    if (n == 0 && left <= std::chrono::hours{1}) return 0;
  }
}

}}}  // namespace sluice::v0::detail
