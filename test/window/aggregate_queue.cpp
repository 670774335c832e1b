#include <sluice/window/aggregate_queue.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>

#include "catch.hpp"
#include "seed.hpp"

namespace {

template <class T, class Combine>
using sl_queue = sluice::aggregate_queue<T, Combine>;

/// What a queue says, against all of it combined again. `fresh(i)` makes a value.
template <class Queue, class T, class Combine, class Fresh>
void agrees(Queue q, Combine combine, Fresh fresh, std::mt19937& random) {
  std::deque<T> naive;
  auto const most = 1 + random() % 40;
  for (int i = 0; i < 200; ++i) {
    if (naive.size() < most && (naive.empty() || random() % 2)) {
      naive.push_back(fresh(random()));
      q.push(naive.back());
    } else if (!naive.empty()) {
      naive.pop_front();
      q.pop();
    }
    std::optional<T> total;
    for (auto const& v : naive) total = total ? combine(*total, v) : v;
    REQUIRE(q.total() == total);
    REQUIRE(q.size() == naive.size());
    REQUIRE(q.empty() == naive.empty());
  }
}

struct counting_max {
  std::uint64_t* calls;
  std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const {
    ++*calls;
    return std::max(a, b);
  }
};

void two_stacks_agree(int streams) {
  std::mt19937 random{seed()};
  auto const join = [](std::string a, std::string const& b) { return a += b; };
  auto const latest = [](std::uint64_t a, std::uint64_t b) { return std::max(a, b); };
  for (int stream = 0; stream < streams; ++stream) {
    agrees<sl_queue<std::string, decltype(join)>, std::string>(
        sl_queue<std::string, decltype(join)>{join}, join,
        [](auto n) { return std::string(1, static_cast<char>('a' + n % 26)); }, random);
    agrees<sl_queue<std::uint64_t, decltype(latest)>, std::uint64_t>(
        sl_queue<std::uint64_t, decltype(latest)>{latest}, latest, [](auto n) { return std::uint64_t{n}; }, random);
  }
}

void with_an_inverse_they_agree(int streams) {
  std::mt19937 random{seed()};
  using queue = sluice::subtracting_queue<std::uint64_t, std::plus<>, std::minus<>>;
  for (int stream = 0; stream < streams; ++stream)
    agrees<queue, std::uint64_t>(queue{}, std::plus<>{}, [](auto n) { return std::uint64_t{n}; }, random);
}

}  // namespace

TEST_CASE("two stacks agree with combining all anew, in order, on random streams") { two_stacks_agree(500); }
TEST_CASE("with an inverse the same") { with_an_inverse_they_agree(500); }
TEST_CASE("queues against a naive reference on very many streams", "[.long]") {
  two_stacks_agree(30'000);
  with_an_inverse_they_agree(30'000);
}

TEST_CASE("with floating point nothing is left behind by an empty queue") {
  sluice::subtracting_queue<double, std::plus<>, std::minus<>> q;
  q.push(1e20);
  q.push(1);
  q.pop();
  q.pop();
  CHECK_FALSE(q.total());
  q.push(1);
  CHECK(q.total() == 1.0);
}

TEST_CASE("a value is combined a bounded number of times, however long the window") {
  for (std::size_t const window : {10u, 1'000u, 100'000u}) {
    std::uint64_t calls = 0;
    sluice::aggregate_queue<std::uint64_t, counting_max> q{counting_max{&calls}};
    for (std::size_t i = 0; i < window; ++i) q.push(i);
    calls = 0;
    auto const n = 3 * window;
    for (std::size_t i = 0; i < n; ++i) {
      q.pop();
      q.push(i);
      (void)q.total();
    }
    CHECK(calls <= 3 * n + window);
  }
}
