#include <sluice/state/checkpoint.hpp>
#include <sluice/window/over_batches.hpp>

#include <csignal>
#include <cstdlib>

#include "../offset_store/checkpoint_support.hpp"
#include "scripted_consumer.hpp"
#include "seed.hpp"
#include "servers/process.hpp"
#include "state_cases.hpp"

#include <sluice/sluice.hpp>
#include <sluice/testing/embedded_broker.hpp>

namespace {

using namespace scripted;
using counts_by_key = std::map<std::string, std::int64_t>;
using counter = sl::keyed_state<std::string, std::int64_t>;

auto const key_of = [](sl::record r) { return r.key_text(); };
auto const add = [](auto records, std::optional<std::int64_t>& n) { n = n.value_or(0) + std::ssize(records); };

counts_by_key counts_in(std::string const& folder, std::string const& group) {
  counts_by_key all;
  sl::for_each_state<std::string, std::int64_t>(
      {.directory = folder}, {.group = group}, "counts",
      [&](auto const&, std::string const& key, std::int64_t n) { all[key] += n; });
  return all;
}

template <class Delivery, class Handler>
void run(outside& o, sl::checkpoint const& store, Handler handler, sl::micro_batch batching = {}) {
  sl::stream_consumer<Delivery, sl::checkpoint, source, manual_clock, sl::micro_batch> c{
      o.reading(), store, manual_clock{&o.world}, batching};
  o.world.assign({p0, p1});
  drain_log(c, handler);
}

}  // namespace

TEST_CASE("a checkpoint holds state") { state_cases::hold<checkpoint_fixture>(); }

TEST_CASE("a consumer's counts and windows go on from its checkpoint") {
  temporary_folder folder;
  sl::checkpoint const store{.directory = folder.name()};
  outside o{2};
  std::int64_t windowed = 0, produced = 0;
  auto window = [&] {
    return sl::count_by_window(sl::batch_window{.name = "w", .size = 3s},
                               [&](sl::window_span const&, std::int64_t n) { windowed += n; });
  };
  for (int round = 1; round <= 3; ++round) {
    o.world.produce(p0, 30);
    o.world.produce(p1, 20);
    counter counts{.name = "counts"};
    run<sl::transactional>(
        o, store, sl::update_state_by_key(counts, [](sl::record r) { return std::to_string(r.partition()); }, add));
    CHECK(counts_in(folder.name(), "g") == counts_by_key{{"0", 30 * round}, {"1", 20 * round}});
  }
  for (int round = 0; round < 3; ++round) {
    sl::stream_consumer<sl::transactional, sl::checkpoint, source, manual_clock, sl::micro_batch> c{
        o.reading(), store, manual_clock{&o.world}, sl::micro_batch{.interval = 1s}};
    o.world.assign({p0, p1});
    for (int i = 0; i < 5; ++i) {
      o.world.produce(i % 2 ? p0 : p1, 10);
      produced += 10;
      steps(c, window(), 1);
    }
    if (round == 2) steps(c, window(), 10);
  }
  CHECK(windowed == produced);
}

TEST_CASE("a checkpoint serves the deliveries without a transaction too") {
  temporary_folder folder;
  sl::checkpoint store{.directory = folder.name()};
  outside o{2};
  std::vector<effect> seen;
  auto const see = [&](sl::batch const& b) { recorder{seen}(b); };
  o.world.produce(p0, 7);
  run<sl::at_least_once>(o, store, see);
  o.world.produce(p0, 3);
  run<sl::at_most_once>(o, store, see);
  o.world.produce(p0, 2);
  store.interval = std::chrono::hours{1};
  run<sl::at_least_once>(o, store, see);
  CHECK(offsets_of(p0, seen) == upto(12));
  CHECK(code_of([&] { run<sl::at_most_once>(o, store, see); }) == sl::errc::bad_configuration);
  store.interval = {};
  o.world.produce(p0, 1);
  run<sl::idempotent>(o, store, sl::assume_idempotent(see));
  CHECK(offsets_of(p0, seen) == upto(13));
}

// ---- kill -9

namespace {

std::string from_environment(char const* name) {
  auto const* value = std::getenv(name);
  return value ? value : "";
}

/// Ends the process at its n-th call, wherever that is.
struct killer {
  long left;
  void operator()() {
    if (left > 0 && --left == 0) ::raise(SIGKILL);
  }
};
struct watcher {
  using slot = sl::observer_slot;
  killer* may_kill;
  void on_advancing(sl::advance_event const&) { (*may_kill)(); }
  void on_advanced(sl::advance_event const&) { (*may_kill)(); }
  void on_batch(sl::batch_event const&) { (*may_kill)(); }
};

void count_on() {
  killer may_kill{std::atol(from_environment("SLUICE_KILL_AT").c_str())};
  auto const total = std::atol(from_environment("SLUICE_TOTAL").c_str());
  std::chrono::milliseconds const interval{std::atol(from_environment("SLUICE_INTERVAL").c_str())};
  counter counts{.name = "counts", .max_bytes = 100'000};
  sl::stream_consumer consumer{
      sl::transactional{},
      sl::checkpoint{.directory = from_environment("SLUICE_FOLDER"), .interval = interval, .max_cache = 50'000},
      sl::kafka_partitions{
          .brokers = from_environment("SLUICE_BROKERS"), .group = "counts", .partitions = {{"t", 0}, {"t", 1}}},
      sl::micro_batch{.max_records = 200},
      watcher{&may_kill},
  };
  for (std::int64_t at = 0; at < total;) {
    consumer.step(
        [&](sl::batch const& b, sl::checkpoint_transaction& tx) {
          may_kill();
          counts.update(b, tx, key_of, [&](auto records, auto& n) {
            add(records, n);
            may_kill();
          });
          may_kill();
        },
        std::chrono::milliseconds{100});
    at = 0;
    for (auto const& p : consumer.positions()) at += p.next.value();
  }
}

void killed_and_exact(std::size_t records, std::size_t keys, int kills, std::uint64_t widest, int interval) {
  std::mt19937 random{seed()};
  sl::testing::embedded_broker broker;
  broker.create_topic("t", 2);
  counts_by_key wanted;
  std::vector<std::vector<sl::testing::produced>> parts(2);
  for (std::size_t i = 0; i < records; ++i) {
    auto const key = "key " + std::to_string(random() % keys);
    ++wanted[key];
    parts[random() % 2].push_back({.key = key, .value = "v"});
  }
  for (int p = 0; p < 2; ++p) broker.produce_all("t", p, parts[static_cast<std::size_t>(p)]);
  temporary_folder in;
  auto const folder = in.path / "checkpoint";
  fs::create_directory(folder);
  int killed = 0;
  for (bool over = false; !over;) {
    auto const at = killed < kills ? 1 + random() % widest : 0;
    servers::process child{{"/proc/self/exe", "[child]"},
                           (in.path / "log").string(),
                           {"SLUICE_FOLDER=" + folder.string(), "SLUICE_BROKERS=" + broker.bootstrap(),
                            "SLUICE_TOTAL=" + std::to_string(records), "SLUICE_KILL_AT=" + std::to_string(at),
                            "SLUICE_INTERVAL=" + std::to_string(interval)}};
    int status = 0;
    ::waitpid(child.pid(), &status, 0);
    over = WIFEXITED(status);
    INFO(child.log());
    REQUIRE((over ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL));
    killed += !over;
  }
  CHECK(killed >= std::min(kills, 3));
  CHECK(counts_in(folder.string(), "counts") == wanted);
}

}  // namespace

TEST_CASE("a child of the tests below", "[.child]") {
  if (!from_environment("SLUICE_FOLDER").empty()) count_on();
}

TEST_CASE("keyed counts in a checkpoint are exact through kill -9, with an interval too") {
  killed_and_exact(6'000, 700, 5, 2'000, GENERATE(0, 20));
}

TEST_CASE("keyed counts in a checkpoint are exact through many kills", "[.long]") {
  killed_and_exact(1'000'000, 100'000, 100, 40'000, 0);
}
