#include <sluice/source/user.hpp>

#include <sys/resource.h>

#include <atomic>

#include "source/consuming.hpp"

using namespace consuming;

namespace {

template <class R>
auto start(std::shared_ptr<R> const& r, std::ostream& told, std::size_t max_buffered = 1 << 20) {
  return sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, sl::user_source<R>, sl::log_to>{
      sl::user_source<R>{.receiver = r, .max_buffered = max_buffered}, sl::log_to{&told}};
}

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

/// Returns from start, and goes on in a thread of its own.
struct in_background {
  std::thread own{};
  std::atomic<bool> end = false;
  std::atomic<int> starts = 0;
  void start(sl::receiving& to) {
    ++starts;
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
    if (own.joinable()) own.join();
    end = false;
  }
};

struct flood {
  std::atomic<std::uint64_t> stored = 0;
  std::atomic<bool> refused = false;
  void start(sl::receiving& to) {
    std::string const text(1000, 'x');
    while (to.store(text)) ++stored;
    refused = true;
  }
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

TEST_CASE("store waits while the buffer is full, and is refused when the consumer closes") {
  auto const r = std::make_shared<flood>();
  std::ostringstream told;
  {
    auto c = start(r, told, 10'000);
    for (auto before = r->stored.load(); before == 0 || r->stored != before; std::this_thread::sleep_for(20ms))
      before = r->stored;
    CHECK(r->stored < 11);
    noted seen;
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() > 100; }));
  }
  CHECK(r->refused);
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

TEST_CASE("where there is no descriptor for it, a receiver is not begun that could not be told to end") {
  sl::detail::bell bell;
  sl::detail::memory_room room{bell, 1000};
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  int const free = ::dup(0);
  REQUIRE(free > 0);
  ::close(free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(free);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto const said = code_of([&] {
    sl::detail::receiver_host<flood, sl::detail::memory_room> const host{std::make_shared<flood>(), room, bell};
  });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(said == sl::errc::client_failed);
}
