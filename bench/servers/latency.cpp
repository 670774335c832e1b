// latency BROKERS POSTGRES REDIS MARIADB ZOOKEEPER S3 WEBHDFS HBASE [SECONDS]: from produce to handled at 1,000 records a second, beside a loop by hand.
#include <sluice/offset_store/hbase.hpp>
#include <sluice/offset_store/mysql.hpp>
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/redis.hpp>
#include <sluice/offset_store/s3.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/offset_store/webhdfs.hpp>
#include <sluice/offset_store/zookeeper.hpp>
#include <sluice/sluice.hpp>

#include <cstring>
#include <filesystem>
#include <thread>

#include "by_hand.hpp"
#include "contenders.hpp"
#include "servers/kafka_topics.hpp"

using namespace contenders;
using namespace std::chrono_literals;
namespace sl = sluice;

namespace {

constexpr int partitions = 8;
constexpr auto warm_up = 2s;
using clock_type = std::chrono::steady_clock;

std::int64_t now() { return clock_type::now().time_since_epoch().count(); }

/// Milliseconds: median and 99th percentile; then the share of a core.
class delays {
  std::vector<double> all_{};
  std::int64_t begun_ = now() + std::chrono::nanoseconds{warm_up}.count();
  double processor_ = -1;

 public:
  void add(void const* value, std::int64_t at) {
    std::int64_t sent = 0;
    std::memcpy(&sent, value, sizeof sent);
    if (sent < begun_) return;
    if (processor_ < 0) processor_ = processor_seconds();
    all_.push_back(static_cast<double>(at - sent) / 1e6);
  }
  figures found(double seconds) {
    std::sort(all_.begin(), all_.end());
    if (all_.size() < 500) throw std::runtime_error("too few records");
    return {all_[all_.size() / 2], all_[all_.size() * 99 / 100], (processor_seconds() - processor_) / seconds};
  }
};

/// Sends the time, 1,000 times a second, until it is destroyed. On a thread of the contender's own parent.
class source {
  std::jthread thread_;

 public:
  source(std::string brokers, std::string topic)
      : thread_{[brokers = std::move(brokers), topic = std::move(topic)](std::stop_token const& stop) {
          auto* conf = rd_kafka_conf_new();
          rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), nullptr, 0);
          rd_kafka_conf_set(conf, "linger.ms", "0", nullptr, 0);
          auto* const producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
          auto next = clock_type::now();
          for (int i = 0; !stop.stop_requested(); ++i) {
            std::this_thread::sleep_until(next += 1ms);
            auto sent = now();
            rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(i % partitions),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(&sent, sizeof sent),
                              RD_KAFKA_V_END);
            rd_kafka_poll(producer, 0);
          }
          rd_kafka_flush(producer, 5000);
          rd_kafka_destroy(producer);
        }} {}
};

figures by_hand(arguments const& a) {
  auto const seconds = std::stod(a.at(2));
  reader_by_hand reader{a.at(0), a.at(1), partitions};
  delays all;
  for (auto const until = clock_type::now() + warm_up + std::chrono::duration<double>(seconds);
       clock_type::now() < until;)
    reader.step([&](rd_kafka_message_t** messages, std::size_t n) {
      auto const at = now();
      for (std::size_t i = 0; i < n; ++i) all.add(messages[i]->payload, at);
    });
  return all.found(seconds);
}

template <class Store>
figures with_store(arguments const& a, Store const& store) {
  auto const seconds = std::stod(a.at(2));
  sl::stream_consumer consumer{sl::at_least_once{}, store,
                               sl::kafka{.brokers = a.at(0), .group = a.at(1), .topics = {a.at(1)}}};
  delays all;
  for (auto const until = clock_type::now() + warm_up + std::chrono::duration<double>(seconds);
       clock_type::now() < until;)
    consumer.step(
        [&](sl::batch const& batch) {
          auto const at = now();
          for (sl::record r : batch) all.add(r.value().data(), at);
        },
        100ms);
  return all.found(seconds);
}

/// Before and behind the last `c`.
std::pair<std::string, std::string> split(std::string const& text, char c) {
  auto const at = text.rfind(c);
  return {text.substr(0, at), text.substr(at + 1)};
}

std::vector<contender> const all{
    {"queues and an eventfd by hand", by_hand},
    {"no_offsets<from::earliest>", [](auto const& a) { return with_store(a, sl::no_offsets<sl::from::earliest>{}); }},
    {"kafka_offsets", [](auto const& a) { return with_store(a, sl::kafka_offsets{}); }},
    {"periodic_kafka_offsets", [](auto const& a) { return with_store(a, sl::periodic_kafka_offsets{}); }},
    {"sqlite_offsets",
     [](auto const& a) { return with_store(a, sl::sqlite_offsets{.path = a.at(3) + "/offsets.db"}); }},
    {"file_offsets", [](auto const& a) { return with_store(a, sl::file_offsets{.directory = a.at(3)}); }},
    {"postgres_offsets", [](auto const& a) { return with_store(a, sl::postgres_offsets{.connection = a.at(4)}); }},
    {"redis_offsets",
     [](auto const& a) {
       auto const [host, port] = split(a.at(5), ':');
       return with_store(
           a, sl::redis_offsets{.host = host, .port = std::stoi(port), .password_variable = "REDIS_PASSWORD"});
     }},
    {"mysql_offsets",
     [](auto const& a) {
       auto const [server, database] = split(a.at(6), '/');
       auto const [login, port] = split(server, ':');
       auto const [user, host] = split(login, '@');
       return with_store(a, sl::mysql_offsets{.host = host,
                                              .port = std::stoi(port),
                                              .user = user,
                                              .password_variable = "MYSQL_PWD",
                                              .database = database});
     }},
    {"zookeeper_offsets", [](auto const& a) { return with_store(a, sl::zookeeper_offsets{.servers = a.at(7)}); }},
    {"s3_offsets",
     [](auto const& a) {
       auto const [endpoint, bucket] = split(a.at(8), '/');
       return with_store(a, sl::s3_offsets{.bucket = bucket, .endpoint = endpoint, .path_style = true});
     }},
    {"webhdfs_offsets",
     [](auto const& a) {
       auto const [address, directory] = split(a.at(9), '/');
       return with_store(a, sl::webhdfs_offsets{.address = address, .directory = "/" + directory, .user = "course"});
     }},
    {"hbase_offsets",
     [](auto const& a) {
       auto const [address, table] = split(a.at(10), '/');
       return with_store(a, sl::hbase_offsets{.address = address, .table = table});
     }},
};

}  // namespace

int main(int argc, char** argv) {
  if (was_child(argc, argv, all)) return 0;
  if (argc < 9) {
    fmt::print(stderr, "latency BROKERS POSTGRES REDIS MARIADB ZOOKEEPER S3 WEBHDFS HBASE [SECONDS]\n");
    return 2;
  }
  std::string const brokers = argv[1], seconds = argc > 9 ? argv[9] : "10";
  servers::kafka_topics const topics{brokers};
  fmt::print("1,000 records/s over {} partitions, {} s each, librdkafka {}\n", partitions, seconds,
             rd_kafka_version_str());
  fmt::print("{:32} {:>10} {:>10} {:>14}\n", "", "median ms", "99 % ms", "of a core");
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto const topic = "latency-" + std::to_string(i);
    topics.create(topic, partitions);
    char folder[] = "/tmp/sluice-latency-XXXXXX";
    if (!::mkdtemp(folder)) return 1;
    source const sending{brokers, topic};
    arguments with{brokers, topic, seconds, folder};
    with.insert(with.end(), argv + 2, argv + 9);
    auto const f = in_a_process(all[i].name, with);
    std::filesystem::remove_all(folder);
    fmt::print("{:32} {:10.2f} {:10.2f} {:14.2f}\n", all[i].name, f[0], f[1], f[2]);
    std::fflush(stdout);
  }
}
