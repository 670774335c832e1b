/// \file other_server.hpp  A server of something else: what it says to a client is the test's to choose.
#pragma once
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>

#include "process.hpp"

namespace servers {

/// Answers the first that each client sends with `say(what it got)`, or says it at once where it speaks first. Nothing: it
/// closes the connection.
class other_server {
  using words = std::function<std::optional<std::string>(std::string const&)>;
  std::pair<descriptor, int> listening_ = bound_socket();
  words say_;
  bool speaks_first_;
  std::atomic<bool> done_{false};
  std::thread thread_;

 public:
  explicit other_server(words say, bool speaks_first = false) : say_(std::move(say)), speaks_first_(speaks_first) {
    ::listen(listening_.first.fd, 8);
    thread_ = std::thread{[this] {
      std::vector<descriptor> silent;
      while (!done_) {
        pollfd p{listening_.first.fd, POLLIN, 0};
        if (::poll(&p, 1, 5) <= 0) continue;
        descriptor c{::accept(listening_.first.fd, nullptr, nullptr)};
        char got[65536];
        auto const n = speaks_first_ ? 0 : ::recv(c.fd, got, sizeof got, 0);
        auto const answer = say_({got, static_cast<std::size_t>(std::max<ssize_t>(n, 0))});
        if (!answer) continue;
        ::send(c.fd, answer->data(), answer->size(), MSG_NOSIGNAL);
        silent.push_back(std::move(c));
      }
    }};
  }
  other_server(other_server const&) = delete;
  other_server& operator=(other_server const&) = delete;
  ~other_server() {
    done_ = true;
    thread_.join();
  }
  int port() const { return listening_.second; }
};

}  // namespace servers
