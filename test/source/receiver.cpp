#include <sluice/source/receiver.hpp>

#include <sys/resource.h>

#include "sanitized.hpp"
#include "source/started_receiver.hpp"

namespace {

/// Throws twice, then counts to ten.
struct moody {
  std::atomic<int> starts = 0, stops = 0;
  void start(sl::receiving& to) {
    if (++starts == 1) throw std::runtime_error("not today");
    if (starts == 2) throw 7;
    for (int i = 0; i < 10; ++i) to.store(std::to_string(i));
    to.finish();
  }
  void stop() { ++stops; }
};

/// One of its lines fails, and so the others.
struct of_two_lines {
  int starts = 0;
  bool failed = false;
  sl::receiving* to = nullptr;
  void start(sl::receiving& r) {
    to = &r;
    if (++starts == 2) return r.finish();
    failed = true;
    r.fail("the line is dead");
  }
  void stop() {
    if (std::exchange(failed, false)) to->fail("the other one was stopped");
  }
};

/// No descriptor more than there are.
struct no_more_descriptors {
  rlimit before{};

  no_more_descriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    int const free = ::dup(0);
    REQUIRE(free > 0);
    ::close(free);
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(free);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
};

}  // namespace

TEST_CASE("a receiver that throws is told of and started again") {
  auto const r = std::make_shared<moody>();
  std::ostringstream told;
  auto c = start(r, told);
  noted seen;
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines.size() == 10);
  CHECK(r->starts == 3);
  CHECK(r->stops >= 2);
  CHECK(told.str().find("the receiver failed: not today; started again in ") != std::string::npos);
  CHECK(told.str().find("no std::exception") != std::string::npos);
}

TEST_CASE("of several failures the first is told, not what it has led to") {
  std::ostringstream told;
  auto c = start(std::make_shared<of_two_lines>(), told);
  REQUIRE(to_the_end(c, [](sl::batch const&) {}));
  CHECK(told.str().find("the receiver failed: the line is dead; started again in ") != std::string::npos);
  CHECK(told.str().find("was stopped") == std::string::npos);
}

TEST_CASE("where there is no descriptor for it, a receiver is not begun that could not be told to end") {
  if (sanitized::addresses) return;  // it reads an object's type through a pipe, which takes two
  sl::detail::bell bell;
  sl::detail::memory_room room{bell, 1000};
  auto const r = std::make_shared<flood>();
  auto const said = code_of([&] {
    no_more_descriptors const here;
    sl::detail::receiver_host<flood, sl::detail::memory_room> const host{r, room, bell};
  });
  CHECK(said == sl::errc::client_failed);
}
