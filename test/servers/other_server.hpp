/// \file other_server.hpp  A server of something else than a test wants: what it gets it answers as it is told to.
#pragma once
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>

#include "process.hpp"

namespace servers {

/// Answers whatever it gets with `say(what it got)`; nothing: closes the connection.
class other_server {
  std::pair<descriptor, int> listening_ = bound_socket();
  std::function<std::optional<std::string>(std::string const&)> say_;
  std::atomic<bool> done_{false};
  std::thread thread_;

 public:
  explicit other_server(std::function<std::optional<std::string>(std::string const&)> say) : say_(std::move(say)) {
    ::listen(listening_.first.fd, 8);
    thread_ = std::thread{[this] {
      std::vector<descriptor> silent;
      while (!done_) {
        pollfd p{listening_.first.fd, POLLIN, 0};
        if (::poll(&p, 1, 5) <= 0) continue;
        descriptor c{::accept(listening_.first.fd, nullptr, nullptr)};
        char got[65536];
        auto const n = ::recv(c.fd, got, sizeof got, 0);
        auto const answer = say_({got, static_cast<std::size_t>(std::max<ssize_t>(n, 0))});
        if (!answer) continue;
        ::send(c.fd, answer->data(), answer->size(), MSG_NOSIGNAL);
        silent.push_back(std::move(c));
      }
    }};
  }
  ~other_server() {
    done_ = true;
    thread_.join();
  }
  int port() const { return listening_.second; }
};

}  // namespace servers
