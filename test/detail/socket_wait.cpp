#include <sluice/detail/socket_wait.hpp>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "catch.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;

TEST_CASE("a socket is waited for until it is ready, has ended, or the time is up") {
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  auto const now = std::chrono::steady_clock::now();
  CHECK(sl::detail::socket_wait(pair[0], POLLIN, now + 30ms) == 0);
  CHECK(std::chrono::steady_clock::now() - now >= 30ms);
  CHECK(sl::detail::socket_wait(pair[0], POLLIN | POLLOUT, now + 10s) == POLLOUT);
  REQUIRE(::write(pair[1], "x", 1) == 1);
  CHECK(sl::detail::socket_wait(pair[0], POLLIN, sl::time_point{}) == POLLIN);
  ::close(pair[1]);
  CHECK(sl::detail::socket_wait(pair[0], POLLIN | POLLOUT, sl::time_point::max()) == (POLLIN | POLLOUT));
  ::close(pair[0]);
}

TEST_CASE("a wait that the system refuses ends at once, as if all had come") {
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  rlimit const none{0, files.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto const came = sl::detail::socket_wait(0, POLLOUT, std::chrono::steady_clock::now() + 10s);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  CHECK(came == POLLOUT);
}
