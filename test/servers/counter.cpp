/// counter STORE BROKERS ADDRESS [FILE]: one member of the group `counters-STORE`, which counts the keys of the topic `in` until
/// SIGTERM: in one transaction with the offsets, or as rows of the SQLite database FILE that repetition can't harm, or
/// (zookeeper-DELIVERY) as lines of the file NOTES, PARTITION OFFSET KEY. ADDRESS: PostgreSQL's connection string, MariaDB's
/// or Redis's port (the password is in PASSWORD), SQLite's file, the folder of file_offsets, S3's endpoint (its keys are in
/// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), WebHDFS's or HBase's address, ZooKeeper's servers; of periodic_kafka no matter
/// what. When the file STOP_AT is there it goes, and the member stops (SIGSTOP) with a batch in hand that it has not begun; it
/// prints "stands still with TOPIC/PARTITION…" before that, and "TOPIC/PARTITION: refused" for each advance that is.
#include <sluice/offset_store/file.hpp>
#include <sluice/offset_store/hbase.hpp>
#include <sluice/offset_store/mysql.hpp>
#include <sluice/offset_store/periodic_kafka.hpp>
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/redis.hpp>
#include <sluice/offset_store/s3.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/offset_store/webhdfs.hpp>
#include <sluice/offset_store/zookeeper.hpp>
#include <sluice/output/sqlite.hpp>
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

/// max_rate_per_partition, and stops when it is asked to, with records that were taken just now.
struct stopping_rate {
  using slot = sl::rate_limit_slot;
  sl::max_rate_per_partition limit{};

  class runtime {
    sl::max_rate_per_partition::runtime limit_;
    char const* stop_at_ = std::getenv("STOP_AT");

   public:
    runtime(sl::max_rate_per_partition const& limit, sl::context const& c) : limit_(limit.open(limit, c)) {}
    void allow(sl::time_point now, std::span<sl::load const> loads, std::span<std::size_t> quota) {
      limit_.allow(now, loads, quota);
    }
    void taken(sl::time_point now, std::span<sl::load const> loads, std::span<std::size_t const> took) {
      limit_.taken(now, loads, took);
      std::string with;
      for (std::size_t i = 0; i < loads.size(); ++i)
        if (took[i] != 0) with += " " + to_string(*loads[i].of);
      if (with.empty() || !stop_at_ || ::unlink(stop_at_) != 0) return;
      std::cerr << "stands still with" + with + "\n";
      ::raise(SIGSTOP);
    }
    void completed(sl::batch_figures const& f) { limit_.completed(f); }
  };
  static runtime open(stopping_rate const& self, sl::context const& c) { return {self.limit, c}; }
};

struct lines : sl::log_to {
  using runtime = lines;
  static lines open(lines const& self, sl::context const& c) {
    sl::log_to::open(self, c);
    return self;
  }
  void on_advanced(sl::advance_event const& e) const {
    for (std::size_t i = 0; i < e.moves.size(); ++i)
      if (e.outcomes[i] == sl::outcome::refused) *out << to_string(e.moves[i].of) + ": refused\n";
  }
};

template <class Delivery, class OnFailure, class Store, class Handler>
void consume(Delivery delivery, OnFailure on_failure, char const* brokers, std::string const& group, Store const& store,
             Handler&& handler) {
  sl::stream_consumer consumer{
      delivery,
      store,
      sl::kafka{.brokers = brokers,
                .group = group,
                .topics = {"in"},
                .properties = {{"session.timeout.ms", "2000"}, {"heartbeat.interval.ms", "400"}}},
      stopping_rate{{.records_per_second = 80}},
      sl::micro_batch{.max_records = 100},
      on_failure,
      lines{{&std::cerr}},
  };
  while (!asked_to_end) consumer.step(handler, 100ms);
  consumer.close(10s);
}

template <class Store, class Count>
void run(char const* brokers, std::string const& group, Store const& store, Count count) {
  consume(sl::transactional{}, sl::retry<>{}, brokers, group, store, [&](sl::batch const& batch, auto& tx) {
    for (sl::record r : batch) count(tx, r.key_text());
  });
}

template <class Store>
void keep_rows(char const* brokers, std::string const& group, Store const& store, std::string const& file) {
  sl::sqlite_insert out{{.path = file, .table = "hits", .columns = {"name"}},
                        [](sl::record r, auto& row) { row(r.key_text()); }};
  consume(sl::idempotent{}, sl::retry<>{}, brokers, group, store, out);
}

/// Each record is one write, which is there at once or not at all.
class notes {
  int file_ = ::open(std::getenv("NOTES"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

 public:
  void operator()(sl::batch const& batch) const {
    for (sl::record r : batch) {
      auto const line = std::to_string(r.partition()) + " " + std::to_string(r.offset().value()) + " " +
                        std::string{r.key_text()} + "\n";
      if (::write(file_, line.data(), line.size()) < 0) std::abort();
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return 2;
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
    if (store == "lossy_redis")
      run(argv[2], "counters-" + store,
          sl::lossy_redis_offsets{.host = "127.0.0.1", .port = std::stoi(address), .password_variable = "PASSWORD"},
          [](auto& tx, std::string_view key) { tx.hincr_by("hits", key, 1); });
    if (store == "redis")
      run(argv[2], "counters-" + store,
          sl::redis_offsets{.host = "127.0.0.1", .port = std::stoi(address), .password_variable = "PASSWORD"},
          [](auto& tx, std::string_view key) { tx.hincr_by("hits", key, 1); });
    if (store == "sqlite")
      run(argv[2], "counters-" + store, sl::sqlite_offsets{.path = address},
          [&](auto& tx, std::string_view key) { tx.execute(count, key); });
    if (store == "file") keep_rows(argv[2], "counters-" + store, sl::file_offsets{.directory = address}, argv[4]);
    if (store == "periodic_kafka")
      keep_rows(argv[2], "counters-" + store, sl::periodic_kafka_offsets{.interval = 500ms}, argv[4]);
    if (store == "s3")
      keep_rows(argv[2], "counters-" + store,
                sl::s3_offsets{.bucket = "offsets", .endpoint = address, .path_style = true}, argv[4]);
    if (store == "webhdfs")
      keep_rows(argv[2], "counters-" + store,
                sl::webhdfs_offsets{.address = address, .directory = "/counters", .user = "sluice"}, argv[4]);
    if (store == "hbase") keep_rows(argv[2], "counters-" + store, sl::hbase_offsets{.address = address}, argv[4]);
    auto const zookeeper = sl::zookeeper_offsets{.servers = address};
    if (store == "zookeeper-at_least_once")
      consume(sl::at_least_once{}, sl::retry<>{}, argv[2], "counters-" + store, zookeeper, notes{});
    if (store == "zookeeper-at_most_once")
      consume(sl::at_most_once{}, sl::stop{}, argv[2], "counters-" + store, zookeeper, notes{});
  } catch (std::exception const& e) {
    std::cerr << "counter: " << e.what() << '\n';
    return 1;
  }
}
