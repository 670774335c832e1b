#include <sluice/source/live_source.hpp>

#include <sluice/source/constant.hpp>
#include <sluice/source/union.hpp>

#include "source/started_receiver.hpp"

namespace {

/// Stores twenty records at once.
struct twenty {
  std::atomic<bool> done = false;
  void start(sl::receiving& to) {
    for (int i = 0; i < 20; ++i) to.store(std::to_string(i));
    done = true;
  }
  void wait() const {
    while (!done) std::this_thread::sleep_for(1ms);
  }
};

/// The same, and has still what was not handed over.
struct twenty_kept : twenty {
  std::uint64_t gone = 0;
  void handed(std::uint64_t n) {
    if (gone == 0) {
      gone = n;
      throw std::runtime_error("not now");
    }
    gone = n;
  }
};

template <class R>
auto limited(std::shared_ptr<R> const& r, std::ostream& told, sl::read_until until = {}) {
  using source = sl::user_source<R>;
  return sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, source, sl::log_to, sl::micro_batch>{
      source{.receiver = r, .until = until}, sl::log_to{&told}, sl::micro_batch{.max_records = 3}};
}

}  // namespace

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

TEST_CASE("what was received and not handed over is lost when the consumer closes: counted, told, not drained") {
  auto const r = std::make_shared<twenty>();
  std::ostringstream told;
  auto c = limited(r, told);
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 6; }));
  r->wait();
  CHECK(c.drain(5s) == sl::close_result::abandoned);
  CHECK(c.statistics().lost == 14);
  CHECK(told.str().find("closed with 14 received records in memory alone: they are lost") != std::string::npos);
  CHECK(c.drain(5s) == sl::close_result::drained);  // there is nothing any more
  CHECK(c.statistics().lost == 14);
}

TEST_CASE("all handed over, or all that was asked for: drained") {
  std::ostringstream told;
  for (auto const& end : {sl::read_until{}, sl::read_until::offset(sl::offset{7})}) {
    auto const r = std::make_shared<twenty>();
    auto c = limited(r, told, end);
    r->wait();
    noted seen;
    std::size_t const all = end.what() == sl::read_until::at_offset ? 7 : 20;
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == all; }));
    CHECK(c.drain(5s) == sl::close_result::drained);
    CHECK(c.statistics().lost == 0);
  }
  CHECK(told.str().find("lost") == std::string::npos);
}

TEST_CASE("a receiver that keeps what was not handed over loses nothing; what it throws is told") {
  auto const r = std::make_shared<twenty_kept>();
  std::ostringstream told;
  auto c = limited(r, told);
  noted seen;
  r->wait();
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 6; }));
  c.step([](sl::batch const&) {});
  CHECK(c.drain(5s) == sl::close_result::drained);
  CHECK(c.statistics().lost == 0);
  CHECK(r->gone == 9);
  CHECK(told.str().find("handed() threw: not now") != std::string::npos);
}

TEST_CASE("in a union too") {
  auto const r = std::make_shared<twenty>();
  std::ostringstream told;
  using source = sl::user_source<twenty>;
  using both = sl::union_of<source, sl::constant_source>;
  sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, both, sl::log_to> c{
      both{{source{.receiver = r}, sl::constant_source{.records = {{"x"}}}}}, sl::log_to{&told}};
  r->wait();
  CHECK(c.drain(5s) == sl::close_result::abandoned);
  CHECK(c.statistics().lost == 20);
}
