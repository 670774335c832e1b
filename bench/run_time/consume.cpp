// What a record costs its reader once librdkafka has fetched it: librdkafka's ways to read, and rdkafka_client on top
// of one of them. Items are records; the time is the reading thread's processor time in the calls alone.
#include <sluice/source/rdkafka_client.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include <benchmark/benchmark.h>

#include <ctime>
#include <thread>

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {

constexpr std::int32_t partitions = 8;
constexpr std::size_t in_each = 40'000;
constexpr std::size_t total = partitions * in_each;
constexpr std::size_t at_once = 1000;

sl::testing::embedded_broker& broker() {
  static auto& filled = *[] {
    auto* b = new sl::testing::embedded_broker;
    b->create_topic("t", partitions);
    std::vector<sl::testing::produced> const all(in_each, {.value = std::string(100, 'x')});
    for (std::int32_t p = 0; p < partitions; ++p) b->produce_all("t", p, all);
    return b;
  }();
  return filled;
}

sl::rdkafka_settings settings() {
  return {.brokers = broker().bootstrap(),
          .group = "bench",
          .subscribe = false,
          .max_buffered = 1 << 30,
          .expected_partitions = partitions};
}

std::vector<sl::position> all_from_start() {
  std::vector<sl::position> from;
  for (std::int32_t p = 0; p < partitions; ++p) from.push_back({{"t", p}, sl::offset{0}});
  return from;
}

/// Until all is fetched, as far as can be told from outside.
void prefetch() { std::this_thread::sleep_for(1500ms); }

double thread_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Calls `read`, which answers how many records it got, until all were had; the time of the calls that brought some.
template <class Read>
void measure(benchmark::State& state, Read read) {
  double spent = 0;
  auto const by = std::chrono::steady_clock::now() + 20s;
  for (std::size_t got = 0; got < total;) {
    auto const start = thread_seconds();
    auto const n = read();
    if (n > 0) spent += thread_seconds() - start;
    got += n;
    if (n == 0 && std::chrono::steady_clock::now() > by) return state.SkipWithError("records are missing");
  }
  state.SetIterationTime(spent);
}

struct raw {
  sl::detail::rdkafka_instance instance{settings(), std::make_shared<sl::detail::bell>()};
  std::vector<sl::detail::rdkafka_queue> queues{};
  std::size_t next = 0;
  std::int64_t sum = 0;

  explicit raw(bool apart) {
    for (std::int32_t p = 0; apart && p < partitions; ++p) {
      queues.emplace_back(rd_kafka_queue_get_partition(instance.client, "t", p));
      rd_kafka_queue_forward(queues.back().get(), nullptr);
    }
    rd_kafka_assign(instance.client, sl::detail::to_rdkafka(all_from_start()).get());
    prefetch();
  }
  ~raw() { benchmark::DoNotOptimize(sum); }
  raw(raw const&) = delete;
  raw& operator=(raw const&) = delete;
  rd_kafka_queue_t* turn() { return queues[next++ % queues.size()].get(); }
};

void consumer_poll(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    raw r{false};
    measure(state, [&] {
      std::size_t n = 0;
      for (; n < at_once; ++n) {
        auto* m = rd_kafka_consumer_poll(r.instance.client, 0);
        if (!m) break;
        r.sum += m->offset;
        rd_kafka_message_destroy(m);
      }
      return n;
    });
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(total));
}

void consume_batch_queue(benchmark::State& state) {
  std::vector<rd_kafka_message_t*> some(at_once);
  for ([[maybe_unused]] auto _ : state) {
    raw r{true};
    measure(state, [&] {
      auto* queue = r.turn();
      auto const ready = std::min(rd_kafka_queue_length(queue), some.size());
      if (ready == 0) return std::size_t{0};
      auto const n = static_cast<std::size_t>(rd_kafka_consume_batch_queue(queue, 0, some.data(), ready));
      for (std::size_t i = 0; i < n; ++i) r.sum += some[i]->offset;
      for (std::size_t i = 0; i < n; ++i) rd_kafka_message_destroy(some[i]);
      return n;
    });
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(total));
}

void consume_callback_queue(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    raw r{true};
    measure(state, [&] {
      auto* queue = r.turn();
      if (rd_kafka_queue_length(queue) == 0) return std::size_t{0};
      auto const add = [](rd_kafka_message_t* m, void* self) { static_cast<raw*>(self)->sum += m->offset; };
      auto const n = rd_kafka_consume_callback_queue(queue, 0, add, &r);
      return n > 0 ? static_cast<std::size_t>(n) : 0;
    });
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(total));
}

void rdkafka_client(benchmark::State& state) {
  std::vector<sl::detail::message> some(at_once);
  for ([[maybe_unused]] auto _ : state) {
    sl::rdkafka_client client{settings()};
    std::vector<std::size_t> queues;
    for (auto const& p : all_from_start()) queues.push_back(client.open_queue(p.of));
    client.assign(all_from_start());
    prefetch();
    std::size_t next = 0;
    std::int64_t sum = 0;
    measure(state, [&] {
      auto const n = client.take(queues[next++ % queues.size()], some).count;
      for (std::size_t i = 0; i < n; ++i) sum += some[i].at;
      client.release({some.data(), n});
      return n;
    });
    benchmark::DoNotOptimize(sum);
    client.close(std::chrono::steady_clock::now() + 5s);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(total));
}

}  // namespace

BENCHMARK(consumer_poll)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK(consume_batch_queue)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK(consume_callback_queue)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK(rdkafka_client)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);

BENCHMARK_MAIN();
