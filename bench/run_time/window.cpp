/// \file window.cpp  What a moving window costs for each record: one value leaves, one enters, the total is asked for.
#include <sluice/window/aggregate_queue.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>

namespace {

struct larger {
  std::int64_t operator()(std::int64_t a, std::int64_t b) const { return std::max(a, b); }
};

/// Values that are not sorted, and cost nothing to make.
struct values {
  std::uint64_t state = 88172645463325252u;
  std::int64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<std::int64_t>(state >> 1);
  }
};

template <class Queue>
void moves(benchmark::State& state, Queue queue) {
  values v;
  for (std::int64_t i = 0; i < state.range(0); ++i) queue.push(v.next());
  for (auto _ : state) {
    queue.pop();
    queue.push(v.next());
    auto total = queue.total();
    benchmark::DoNotOptimize(total);
  }
}

void two_stacks(benchmark::State& state) { moves(state, sluice::aggregate_queue<std::int64_t, larger>{}); }
void with_inverse(benchmark::State& state) {
  moves(state, sluice::subtracting_queue<std::int64_t, std::plus<>, std::minus<>>{});
}
/// All of the window again each time.
void naive(benchmark::State& state) {
  values v;
  std::deque<std::int64_t> window;
  for (std::int64_t i = 0; i < state.range(0); ++i) window.push_back(v.next());
  for (auto _ : state) {
    window.pop_front();
    window.push_back(v.next());
    auto total = *std::max_element(window.begin(), window.end());
    benchmark::DoNotOptimize(total);
  }
}

BENCHMARK(two_stacks)->RangeMultiplier(10)->Range(10, 1'000'000);
BENCHMARK(with_inverse)->RangeMultiplier(10)->Range(10, 1'000'000);
BENCHMARK(naive)->RangeMultiplier(10)->Range(10, 10'000);

}  // namespace

BENCHMARK_MAIN();
