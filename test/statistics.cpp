#include <sluice/statistics.hpp>

#include <thread>

#include "catch.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;

TEST_CASE("a snapshot is of one publication, and knows its age") {
  sl::detail::published_stats published;
  auto const now = std::chrono::steady_clock::now();
  published.publish({.batches = 3, .records = 30, .last_step = now});
  auto const s = published.read(now + 5s);
  CHECK(s.batches == 3);
  CHECK(s.records == 30);
  CHECK(s.age == 5s);
  CHECK(s.lag == -1);
}

TEST_CASE("readers on other threads never see half of one") {
  sl::detail::published_stats published;
  std::thread writer{[&] {
    for (std::uint64_t i = 0; i < 20'000; ++i) published.publish({.batches = i, .records = 2 * i, .bytes = 3 * i});
  }};
  bool whole = true;
  std::uint64_t last = 0;
  while (last + 1 < 20'000) {
    auto const s = published.read({});
    whole = whole && s.records == 2 * s.batches && s.bytes == 3 * s.batches && s.batches >= last;
    last = s.batches;
  }
  writer.join();
  CHECK(whole);
}
