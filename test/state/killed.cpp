// Keyed counts in SQLite through kill -9, against a count that does not use the library.
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>
#include <sluice/testing/embedded_broker.hpp>
#include <sluice/window/over_batches.hpp>

#include <csignal>
#include <cstdlib>
#include <map>

#include "kept_counts.hpp"
#include "seed.hpp"
#include "servers/process.hpp"

namespace {

using counts_by_key = kept_counts::counts_by_key;

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

/// What a child does: counts until all is counted, or it is killed.
void count_on() {
  killer may_kill{std::atol(from_environment("SLUICE_KILL_AT").c_str())};
  auto const total = std::atol(from_environment("SLUICE_TOTAL").c_str());
  std::vector<sl::topic_partition> partitions;
  for (int p = std::atoi(from_environment("SLUICE_PARTITIONS").c_str()); p-- > 0;) partitions.push_back({"t", p});
  sl::keyed_state<std::string, std::int64_t> counts{.name = "counts", .max_bytes = 100'000};
  sl::stream_consumer consumer{
      sl::transactional{},
      sl::sqlite_offsets{from_environment("SLUICE_FILE")},
      sl::kafka_partitions{.brokers = from_environment("SLUICE_BROKERS"), .group = "counts", .partitions = partitions},
      sl::micro_batch{.max_records = 300},
      watcher{&may_kill},
  };
  for (std::int64_t at = 0; at < total;) {
    consumer.step(
        [&](sl::batch const& b, sl::sqlite_transaction& tx) {
          may_kill();
          counts.update(b, tx, kept_counts::key_of, [&](auto records, auto& n) {
            kept_counts::add(records, n);
            may_kill();
          });
          may_kill();
        },
        std::chrono::milliseconds{100});
    at = 0;
    for (auto const& p : consumer.positions()) at += p.next.value();
  }
}

void killed_and_exact(std::size_t records, std::size_t keys, int kills, std::uint64_t widest) {
  std::mt19937 random{seed()};
  sl::testing::embedded_broker broker;
  auto const partitions = std::max<std::size_t>(2, records / 20'000);  // the embedded broker keeps 5 MB of each
  broker.create_topic("t", static_cast<int>(partitions));
  counts_by_key wanted;
  std::vector<std::vector<sl::testing::produced>> parts(partitions);
  for (std::size_t i = 0; i < records; ++i) {
    auto const key = "key " + std::to_string(random() % keys);
    ++wanted[key];
    parts[random() % partitions].push_back({.key = key, .value = "v"});
  }
  for (std::size_t p = 0; p < partitions; ++p) broker.produce_all("t", static_cast<int>(p), parts[p]);
  kept_counts::outside_with_file o;
  auto const file = o.in / "killed.db";
  o.store.path = file;
  int killed = 0;
  for (bool ended = false; !ended;) {
    auto const at = killed < kills ? 1 + random() % widest : 0;
    servers::process child{
        {"/proc/self/exe", "[child]"},
        o.in / "log",
        {"SLUICE_FILE=" + file, "SLUICE_BROKERS=" + broker.bootstrap(), "SLUICE_TOTAL=" + std::to_string(records),
         "SLUICE_PARTITIONS=" + std::to_string(partitions), "SLUICE_KILL_AT=" + std::to_string(at)}};
    int status = 0;
    ::waitpid(child.pid(), &status, 0);
    ended = WIFEXITED(status);
    INFO(child.log());
    REQUIRE((ended ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL));
    killed += !ended;
  }
  CHECK(killed >= std::min(kills, 3));
  bool const exact = o.counts() == wanted;
  CHECK(exact);
}

}  // namespace

TEST_CASE("a child of the test below", "[.child]") {
  if (!from_environment("SLUICE_FILE").empty()) count_on();
}

TEST_CASE("keyed counts are exact through kill -9") { killed_and_exact(6'000, 700, 5, 2'000); }

TEST_CASE("keyed counts are exact through many kills", "[.long]") { killed_and_exact(400'000, 40'000, 100, 12'000); }
