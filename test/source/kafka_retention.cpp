#include <sluice/source/kafka_retention.hpp>

#include "catch.hpp"

namespace {

using namespace std::chrono_literals;
namespace sl = sluice;

/// A log and its reader, looked at each ten seconds.
struct sight {
  sl::detail::retention_sight of{};
  sl::lane reader{.of = {"t", 0}};
  sl::time_point now{};

  std::optional<sl::position_event> at(std::int64_t low, std::int64_t high, std::int64_t next) {
    now += sl::detail::retention_sight::apart;
    reader.next = sl::offset{next};
    return of.look(reader, {sl::offset{low}, sl::offset{high}, true}, now);
  }
};

}  // namespace

TEST_CASE("near: one more removal as large as the last one would take what is unread") {
  sight s;
  CHECK_FALSE(s.at(0, 1000, 150));
  auto const near = GENERATE(99, 100);
  auto const e = s.at(100, 1000, 100 + near);
  REQUIRE(e.has_value() == (near < 100));
  if (!e) return;
  CHECK(e->cause == sl::position_event::retention_near);
  CHECK(e->stored == sl::offset{199});
  CHECK(e->text.find("the log begins at 100 and is read at 199") != std::string::npos);
}

TEST_CASE("near: or a minute of what is removed on average, in small pieces") {
  sight s;
  CHECK_FALSE(s.at(0, 1000, 500));
  for (std::int64_t low = 10; low <= 120; low += 10) CHECK_FALSE(s.at(low, 1000, low + 60));
  CHECK(s.at(130, 1000, 130 + 59));
}

TEST_CASE("told once, until the reader is twice as far away") {
  sight s;
  CHECK_FALSE(s.at(0, 1000, 150));
  CHECK(s.at(100, 1000, 150));
  CHECK_FALSE(s.at(100, 1000, 160));
  CHECK_FALSE(s.at(100, 1000, 299));
  CHECK_FALSE(s.at(100, 1000, 150));
  CHECK_FALSE(s.at(100, 1000, 300));
  CHECK(s.at(100, 1000, 150));
}

TEST_CASE("not near: all is read, nothing was removed, nothing is known") {
  sight s;
  CHECK_FALSE(s.at(0, 150, 150));
  CHECK_FALSE(s.at(100, 150, 150));
  sight still;
  for (int i = 0; i < 3; ++i) CHECK_FALSE(still.at(0, 10, 0));
  CHECK_FALSE(sight{}.of.look(s.reader, {}, s.now));
}
