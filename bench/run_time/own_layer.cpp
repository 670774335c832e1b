// What the library itself costs for each record: a whole consumer over a client that has everything in memory, beside
// a loop that makes the same calls by hand. Both get librdkafka's messages by the array, read key, value and offset of
// each, and give each back. Arguments: records in a batch; partitions.
#include <sluice/stream_consumer.hpp>

#include <sluice/delivery/each.hpp>
#include <sluice/detail/wake.hpp>
#include <sluice/source/kafka_source.hpp>
#include <sluice/source/rdkafka_records.hpp>

#include <benchmark/benchmark.h>

#include <deque>

namespace sl = sluice;

namespace {

/// A partition that never ends: the same messages come round again under new offsets.
class shelf {
  static constexpr std::size_t room = 4096;
  std::string value_ = std::string(100, 'v');
  std::string key_ = "some key";
  std::vector<rd_kafka_message_t> messages_{room};
  std::int64_t next_ = 0;

 public:
  shelf() {
    for (auto& m : messages_) {
      m.payload = value_.data();
      m.len = value_.size();
      m.key = key_.data();
      m.key_len = key_.size();
    }
  }
  /// In the place of rd_kafka_consume_batch_queue.
  void consume(std::span<rd_kafka_message_t*> out) {
    for (auto& to : out) {
      auto& m = messages_[static_cast<std::size_t>(next_) % room];
      m.offset = next_++;
      to = &m;
    }
  }
};
/// In the place of rd_kafka_message_destroy.
void destroy(rd_kafka_message_t* m) { benchmark::DoNotOptimize(m->_private = nullptr); }

class client {
  struct group final : sl::group_positions {
    std::vector<sl::group_position> read(std::vector<sl::topic_partition> const& set, sl::time_point) override {
      return std::vector<sl::group_position>(set.size());
    }
    std::vector<sl::outcome> store(std::vector<sl::group_position> const& set, sl::time_point) override {
      return std::vector<sl::outcome>(set.size(), sl::outcome::applied);
    }
    void store_later(std::vector<sl::group_position> const&) override {}
    bool settled(std::string&) override { return true; }
    void abandon() override {}
    std::string group_metadata() override { return {}; }
  };
  struct partition {
    sl::topic_partition of{};
    shelf log{};
  };

  std::deque<partition> partitions_{};
  std::vector<rd_kafka_message_t*> fetched_{16384};
  group group_{};
  sl::detail::bell bell_{};

 public:
  std::optional<sl::client::event> poll() { return std::nullopt; }
  void subscribe(std::vector<std::string> const&) {}
  void assign(std::vector<sl::position> const&) {}
  void incremental_assign(std::vector<sl::position> const&) {}
  void incremental_unassign(std::vector<sl::topic_partition> const&) {}
  bool cooperative() const { return false; }
  std::size_t open_queue(sl::topic_partition const& of) {
    partitions_.push_back({of});
    return partitions_.size() - 1;
  }
  void close_queue(std::size_t) {}
  sl::client::taken take(std::size_t handle, std::span<sl::detail::message> out) {
    auto& p = partitions_[handle];
    sl::client::taken result;
    auto const some = std::span{fetched_}.first(std::min(out.size(), fetched_.size()));
    p.log.consume(some);
    sl::detail::translate<>(some, out, result);
    return result;
  }
  void release(std::span<sl::detail::message const> back) {
    for (auto const& m : back) destroy(sl::detail::native(m));
  }
  sl::detail::message_access const* access() const { return &sl::detail::rdkafka_access; }
  void reach(sl::time_point) {}
  sl::client::watermarks limits(std::size_t) const { return {sl::offset{0}, sl::offset{std::int64_t{1} << 62}, true}; }
  std::int32_t partition_count(std::string const&, sl::time_point) { return 64; }
  std::vector<sl::client::watermarks> ends(std::vector<sl::topic_partition> const& set, sl::time_point) {
    return std::vector<sl::client::watermarks>(set.size(), {sl::offset{0}, sl::offset{std::int64_t{1} << 62}, true});
  }
  std::vector<sl::offset> offsets_at(std::vector<sl::topic_partition> const& set, sl::wall_time, sl::time_point) {
    return std::vector<sl::offset>(set.size());
  }
  sl::group_positions& positions() { return group_; }
  void wait(sl::time_point by) { bell_.wait(by); }
  void wake() noexcept { bell_.ring(); }
  void wake_on(int fd) { bell_.also_on(fd); }
  bool spent() const { return false; }
  void renew() {}
  bool close(sl::time_point) { return true; }
};
static_assert(sl::client::kafka_client<client>);

struct in_memory {
  using slot = sl::source_slot;
  using runtime = sl::kafka_source<client>;
  static constexpr bool assigned_by_hand = true;

  std::vector<sl::topic_partition> partitions{};
  std::string brokers{}, group{};
  std::optional<sl::start_at> start{};
  sl::out_of_range on_out_of_range = sl::out_of_range::nearest;
  sl::position_error on_position_error = sl::position_error::stop;
  std::vector<sl::position> start_from{};
  std::map<std::string, std::string> properties{};
  std::chrono::milliseconds timeout{10'000};

  static runtime open(in_memory const& self, sl::context const&) {
    auto plan = sl::detail::plan_of(self);
    plan.by_hand = self.partitions;
    return runtime{std::move(plan)};
  }
};

struct nobody {
  using slot = sl::observer_slot;
};

std::uint64_t sum = 0;

void by_hand(benchmark::State& state) {
  auto const records = static_cast<std::size_t>(state.range(0)), partitions = static_cast<std::size_t>(state.range(1));
  std::vector<shelf> logs(partitions);
  std::vector<rd_kafka_message_t*> batch(records);
  for (auto _ : state) {
    for (std::size_t p = 0; p < partitions; ++p)
      logs[p].consume(std::span{batch}.subspan(p * records / partitions, records / partitions));
    for (auto const* m : batch)
      sum += static_cast<unsigned char>(*static_cast<char const*>(m->payload)) + m->len + m->key_len +
             static_cast<std::uint64_t>(m->offset);
    for (auto* m : batch) destroy(m);
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void look(sl::record r) {
  sum += static_cast<unsigned char>(r.text().front()) + r.value().size() + r.key().size() +
         static_cast<std::uint64_t>(r.offset().value());
}

template <class... More, class Handler>
void consume(benchmark::State& state, Handler handler) {
  std::vector<sl::topic_partition> partitions;
  for (std::int32_t p = 0; p < state.range(1); ++p) partitions.push_back({"t", p});
  sl::stream_consumer consumer{sl::at_least_once{}, sl::no_offsets<sl::from::earliest>{},
                               in_memory{.partitions = partitions},
                               sl::micro_batch{.max_records = static_cast<std::size_t>(state.range(0))}, More{}...};
  std::size_t records = 0;
  while (records == 0) records = consumer.step(handler).records;
  records = 0;
  for (auto _ : state) records += consumer.step(handler).records;
  benchmark::DoNotOptimize(sum);
  if (records != static_cast<std::size_t>(state.iterations() * state.range(0))) state.SkipWithError("short batches");
  state.SetItemsProcessed(static_cast<std::int64_t>(records));
}

void batches(benchmark::State& state) {
  consume(state, [](sl::batch const& b) {
    for (auto const& part : b.partitions())
      for (auto const& r : part) look(r);
  });
}
void flat_batches(benchmark::State& state) {
  consume(state, [](sl::batch const& b) {
    for (auto const& r : b) look(r);
  });
}
void each(benchmark::State& state) { consume(state, sl::each(look)); }
void with_observer(benchmark::State& state) { consume<nobody>(state, sl::each(look)); }

void sizes(benchmark::internal::Benchmark* b) {
  for (int const records : {1000, 8000})
    for (int const partitions : {1, 8}) b->Args({records, partitions});
}
BENCHMARK(by_hand)->Apply(sizes);
BENCHMARK(batches)->Apply(sizes);
BENCHMARK(flat_batches)->Apply(sizes);
BENCHMARK(each)->Apply(sizes);
BENCHMARK(with_observer)->Apply(sizes);

// For bench/instructions, which takes their difference.
void counted(benchmark::internal::Benchmark* b, int iterations) { b->Args({1000, 8})->Iterations(iterations); }
#define COUNTED(way)                                       \
  BENCHMARK(way)->Apply([](auto* b) { counted(b, 100); }); \
  BENCHMARK(way)->Apply([](auto* b) { counted(b, 1100); })
COUNTED(by_hand);
COUNTED(batches);
COUNTED(each);
COUNTED(with_observer);

}  // namespace

BENCHMARK_MAIN();
