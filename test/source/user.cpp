#include <sluice/source/user.hpp>

#include <atomic>
#include <mutex>

#include "source/started_receiver.hpp"

namespace {

/// Returns from start, and goes on in a thread of its own.
struct in_background {
  std::mutex guard{};
  std::thread own{};
  std::atomic<bool> end = false;
  std::atomic<int> starts = 0;
  void start(sl::receiving& to) {
    ++starts;
    std::lock_guard const lock{guard};
    own = std::thread{[this, &to] {
      to.store("from " + std::to_string(starts));
      if (starts == 1)
        to.fail("the line is dead");
      else
        while (!end) std::this_thread::sleep_for(1ms);
    }};
  }
  void stop() {
    end = true;
    std::lock_guard const lock{guard};
    if (own.joinable()) own.join();
    end = false;
  }
};

/// Is told to end before it has begun anything.
struct late : in_background {
  std::atomic<bool> told = false;
  void start(sl::receiving& to) {
    to.store("here");
    while (!told) std::this_thread::sleep_for(1ms);
    starts = 1;
    in_background::start(to);
  }
  void stop() {
    in_background::stop();
    told = true;
  }
};

}  // namespace

TEST_CASE("a receiver with threads of its own, that says that it failed") {
  auto const r = std::make_shared<in_background>();
  std::ostringstream told;
  noted seen;
  {
    auto c = start(r, told);
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 2; }));
  }
  CHECK(seen.lines == texts{"from 1", "from 2"});
  CHECK(told.str().find("the line is dead") != std::string::npos);
  CHECK_FALSE(r->own.joinable());
}

TEST_CASE("what a receiver begins after it was told to end is told to end, too") {
  auto const r = std::make_shared<late>();
  std::ostringstream told;
  noted seen;
  {
    auto c = start(r, told);
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
  }
  CHECK_FALSE(r->own.joinable());
  r->stop();
}

TEST_CASE("a record with all that it can have") {
  struct one {
    void start(sl::receiving& to) {
      to.store({.value = nullptr,
                .key = "k",
                .headers = {{"h", sl::as_bytes("1")}},
                .timestamp = sl::wall_time{std::chrono::milliseconds{5}}});
      to.finish();
    }
  };
  std::ostringstream told;
  auto c = start(std::make_shared<one>(), told);
  int n = 0;
  REQUIRE(to_the_end(c, [&](sl::batch const& b) {
    for (sl::record r : b) {
      CHECK((r.is_tombstone() && r.key_text() == "k" && r.timestamp().time_since_epoch().count() == 5));
      for (auto const& h : r.headers()) n += h.name == "h" && sl::as_text(h.value) == "1";
    }
  }));
  CHECK(n == 1);
}
