#include <sluice/stop_on_signal.hpp>

#include <sys/wait.h>
#include <unistd.h>

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
