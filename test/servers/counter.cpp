/// counter STORE BROKERS ADDRESS: one member of the group `counters-STORE`, which counts the keys of the topic `in` in one
/// transaction with the offsets, until SIGTERM. ADDRESS: PostgreSQL's connection string, MariaDB's or
/// Redis's port (the password is in PASSWORD), SQLite's file.
#include <sluice/offset_store/mysql.hpp>
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/redis.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>

#include <csignal>
#include <iostream>

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {

std::sig_atomic_t volatile asked_to_end = 0;

template <class Store, class Count>
void run(char const* brokers, std::string const& group, Store const& store, Count count) {
  sl::stream_consumer consumer{
      sl::transactional{},
      store,
      sl::kafka{.brokers = brokers,
                .group = group,
                .topics = {"in"},
                .properties = {{"session.timeout.ms", "2000"}, {"heartbeat.interval.ms", "400"}}},
      sl::max_rate_per_partition{.records_per_second = 80},
      sl::micro_batch{.max_records = 100},
      sl::retry<>{},
      sl::log_to{&std::cerr},
  };
  while (!asked_to_end)
    consumer.step(
        [&](sl::batch const& batch, auto& tx) {
          for (sl::record r : batch) count(tx, r.key_text());
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
    if (store == "mysql")
      run(argv[2], "counters-" + store,
          sl::mysql_offsets{.host = "127.0.0.1",
                            .port = std::stoi(address),
                            .user = "owner",
                            .password_variable = "PASSWORD",
                            .database = "counts",
                            .idle_transaction_timeout = 1s},
          [](auto& tx, std::string_view key) {
            tx.execute("insert into hits values (?, 1) on duplicate key update n = n + 1", key);
          });
    if (store == "redis")
      run(argv[2], "counters-" + store,
          sl::redis_offsets{.host = "127.0.0.1", .port = std::stoi(address), .password_variable = "PASSWORD"},
          [](auto& tx, std::string_view key) { tx.hincr_by("hits", key, 1); });
    if (store == "sqlite")
      run(argv[2], "counters-" + store, sl::sqlite_offsets{.path = address},
          [&](auto& tx, std::string_view key) { tx.execute(count, key); });
  } catch (std::exception const& e) {
    std::cerr << "counter: " << e.what() << '\n';
    return 1;
  }
}
