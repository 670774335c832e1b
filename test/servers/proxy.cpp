#include "servers/proxy.hpp"

#include "catch.hpp"

using namespace servers;
using trouble = proxy::trouble;

namespace {

/// Answers each line with the same line; remembers what it was asked.
class echo {
  std::pair<descriptor, int> listening_ = bound_socket();
  std::mutex mutex_{};
  std::string heard_{};
  std::atomic<bool> done_{false};
  std::vector<std::thread> talks_{};
  std::thread thread_;

  void talk(descriptor client) {
    char c[256];
    while (!done_) {
      pollfd p{client.fd, POLLIN, 0};
      if (::poll(&p, 1, 10) <= 0) continue;
      auto const n = ::recv(client.fd, c, sizeof c, 0);
      if (n <= 0) return;
      {
        std::lock_guard const lock{mutex_};
        heard_.append(c, static_cast<std::size_t>(n));
      }
      ::send(client.fd, c, static_cast<std::size_t>(n), MSG_NOSIGNAL);
    }
  }

 public:
  echo() {
    ::listen(listening_.first.fd, 8);
    thread_ = std::thread{[this] {
      while (!done_) {
        pollfd p{listening_.first.fd, POLLIN, 0};
        if (::poll(&p, 1, 10) <= 0) continue;
        talks_.emplace_back(
            [this, c = descriptor{::accept(listening_.first.fd, nullptr, nullptr)}]() mutable { talk(std::move(c)); });
      }
    }};
  }
  ~echo() {
    done_ = true;
    thread_.join();
    for (auto& t : talks_) t.join();
  }
  int port() const { return listening_.second; }
  std::string heard() {
    std::lock_guard const lock{mutex_};
    return heard_;
  }
};

/// The answer; "" where the connection ended.
std::string ask(descriptor const& s, std::string const& what) {
  ::send(s.fd, what.data(), what.size(), MSG_NOSIGNAL);
  std::string answer(256, '\0');
  auto const n = ::recv(s.fd, answer.data(), answer.size(), 0);
  answer.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return answer;
}

descriptor connect_to(int port) {
  descriptor s{::socket(AF_INET, SOCK_STREAM, 0)};
  auto const a = loopback(port);
  if (::connect(s.fd, reinterpret_cast<sockaddr const*>(&a), sizeof a)) throw std::runtime_error("no connection");
  return s;
}

}  // namespace

TEST_CASE("the proxy hands on, and counts round trips") {
  echo server;
  proxy p{server.port()};
  auto const s = connect_to(p.port());
  CHECK(ask(s, "a") == "a");
  CHECK(ask(s, "b") == "b");
  CHECK(p.round_trips() == 2);
}

TEST_CASE("the proxy loses what it is told to lose") {
  echo server;
  proxy p{server.port()};
  SECTION("a request") {
    p.arrange(trouble::cut_before, 1);
    auto const s = connect_to(p.port());
    CHECK(ask(s, "a") == "a");
    CHECK(ask(s, "b").empty());
    CHECK(server.heard() == "a");
  }
  SECTION("an answer") {
    p.arrange(trouble::cut_after);
    CHECK(ask(connect_to(p.port()), "a").empty());
    CHECK(server.heard() == "a");
  }
  SECTION("a request, until later") {
    p.arrange(trouble::hold);
    CHECK(ask(connect_to(p.port()), "a").empty());
    CHECK(server.heard().empty());
    CHECK(ask(connect_to(p.port()), "b") == "b");
    CHECK(p.deliver());
    CHECK(server.heard() == "ba");
    CHECK_FALSE(p.deliver());
  }
  SECTION("nothing, but something comes before a request") {
    auto const first = connect_to(server.port());
    p.before(1, [&] { ask(first, "x"); });
    auto const s = connect_to(p.port());
    for (auto const* what : {"a", "b", "c"}) CHECK(ask(s, what) == what);
    CHECK(server.heard() == "axbc");
  }
  SECTION("everything") {
    p.refuse(true);
    CHECK(ask(connect_to(p.port()), "a").empty());
    p.refuse(false);
    CHECK(ask(connect_to(p.port()), "a") == "a");
  }
  CHECK(p.cuts() <= 1);
}

TEST_CASE("on a long line requests that do not wait for answers are one round trip") {
  echo server;
  proxy p{server.port()};
  p.be_long(50ms);
  auto const s = connect_to(p.port());
  ::send(s.fd, "a", 1, MSG_NOSIGNAL);
  while (server.heard() != "a") std::this_thread::yield();
  CHECK(ask(s, "b") == "ab");
  CHECK(p.round_trips() == 1);
  CHECK(ask(s, "c") == "c");
  CHECK(p.round_trips() == 2);
  CHECK(p.bytes_asked() == 3);
}
