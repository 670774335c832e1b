/// \file text_server.hpp  A TCP server on 127.0.0.1 that says what a test tells it to.
#pragma once
#include "servers/process.hpp"

namespace servers {

class text_server {
  std::pair<descriptor, int> own_ = bound_socket();

 public:
  text_server() { ::listen(own_.first.fd, 8); }
  int port() const { return own_.second; }
  /// The next client.
  descriptor accept() const { return descriptor{::accept4(own_.first.fd, nullptr, nullptr, SOCK_CLOEXEC)}; }
  /// False: the client has gone.
  static bool say(descriptor const& to, std::string_view text) {
    while (!text.empty()) {
      auto const n = ::send(to.fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
};

}  // namespace servers
