/// \file proxy.hpp  A TCP proxy that loses requests or answers, delivers requests late, and counts round trips.
#pragma once
#include <netinet/tcp.h>
#include <poll.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "process.hpp"

namespace servers {

/// Listens on a port of 127.0.0.1 and hands everything on to `target`, until it is told otherwise. What a client sends
/// before the server answers is one request. Several connections at once; all calls are safe from any thread.
class proxy {
 public:
  enum class trouble {
    none,
    cut_before,  ///< the request is thrown away, the connection closed
    cut_after,   ///< the request reaches the server; the answer is thrown away, the connection closed
    hold         ///< the client's connection is closed, the request kept for deliver()
  };

 private:
  struct link {
    descriptor client, server;
    bool asked = false;  // the server owes an answer
    trouble with = trouble::none;
    std::string kept{};  // answers, on a long line
    std::chrono::steady_clock::time_point heard{};
  };
  std::pair<descriptor, int> listening_ = bound_socket();
  int target_;
  std::mutex mutex_{};
  trouble next_ = trouble::none;
  unsigned after_ = 0;
  std::function<void()> call_{};
  unsigned call_after_ = 0;
  bool for_good_ = false;
  bool refusing_ = false;
  std::chrono::milliseconds length_{0};
  std::atomic<std::size_t> round_trips_{0}, cuts_{0}, bytes_asked_{0};
  std::vector<link> links_{};
  std::optional<std::pair<descriptor, std::string>> held_{};
  std::atomic<bool> done_{false};
  std::thread thread_;

 public:
  explicit proxy(int target) : target_(target) {
    if (::listen(listening_.first.fd, 64)) throw std::runtime_error("can't listen");
    thread_ = std::thread{[this] { serve(); }};
  }
  proxy(proxy const&) = delete;
  proxy& operator=(proxy const&) = delete;
  ~proxy() {
    done_ = true;
    thread_.join();
  }

  int port() const { return listening_.second; }
  /// Client requests that the server has begun to answer.
  std::size_t round_trips() const { return round_trips_; }
  /// That clients have sent.
  std::size_t bytes_asked() const { return bytes_asked_; }
  /// How many connections trouble has ended.
  std::size_t cuts() const { return cuts_; }

  /// Once, on the first request after `after` others, of any connection. `for_good`: nobody can connect from then on.
  void arrange(trouble what, unsigned after = 0, bool for_good = false) {
    std::lock_guard const lock{mutex_};
    next_ = what;
    after_ = after;
    for_good_ = for_good;
  }
  /// Calls `what` once, on a thread of its own, while the first request after `after` others waits. It must not use the proxy.
  void before(unsigned after, std::function<void()> what) {
    std::lock_guard const lock{mutex_};
    call_ = std::move(what);
    call_after_ = after;
  }
  /// What was held reaches the server now, as from a client that is gone. False: nothing is held. Waits for the answer.
  bool deliver() {
    std::optional<std::pair<descriptor, std::string>> late;
    {
      std::lock_guard const lock{mutex_};
      late.swap(held_);
    }
    if (!late) return false;
    send_all(late->first.fd, late->second);
    pollfd p{late->first.fd, POLLIN, 0};
    ::poll(&p, 1, 5000);
    std::this_thread::sleep_for(50ms);
    return true;
  }
  /// Answers come only when the client has said nothing for that long, as if it were far away. So requests that do not wait
  /// for each other's answers are one round trip, however many they are.
  void be_long(std::chrono::milliseconds length) {
    std::lock_guard const lock{mutex_};
    length_ = length;
  }
  /// All connections end, and new ones with them, until refuse(false).
  void refuse(bool on) {
    std::lock_guard const lock{mutex_};
    refusing_ = on;
    if (on) links_.clear();
  }

 private:
  static void send_all(int fd, std::string_view text) {
    while (!text.empty()) {
      auto const n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  static std::string receive(int fd) {
    std::string text(1 << 18, '\0');
    auto const n = ::recv(fd, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }

  void serve() {
    std::vector<pollfd> all;
    while (!done_) {
      all.assign(1, {listening_.first.fd, POLLIN, 0});
      {
        std::lock_guard const lock{mutex_};
        for (auto const& l : links_) {
          all.push_back({l.client.fd, POLLIN, 0});
          all.push_back({l.server.fd, POLLIN, 0});
        }
      }
      auto const news = ::poll(all.data(), all.size(), 5);
      std::lock_guard const lock{mutex_};
      for (auto& l : links_)
        if (!l.kept.empty() && std::chrono::steady_clock::now() - l.heard > length_)
          hand_back(l, std::exchange(l.kept, {}));
      if (news <= 0) continue;
      if (all.size() != 1 + 2 * links_.size()) continue;
      for (std::size_t i = links_.size(); i-- > 0;) {
        bool open = true;
        if (all[1 + 2 * i].revents) open = from_client(links_[i]);
        if (open && all[2 + 2 * i].revents) open = from_server(links_[i]);
        if (!open) links_.erase(links_.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (all[0].revents) welcome();
    }
  }
  void welcome() {
    descriptor client{::accept4(listening_.first.fd, nullptr, nullptr, SOCK_CLOEXEC)};
    descriptor server{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    auto const to = loopback(target_);
    if (refusing_ || ::connect(server.fd, reinterpret_cast<sockaddr const*>(&to), sizeof to)) return;
    int const on = 1;  // what comes in pieces goes on in pieces, at once
    for (int const fd : {client.fd, server.fd}) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    links_.push_back({std::move(client), std::move(server)});
  }
  /// False: the connection has ended.
  bool from_client(link& l) {
    auto const text = receive(l.client.fd);
    if (text.empty()) return false;
    if (!l.asked && call_ && call_after_-- == 0) std::exchange(call_, nullptr)();
    bytes_asked_ += text.size();
    if (!l.asked && next_ != trouble::none && after_-- == 0) {
      l.with = std::exchange(next_, trouble::none);
      ++cuts_;
      refusing_ = refusing_ || for_good_;
      if (l.with == trouble::cut_before) return false;
      if (l.with == trouble::hold) {
        auto all = text;  // it may come in pieces
        for (pollfd p{l.client.fd, POLLIN, 0}; ::poll(&p, 1, 100) > 0;) {
          auto const more = receive(l.client.fd);
          if (more.empty()) break;
          all += more;
        }
        held_.emplace(std::move(l.server), all);
        return false;
      }
    }
    l.asked = true;
    l.heard = std::chrono::steady_clock::now();
    send_all(l.server.fd, text);
    return true;
  }
  bool from_server(link& l) {
    auto const text = receive(l.server.fd);
    if (text.empty() || l.with == trouble::cut_after) return false;
    if (length_ > 0ms)
      l.kept += text;
    else
      hand_back(l, text);
    return true;
  }
  void hand_back(link& l, std::string const& text) {
    if (std::exchange(l.asked, false)) ++round_trips_;
    send_all(l.client.fd, text);
  }
};

}  // namespace servers
