#include <sluice/source/socket.hpp>

#include <sluice/source/write_ahead_log.hpp>

#include <sys/resource.h>

#include "source/consuming.hpp"
#include "source/text_server.hpp"

using namespace consuming;
using servers::text_server;

namespace {
auto start(int port, std::ostream& told, std::size_t max_record = 1 << 20) {
  return sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, sl::socket_source, sl::log_to>{
      sl::socket_source{.host = "127.0.0.1", .port = port, .max_record = max_record}, sl::log_to{&told}};
}
long peak_kib() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  return u.ru_maxrss;
}
}  // namespace

TEST_CASE("lines, with either end, in pieces; the rest of a connection that ends in order") {
  text_server server;
  std::ostringstream told;
  auto c = start(server.port(), told);
  noted seen;
  std::thread speaker{[&] {
    auto const to = server.accept();
    server.say(to, "one\ntw");
    server.say(to, "o\r\n\nthree");
  }};
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 4; }));
  speaker.join();
  CHECK(seen.lines == texts{"one", "two", "", "three"});
}

TEST_CASE("a lost connection is told and made again") {
  text_server server;
  std::ostringstream told;
  auto c = start(server.port(), told);
  noted seen;
  std::thread speaker{[&] {
    for (int i = 0; i < 3; ++i) server.say(server.accept(), std::to_string(i) + "\n");
  }};
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 3; }));
  speaker.join();
  CHECK(seen.lines == texts{"0", "1", "2"});
  CHECK(told.str().find("has closed the connection; started again in") != std::string::npos);
}

TEST_CASE("100 MB without a line feed cost no memory; the line is left out and told, the next one read") {
  text_server server;
  std::ostringstream told;
  auto c = start(server.port(), told, 1000);
  noted seen;
  auto const before = peak_kib();
  std::thread speaker{[&] {
    auto const to = server.accept();
    std::string const much(1 << 20, 'x');
    for (int i = 0; i < 100; ++i)
      if (!server.say(to, much)) return;
    server.say(to, "\nshort\n" + std::string(1000, 'y') + "\n");
  }};
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 2; }));
  speaker.join();
  CHECK(seen.lines == texts{"short", std::string(1000, 'y')});
  CHECK(told.str().find("longer than .max_record, 1000 bytes, and is left out (1 so far)") != std::string::npos);
  CHECK(peak_kib() - before < 20'000);
}

TEST_CASE("nobody listens: told, tried again, closed in time") {
  auto const free = servers::bound_socket();
  std::ostringstream told;
  auto const begun = std::chrono::steady_clock::now();
  {
    auto c = start(free.second, told);
    REQUIRE(until(c, [](sl::batch const&) {}, [&] { return told.str().find("refused") != std::string::npos; }));
  }
  CHECK(std::chrono::steady_clock::now() - begun < 15s);
}

TEST_CASE("bad input") {
  std::ostringstream told;
  CHECK(code_of([&] { start(0, told); }) == sl::errc::bad_configuration);
  CHECK(code_of([&] { start(70'000, told); }) == sl::errc::bad_configuration);
  CHECK(code_of([&] { start(1, told, 0); }) == sl::errc::bad_configuration);
  CHECK(code_of([&] { start(1, told, std::size_t{1} << 30); }) == sl::errc::bad_configuration);
}

TEST_CASE("a line that its log would have no room for is refused before it comes") {
  temporary_folder const f;
  text_server server;
  using logged = sl::write_ahead_log<sl::socket_source>;
  noted seen;
  auto const read = [&](std::size_t max_record) {
    sl::stream_consumer<sl::at_least_once, sl::file_offsets, logged> c{
        logged{.source = {.host = "127.0.0.1", .port = server.port(), .group = "g", .max_record = max_record},
               .folder = f.name() + "/log",
               .max_record = 1000},
        sl::file_offsets{.directory = f.name()}};
    server.say(server.accept(), std::string(max_record, 'x') + "\nbehind\n");
    until(c, seen.handler(), [&] { return seen.lines.size() == 2; });
  };
  auto const why = complaint([&] { read(1000); });
  CHECK(why.find("write_ahead_log{.max_record}, 1000, must be above its source's, 1000") != std::string::npos);
  read(999);
  CHECK(seen.lines == texts{std::string(999, 'x'), "behind"});
}
