#include "servers/process.hpp"

#include "catch.hpp"
#include "detail/temporary_folder.hpp"

using namespace std::chrono_literals;

TEST_CASE("a program lives as long as its object") {
  temporary_folder const folder;
  pid_t pid = 0;
  {
    servers::process p{{"sleep", "1000"}, folder.path / "log"};
    pid = p.pid();
    CHECK(::kill(pid, 0) == 0);
    CHECK_FALSE(p.ended());
  }
  CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("a program that fails is told with what it printed") {
  temporary_folder const folder;
  CHECK_NOTHROW(servers::run({"sh", "-c", "exit 0"}, folder.path / "log"));
  CHECK_THROWS_WITH(servers::run({"sh", "-c", "echo so it is; exit 3"}, folder.path / "log2"),
                    Catch::Matchers::ContainsSubstring("so it is"));
  servers::process p{{"sh", "-c", "echo no luck"}, folder.path / "log3"};
  CHECK_THROWS_WITH(p.wait_until([] { return false; }), Catch::Matchers::ContainsSubstring("no luck"));
}

TEST_CASE("a program that crashes is told, even to who expects that it ends") {
  temporary_folder const folder;
  servers::process p{{"sh", "-c", "echo oh; kill -SEGV $$"}, folder.path / "log"};
  auto const until_it_ends = [&] {
    while (!p.ended()) std::this_thread::sleep_for(1ms);
  };
  CHECK_THROWS_WITH(until_it_ends(), Catch::Matchers::ContainsSubstring("crashed by signal 11:\noh"));
}

TEST_CASE("two programs are not given the same free port") {
  int both[2];
  REQUIRE(::pipe(both) == 0);
  servers::descriptor const from{both[0]}, to{both[1]};
  auto const before = servers::free_port();  // both look on from here
  auto const child = ::fork();
  if (child == 0) {
    auto const port = servers::free_port();
    (void)!::write(to.fd, &port, sizeof port);
    ::pause();
  }
  int theirs = 0;
  CHECK(::read(from.fd, &theirs, sizeof theirs) == sizeof theirs);
  CHECK(servers::free_port() != theirs);
  CHECK(theirs != before);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("a free port is free") {
  auto const port = servers::free_port();
  CHECK_FALSE(servers::listens(port));
  CHECK(servers::free_port() != port);
}
