/// What the examples with sockets have in common: a server in the program itself that says some lines to each client.
#pragma once
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace demo {

/// Says all of `lines` to one client on 127.0.0.1, and waits until the program ends.
class line_server {
  int listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int client_ = -1;
  int port_ = 0;
  std::thread speaker_{};

 public:
  explicit line_server(std::vector<std::string> const& lines) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listening_, 1) != 0 ||
        ::getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("no port on 127.0.0.1 to listen on");
    port_ = ntohs(at.sin_port);
    speaker_ = std::thread{[this, lines] {
      client_ = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      for (auto const& line : lines) {
        auto const text = line + "\n";
        if (::send(client_, text.data(), text.size(), MSG_NOSIGNAL) < 0) return;
      }
    }};
  }
  line_server(line_server const&) = delete;
  line_server& operator=(line_server const&) = delete;
  ~line_server() {
    ::shutdown(listening_, SHUT_RDWR);
    speaker_.join();
    ::close(client_);
    ::close(listening_);
  }
  int port() const { return port_; }
};

}  // namespace demo
