/// \file http.hpp  A server of a test's own that answers HTTP requests with whatever the test says.
#pragma once
#include <poll.h>
#include <strings.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

#include "process.hpp"

namespace servers {

struct http_request {
  std::string method{};
  std::string target{};
  std::string head{};  ///< as it came, with the line above
  std::string content{};

  /// Empty: there is none of that name.
  std::string header(std::string const& name) const {
    for (std::size_t at = head.find("\r\n"); at < head.size() - 2; at = head.find("\r\n", at + 2))
      if (::strncasecmp(head.c_str() + at + 2, (name + ":").c_str(), name.size() + 1) == 0) {
        auto const from = head.find_first_not_of(' ', at + 2 + name.size() + 1);
        return head.substr(from, head.find("\r\n", from) - from);
      }
    return {};
  }
};

struct http_answer {
  int status = 200;
  std::string content{};
  std::vector<std::string> headers{};
  std::string raw{};  ///< sent instead of all that, and the connection closed
};

/// Connections are kept; requests are answered one after the other, in a thread of its own. Without an answer the connection
/// is closed.
class http_server {
  struct link {
    descriptor client;
    std::string got{};
  };
  std::pair<descriptor, int> listening_ = bound_socket();
  std::function<std::optional<http_answer>(http_request const&)> say_;
  std::mutex mutable mutex_{};
  std::vector<http_request> requests_{};
  std::atomic<std::size_t> connections_{0};
  std::atomic<bool> done_{false};
  std::thread thread_;

 public:
  explicit http_server(std::function<std::optional<http_answer>(http_request const&)> say) : say_(std::move(say)) {
    if (::listen(listening_.first.fd, 16)) throw std::runtime_error("can't listen");
    thread_ = std::thread{[this] { serve(); }};
  }
  http_server(http_server const&) = delete;
  http_server& operator=(http_server const&) = delete;
  ~http_server() {
    done_ = true;
    thread_.join();
  }

  int port() const { return listening_.second; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  std::size_t connections() const { return connections_; }
  std::vector<http_request> requests() const {
    std::lock_guard const lock{mutex_};
    return requests_;
  }

 private:
  static void send_all(int fd, std::string_view text) {
    while (!text.empty()) {
      auto const n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void serve() {
    std::vector<link> links;
    while (!done_) {
      std::vector<pollfd> all{{listening_.first.fd, POLLIN, 0}};
      for (auto const& l : links) all.push_back({l.client.fd, POLLIN, 0});
      if (::poll(all.data(), all.size(), 5) <= 0) continue;
      for (std::size_t i = links.size(); i-- > 0;)
        if (all[i + 1].revents && !read(links[i])) links.erase(links.begin() + static_cast<std::ptrdiff_t>(i));
      if (all[0].revents) {
        links.push_back({descriptor{::accept4(listening_.first.fd, nullptr, nullptr, SOCK_CLOEXEC)}});
        ++connections_;
      }
    }
  }
  /// False: the connection has ended.
  bool read(link& l) {
    char bytes[65536];
    auto const n = ::recv(l.client.fd, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    l.got.append(bytes, static_cast<std::size_t>(n));
    if (l.got[0] < 'A' || l.got[0] > 'Z') {
      send_all(l.client.fd, "HTTP/1.1 400 x\r\nConnection: close\r\n\r\n");
      return false;
    }
    auto const end = l.got.find("\r\n\r\n");
    if (end == l.got.npos) return true;
    http_request r;
    r.head = l.got.substr(0, end + 4);
    auto const space = r.head.find(' ');
    r.method = r.head.substr(0, space);
    r.target = r.head.substr(space + 1, r.head.find(' ', space + 1) - space - 1);
    auto const length = r.header("Content-Length");
    auto const size = length.empty() ? 0 : static_cast<std::size_t>(std::stoul(length));
    if (l.got.size() < end + 4 + size) {
      if (r.header("Expect") == "100-continue" && l.got.size() == end + 4)
        send_all(l.client.fd, "HTTP/1.1 100 Continue\r\n\r\n");
      return true;
    }
    r.content = l.got.substr(end + 4, size);
    l.got.erase(0, end + 4 + size);
    {
      std::lock_guard const lock{mutex_};
      requests_.push_back(r);
    }
    auto const a = say_(r);
    if (!a) return false;
    if (!a->raw.empty()) {
      send_all(l.client.fd, a->raw);
      return false;
    }
    auto text = "HTTP/1.1 " + std::to_string(a->status) + " x\r\nContent-Length: " + std::to_string(a->content.size());
    for (auto const& h : a->headers) text += "\r\n" + h;
    send_all(l.client.fd, text + "\r\n\r\n" + a->content);
    return true;
  }
};

}  // namespace servers
