#include <sluice/stop_on_signal.hpp>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include "catch.hpp"

namespace sl = sluice;

namespace {
/// How a process ends that does this.
template <class F>
int status_of(F f) {
  auto const pid = ::fork();
  if (pid == 0) {
    f();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}
}  // namespace

TEST_CASE("the first signal is a wish, the second one ends the process") {
  auto const signal = GENERATE(SIGTERM, SIGINT);
  CHECK(status_of([&] {
          sl::stop_on_signal const stop;
          if (stop.stop_requested()) ::_exit(1);
          std::raise(signal);
          if (!stop.stop_requested() || !sl::stop_on_signal{}.stop_requested()) ::_exit(2);
        }) == 0);
  auto const second = GENERATE(SIGTERM, SIGINT);
  auto const status = status_of([&] {
    sl::stop_on_signal const stop;
    std::raise(signal);
    std::raise(second);
  });
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == second));
}

TEST_CASE("a handler that waits for its own input waits on") {
  CHECK(status_of([] {
          sl::stop_on_signal const stop;
          int ends[2];
          if (::pipe(ends)) ::_exit(1);
          auto const waiting = "/proc/self/task/" + std::to_string(::getpid()) + "/stat";
          std::thread other{[&, reader = ::pthread_self()] {
            for (std::string line; line.find(") S ") == line.npos; std::this_thread::yield())
              std::getline(std::ifstream{waiting}, line);
            ::pthread_kill(reader, SIGTERM);
            while (!stop.stop_requested()) std::this_thread::yield();
            if (::write(ends[1], "x", 1) != 1) ::_exit(2);
          }};
          char c = 0;
          if (::read(ends[0], &c, 1) != 1) ::_exit(3);
          other.join();
        }) == 0);
}
