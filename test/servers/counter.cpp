/// counter STORE BROKERS ADDRESS: one member of the group `counters-STORE`, which counts the keys of the topic `in` in one
/// transaction with the offsets, until SIGTERM. ADDRESS: PostgreSQL's connection string, Redis's port (its password is in
/// REDIS_PASSWORD), SQLite's file. With zookeeper-DELIVERY each record is a line of the file NOTES instead, PARTITION OFFSET
/// KEY, and ADDRESS is what zookeeper_offsets.servers takes.
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/redis.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/offset_store/zookeeper.hpp>
#include <sluice/sluice.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {

std::sig_atomic_t volatile asked_to_end = 0;

sl::kafka source(char const* brokers, std::string const& group) {
  return {.brokers = brokers,
          .group = group,
          .topics = {"in"},
          .properties = {{"session.timeout.ms", "2000"}, {"heartbeat.interval.ms", "400"}}};
}
constexpr sl::max_rate_per_partition rate{.records_per_second = 80};
constexpr sl::micro_batch cut{.max_records = 100};

template <class Store, class Count>
void run(char const* brokers, std::string const& group, Store const& store, Count count) {
  sl::stream_consumer consumer{
      sl::transactional{}, store, source(brokers, group), rate, cut, sl::retry<>{}, sl::log_to{&std::cerr},
  };
  while (!asked_to_end)
    consumer.step(
        [&](sl::batch const& batch, auto& tx) {
          for (sl::record r : batch) count(tx, r.key_text());
        },
        100ms);
  consumer.close(10s);
}

/// Each record is one write, which is there at once or not at all.
template <class Consumer>
void note(Consumer& consumer) {
  int const notes = ::open(std::getenv("NOTES"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  while (!asked_to_end)
    consumer.step(
        [&](sl::batch const& batch) {
          for (sl::record r : batch) {
            auto const line = std::to_string(r.partition()) + " " + std::to_string(r.offset().value()) + " " +
                              std::string{r.key_text()} + "\n";
            if (::write(notes, line.data(), line.size()) < 0) std::abort();
          }
        },
        100ms);
  consumer.close(10s);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::signal(SIGTERM, [](int) { asked_to_end = 1; });
  std::string const store = argv[1], address = argv[3];
  constexpr auto count = "insert into hits values ($1, 1) on conflict (name) do update set n = hits.n + 1";
  try {
    if (store == "postgres")
      run(argv[2], "counters-" + store,
          sl::postgres_offsets{.connection = address, .idle_in_transaction_timeout = 1500ms},
          [&](auto& tx, std::string_view key) { tx.execute(count, key); });
    if (store == "redis")
      run(argv[2], "counters-" + store,
          sl::redis_offsets{.host = "127.0.0.1", .port = std::stoi(address), .password_variable = "REDIS_PASSWORD"},
          [](auto& tx, std::string_view key) { tx.hincr_by("hits", key, 1); });
    if (store == "sqlite")
      run(argv[2], "counters-" + store, sl::sqlite_offsets{.path = address},
          [&](auto& tx, std::string_view key) { tx.execute(count, key); });
    auto const at = [&] { return source(argv[2], "counters-" + store); };
    if (store == "zookeeper-at_least_once") {
      sl::stream_consumer consumer{
          sl::at_least_once{},   sl::zookeeper_offsets{.servers = address}, at(), rate, cut, sl::retry<>{},
          sl::log_to{&std::cerr}};
      note(consumer);
    }
    if (store == "zookeeper-at_most_once") {
      sl::stream_consumer consumer{sl::at_most_once{},    sl::zookeeper_offsets{.servers = address}, at(), rate, cut,
                                   sl::log_to{&std::cerr}};
      note(consumer);
    }
  } catch (std::exception const& e) {
    std::cerr << "counter: " << e.what() << '\n';
    return 1;
  }
}
