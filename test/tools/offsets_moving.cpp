// A group moves from where another program keeps its offsets to PostgreSQL, is consumed, and moves back: nothing is left
// out, nothing comes twice.
#include <sluice/offset_store/hbase_read.hpp>
#include <sluice/offset_store/mysql_read.hpp>
#include <sluice/offset_store/postgres.hpp>
#include <sluice/sluice.hpp>

#include <functional>

#include "offsets.hpp"
#include "servers/hbase.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"
#include "servers/mariadb.hpp"
#include "servers/postgres.hpp"
#include "servers/redis.hpp"
#include "servers/zookeeper.hpp"

using namespace offsets;
using namespace std::chrono_literals;

namespace {

namespace sl = sluice;
using positions = std::map<int, std::int64_t>;  // of the topic's partitions
using handled = std::map<int, std::vector<std::int64_t>>;

std::vector<std::int64_t> from(std::int64_t first, std::int64_t until) {
  std::vector<std::int64_t> all;
  for (; first < until; ++first) all.push_back(first);
  return all;
}

struct shared_servers {
  servers::kafka kafka{};
  servers::kafka_topics topics{kafka.bootstrap()};
  servers::postgres postgres{};
  std::string connection = "host=127.0.0.1 port=" + std::to_string(postgres.port()) + " user=owner dbname=postgres";
};
shared_servers& shared() {
  static shared_servers one;
  return one;
}

/// A topic and a group of its own, and what the other program does: it says where it is, and looks where it is to go on.
struct moving {
  std::string number = std::to_string(++count());
  std::string topic = "orders" + number, group = "billing" + number;
  place theirs{};
  std::function<void(positions const&)> write{};
  std::function<positions()> read{};

  static int& count() {
    static int n = 0;
    return n;
  }
  moving() { shared().topics.create(topic, 2); }

  void produce(int n) const {
    for (int p = 0; p < 2; ++p)
      shared().topics.produce(topic, p, std::vector<servers::topic_record>(static_cast<std::size_t>(n), {"k", "v"}));
  }
  handled consume(std::size_t n) const {
    handled all;
    sl::stream_consumer consumer{
        sl::at_least_once{},
        sl::postgres_offsets{.connection = shared().connection + " password=" + shared().postgres.password()},
        sl::kafka{.brokers = shared().kafka.bootstrap(), .group = group, .topics = {topic}},
    };
    std::size_t records = 0;
    auto const take = [&](sl::batch const& batch) {
      for (sl::record r : batch) all[r.partition()].push_back(r.offset().value());
      records += batch.size();
    };
    auto const give_up = std::chrono::steady_clock::now() + 60s;
    while (records < n && std::chrono::steady_clock::now() < give_up) consumer.step(take, 50ms);
    consumer.step(take, 50ms);  // what is too much would come now
    CHECK(consumer.drain(10s) == sl::close_result::drained);
    return all;
  }
  void copy(place const& x, place const& y) const {
    done(words{"copy"} + x.as("from") + y.as("to") +
             words{"--group", group, "--brokers", shared().kafka.bootstrap(), "--sample-for", "50ms"},
         x.environment + y.environment);
  }

  void there_and_back() const {
    place const own{"postgres:" + shared().connection, {}, {"PGPASSWORD=" + shared().postgres.password()}};
    produce(50);
    write({{0, 20}, {1, 7}});
    copy(theirs, own);
    CHECK(consume(30 + 43) == handled{{0, from(20, 50)}, {1, from(7, 50)}});
    copy(own, theirs);
    CHECK(read() == positions{{0, 50}, {1, 50}});

    produce(10);
    write({{0, 55}, {1, 50}});  // it has gone on by itself
    copy(theirs, own);
    CHECK(consume(5 + 10) == handled{{0, from(55, 60)}, {1, from(50, 60)}});
    copy(own, theirs);
    CHECK(read() == positions{{0, 60}, {1, 60}});
  }
};

/// A client of Kafka's that knows nothing of the library.
class committer {
  std::unique_ptr<rd_kafka_t, void (*)(rd_kafka_t*)> client_{nullptr, rd_kafka_destroy};
  std::string topic_;

  auto both() const {
    std::unique_ptr<rd_kafka_topic_partition_list_t, void (*)(rd_kafka_topic_partition_list_t*)> all{
        rd_kafka_topic_partition_list_new(2), rd_kafka_topic_partition_list_destroy};
    for (int p = 0; p < 2; ++p) rd_kafka_topic_partition_list_add(all.get(), topic_.c_str(), p);
    return all;
  }

 public:
  committer(std::string const& brokers, std::string const& group, std::string topic) : topic_(std::move(topic)) {
    auto* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), nullptr, 0);
    rd_kafka_conf_set(conf, "group.id", group.c_str(), nullptr, 0);
    client_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf, nullptr, 0));
  }
  void commit(positions const& all) const {
    auto const at = both();
    for (auto const& [p, next] : all) at->elems[p].offset = next;
    REQUIRE(rd_kafka_commit(client_.get(), at.get(), 0) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  positions committed() const {
    auto const at = both();
    REQUIRE(rd_kafka_committed(client_.get(), at.get(), 10'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
    return {{0, at->elems[0].offset}, {1, at->elems[1].offset}};
  }
};

}  // namespace

TEST_CASE_METHOD(moving, "from ZooKeeper, as Spark jobs write it, or Kafka before 0.9") {
  static servers::zookeeper server;
  bool const old_kafka = GENERATE(false, true);
  auto const folder =
      old_kafka ? "/consumers/" + group + "/offsets/" + topic : "/consumers/offsets/" + group + "/" + topic;
  theirs = {"zookeeper:" + server.address(),
            old_kafka ? words{"--path", "/consumers/{group}/offsets/{topic}/{partition}"} : words{}};
  write = [&](positions const& all) {
    for (auto const& [p, next] : all) server.put(folder + "/" + std::to_string(p), std::to_string(next));
  };
  read = [&] {
    positions all;
    for (auto const& p : server.children(folder)) all[std::stoi(p)] = std::stoll(*server.get(folder + "/" + p));
    return all;
  };
  there_and_back();
}

TEST_CASE_METHOD(moving, "from a table in MariaDB") {
  servers::mariadb server;
  sl::detail::mysql::connection db{
      sl::detail::mysql::options_of("test", sl::mysql_offsets{.host = "127.0.0.1",
                                                              .port = server.port(),
                                                              .user = "owner",
                                                              .password = server.password(),
                                                              .database = "mysql"})};
  auto const ask = [&](std::string const& sql) {
    auto const by = std::chrono::steady_clock::now() + 30s;
    db.ready(by);
    return db.must(sql, "test", by);
  };
  ask("create database app; create table app.spark (topic varchar(100), partid int, `offset` bigint)");
  theirs = {
      "mysql:127.0.0.1:" + std::to_string(server.port()) + "/app",
      {"--user", "owner", "--password-variable", "PASSWORD", "--table", "spark", "--columns", "topic,partid,offset"},
      {"PASSWORD=" + server.password()}};
  write = [&](positions const& all) {
    ask("delete from app.spark");
    for (auto const& [p, next] : all)
      ask("insert into app.spark values ('" + topic + "', " + std::to_string(p) + ", " + std::to_string(next) + ")");
  };
  read = [&] {
    positions all;
    auto const found = ask("select partid, `offset` from app.spark where topic = '" + topic + "'");
    for (std::size_t i = 0; i < found[0].rows(); ++i)
      all[static_cast<int>(found[0].number(i, 0))] = found[0].number(i, 1);
    return all;
  };
  there_and_back();
}

TEST_CASE_METHOD(moving, "from Redis' hashes, with the last offset instead of the next") {
  servers::redis server;
  auto const key = "spark:" + group + ":" + topic;
  theirs = {"redis:127.0.0.1:" + std::to_string(server.port()),
            {"--password-variable", "PASSWORD", "--key", "spark:{group}:{topic}", "--stored-offset-is", "last"},
            {"PASSWORD=" + server.password()}};
  write = [&](positions const& all) {
    for (auto const& [p, next] : all) server.ask({"HSET", key, std::to_string(p), std::to_string(next - 1)});
  };
  read = [&] {
    positions all;
    auto const found = server.ask({"HGETALL", key});
    for (std::size_t i = 0; i + 1 < found.size(); i += 2) all[std::stoi(found[i])] = std::stoll(found[i + 1]) + 1;
    return all;
  };
  there_and_back();
}

TEST_CASE_METHOD(moving, "from the rows of programs on Spark in HBase") {
  namespace hb = sl::detail::hbase;
  servers::hbase const server;
  server.must("POST", "/spark/schema", R"({"name":"spark","ColumnSchema":[{"name":"offsets","TTL":"2592000"}]})");
  hb::table table{hb::settings_of(sl::hbase_offsets{.address = server.address(), .table = "spark"})};
  auto const by = [] { return std::chrono::steady_clock::now() + 30s; };
  theirs = {"hbase:" + server.address() + "/spark", {"--family", "offsets"}};
  write = [&](positions const& all) {
    hb::row row{.key = topic + ":" + group + ":" + std::to_string(sl::detail::wall_ms())};
    for (auto const& [p, next] : all) row.cells.push_back({"offsets:" + std::to_string(p), std::to_string(next)});
    table.put({row}, by());
  };
  read = [&] {
    positions all;
    auto const found = hb::newest_row(table, topic, group, by()).value().next;
    for (std::size_t p = 0; p < found.size(); ++p)
      if (found[p]) all[static_cast<int>(p)] = found[p]->value();
    return all;
  };
  there_and_back();
}

TEST_CASE_METHOD(moving, "from what another program commits to Kafka") {
  committer const other{shared().kafka.bootstrap(), group, topic};
  theirs = {"kafka:", {"--plain"}};
  write = [&](positions const& all) { other.commit(all); };
  read = [&] { return other.committed(); };
  there_and_back();
}
