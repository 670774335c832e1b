#include <sluice/detail/workers.hpp>

#include <barrier>
#include <numeric>
#include <stdexcept>
#include <string>

#include "catch.hpp"

namespace sl = sluice;

TEST_CASE("each part once, whatever the number of threads and parts") {
  for (unsigned helpers : {0U, 1U, 3U}) {
    sl::detail::workers all{helpers};
    for (std::size_t parts : {0U, 1U, 2U, 100U}) {
      std::vector<int> calls(parts, 0);
      all.run(parts, [&](std::size_t i) { ++calls[i]; });
      CHECK(std::accumulate(calls.begin(), calls.end(), 0) == static_cast<int>(parts));
      CHECK(std::all_of(calls.begin(), calls.end(), [](int n) { return n == 1; }));
    }
  }
}

TEST_CASE("parts run side by side") {
  sl::detail::workers all{2};
  std::barrier together{3};
  all.run(3, [&](std::size_t) { together.arrive_and_wait(); });
}

TEST_CASE("what the first part has thrown is thrown, after all have ended; the next round is whole again") {
  sl::detail::workers all{1};
  std::atomic<int> calls = 0;
  auto const fail = [&](std::size_t i) {
    ++calls;
    if (i == 2 || i == 7) throw std::runtime_error(std::to_string(i));
  };
  CHECK_THROWS_WITH(all.run(10, fail), "2");
  CHECK(calls == 10);
  all.run(2, fail);
  CHECK(calls == 12);
}

TEST_CASE("ends while nobody has asked for anything") {
  for (int i = 0; i < 100; ++i) sl::detail::workers const all{2};
}
