/// \file source/rdkafka_sockets.hpp  A client's connections, which can be cut: nothing that it has queued is sent any more.
///
/// librdkafka can't take back a commit: while the coordinator is away it keeps it, through closing and destroying even,
/// and sends it later with whatever generation it has then. So a client that is thrown away after a request without an
/// answer loses its connections first.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/detail/rdkafka.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

template <class Late>
class cuttable_sockets {
  std::mutex guard_{};
  late<std::vector<int>, Late> open_{};
  bool cut_ = false;

 public:
  /// Must outlive the client.
  void use_in(rd_kafka_conf_t& conf) {
    rd_kafka_conf_set_opaque(&conf, this);
    rd_kafka_conf_set_socket_cb(&conf, [](int domain, int type, int protocol, void* self) {
      return static_cast<cuttable_sockets*>(self)->open(domain, type, protocol);
    });
    rd_kafka_conf_set_closesocket_cb(
        &conf, [](int fd, void* self) { return static_cast<cuttable_sockets*>(self)->close(fd); });
  }

  /// Ends all connections and allows no new ones. Any thread.
  void cut() noexcept {
    std::lock_guard const lock{guard_};
    cut_ = true;
    for (int const fd : open_) ::shutdown(fd, SHUT_RDWR);
  }

 private:
  int open(int domain, int type, int protocol) noexcept {
    std::lock_guard const lock{guard_};
    errno = ENETDOWN;
    if (cut_) return -1;
    int const fd = ::socket(domain, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) return fd;
    try {
      open_.push_back(fd);
    } catch (...) {
      ::close(fd);
      errno = ENOMEM;
      return -1;
    }
    return fd;
  }

  int close(int fd) noexcept {
    std::lock_guard const lock{guard_};
    std::erase(open_, fd);
    return ::close(fd);
  }
};

}}}  // namespace sluice::v0::detail
