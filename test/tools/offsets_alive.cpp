// sluice-offsets and consumers on a real Kafka: who is alive is in its way, or is fenced; who comes after goes on from there.
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/redis.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>

#include <set>

#include "offset_store/sqlite_support.hpp"
#include "offsets.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"
#include "servers/postgres.hpp"
#include "servers/redis.hpp"

using namespace offsets;
using namespace std::chrono_literals;
namespace sl = sluice;

namespace {

struct cluster {
  servers::kafka broker{};
  servers::kafka_topics topics{broker.bootstrap()};
  words asked() const { return {"--brokers", broker.bootstrap()}; }

  /// Records "0", "1", … over two partitions.
  void fill(std::string const& topic, int from, int until) {
    for (int p = 0; p < 2; ++p) {
      std::vector<servers::topic_record> all;
      for (int i = from; i < until; ++i)
        if (i % 2 == p) all.push_back({std::to_string(i), "x"});
      topics.produce(topic, p, all);
    }
  }
};
cluster& kafka() {
  static cluster one;
  return one;
}

words const soon{"--sample-for", "50ms"};

/// What a consumer has handled, and how often its store refused it.
struct seen {
  using slot = sl::observer_slot;
  std::multiset<int>* keys;
  int* refused;
  void on_refused(sl::move const&) { ++*refused; }
};

/// Handles records one batch after another; what it was given is counted when its transaction or advance is done.
template <class Store>
class reader {
  std::multiset<int> keys_{};
  int refused_ = 0;
  sl::stream_consumer<sl::at_least_once, Store, sl::kafka, sl::micro_batch, seen> consumer_;

 public:
  reader(Store const& store, std::string const& topic, std::size_t batch = 20)
      : consumer_{sl::at_least_once{}, store,
                  sl::kafka{.brokers = kafka().broker.bootstrap(),
                            .group = topic,
                            .topics = {topic},
                            .properties = {{"session.timeout.ms", "6000"}, {"heartbeat.interval.ms", "200"}}},
                  sl::micro_batch{.max_records = batch}, seen{&keys_, &refused_}} {}
  void step() {
    consumer_.step(
        [&](sl::batch const& b) {
          for (sl::record r : b) keys_.insert(std::stoi(std::string(r.key_text())));
        },
        100ms);
  }
  /// Until `n` records were handled.
  void read(std::size_t n) {
    for (auto const give_up = std::chrono::steady_clock::now() + 30s; keys_.size() < n; step())
      if (std::chrono::steady_clock::now() > give_up) FAIL("only " << keys_.size() << " of " << n << " records came");
  }
  template <class Done>
  void until(Done d) {
    for (auto const give_up = std::chrono::steady_clock::now() + 30s; !d(); step())
      if (std::chrono::steady_clock::now() > give_up) FAIL("it did not happen in time");
  }
  std::multiset<int> const& keys() const { return keys_; }
  int refused() const { return refused_; }
  void close() { consumer_.close(10s); }
};

}  // namespace

TEST_CASE("consumers on one store after the other handle each record once") {
  kafka().topics.create("tour", 2);
  kafka().fill("tour", 0, 700);
  servers::postgres postgres;
  servers::redis redis;
  temporary_folder folder;
  std::filesystem::create_directory(folder.path / "files");
  words const secrets{"PGPASSWORD=" + postgres.password(), "REDIS=" + redis.password()};
  auto const file = (folder.path / "a.db").string(), other = (folder.path / "b.db").string(),
             files = (folder.path / "files").string();
  place const sqlite{"sqlite:" + file}, in_folder{"file:" + files}, again{"sqlite:" + other}, in_kafka{"kafka:"},
      pg{"postgres:host=127.0.0.1 port=" + std::to_string(postgres.port()) + " user=owner dbname=postgres"},
      rd{"redis:127.0.0.1:" + std::to_string(redis.port()), {"--password-variable", "REDIS"}};

  std::multiset<int> all;
  auto const stay = [&](auto const& store, std::size_t n) {
    reader r{store, "tour"};
    r.read(n);
    all.insert(r.keys().begin(), r.keys().end());
    CHECK(r.refused() == 0);
    r.close();
  };
  auto const move = [&](place const& from, place const& to) {
    return done(words{"copy"} + from.as("from") + to.as("to") + words{"--group", "tour"} + kafka().asked() + soon,
                secrets);
  };
  stay(sl::sqlite_offsets{.path = file}, 100);
  CHECK_THAT(move(sqlite, in_folder), ContainsSubstring("The group's note in Kafka"));
  stay(sl::file_offsets{.directory = files}, 100);
  CHECK_THAT(move(in_folder, pg), ContainsSubstring("The group's note in Kafka"));
  stay(sl::postgres_offsets{.connection = postgres.connection()}, 100);
  move(pg, in_kafka);
  stay(sl::kafka_offsets{}, 100);
  move(in_kafka, rd);
  stay(sl::redis_offsets{.host = "127.0.0.1", .port = redis.port(), .password = redis.password()}, 100);
  move(rd, again);
  stay(sl::sqlite_offsets{.path = other}, 100);

  // The group is at home in the last one now: the first is not written to, and nothing is taken from it.
  CHECK_THAT(
      fails(words{"copy"} + sqlite.as("from") + in_kafka.as("to") + words{"--group", "tour"} + kafka().asked() + soon),
      ContainsSubstring("in another local store"));
  CHECK_THAT(fails(words{"set"} + sqlite.as_store() + words{"--group", "tour", "tour:0=1"} + kafka().asked() + soon),
             ContainsSubstring("in another local store"));
  move(again, in_kafka);
  stay(sl::kafka_offsets{}, 700 - all.size());
  std::multiset<int> wanted;
  for (int i = 0; i < 700; ++i) wanted.insert(i);
  CHECK(all == wanted);
}

TEST_CASE("a member of the group is in the way; with permission it is fenced, and goes on from there") {
  kafka().topics.create("alive", 2);
  kafka().fill("alive", 0, 40);
  temporary_folder folder;
  auto const file = (folder.path / "a.db").string();
  place const store{"sqlite:" + file};
  reader r{sl::sqlite_offsets{.path = file}, "alive"};
  r.read(40);
  r.until([&] { return at(store, "alive") == words{"alive:0=20", "alive:1=20"}; });

  auto const set = words{"set"} + store.as_store() + words{"--group", "alive", "alive:0=5"} + soon;
  auto const said = fails(set + kafka().asked(), 3);
  CHECK_THAT(said, ContainsSubstring("group alive has 1 member now"));
  CHECK_THAT(said, ContainsSubstring("--group-may-be-alive"));
  CHECK_THAT(done(set + kafka().asked() + words{"--dry-run"}),
             ContainsSubstring("It would be refused: group alive has 1 member"));
  CHECK_THAT(fails(set, 3), ContainsSubstring("alive/0 is held by a consumer"));
  CHECK(at(store, "alive") == words{"alive:0=20", "alive:1=20"});
  CHECK(r.refused() == 0);

  done(set + kafka().asked() + words{"--group-may-be-alive"});
  CHECK(at(store, "alive") == words{"alive:0=5", "alive:1=20"});
  kafka().fill("alive", 40, 42);
  r.until([&] { return r.refused() > 0; });
  r.until([&] { return at(store, "alive") == words{"alive:0=21", "alive:1=21"}; });
  // From 5 on partition 0 came again: the even keys from 10.
  for (int key = 0; key < 40; ++key) {
    INFO(key);
    CHECK(r.keys().count(key) == (key % 2 == 0 && key >= 10 ? 2 : 1));
  }
  r.close();
  // Nobody is there any more.
  done(set + kafka().asked());
  done(words{"set"} + store.as_store() + words{"--group", "alive", "alive:0=6"} + soon);
}

TEST_CASE("Kafka's own offsets are left alone while the group has members") {
  kafka().topics.create("own", 2);
  kafka().fill("own", 0, 20);
  reader r{sl::kafka_offsets{}, "own"};
  r.read(20);
  place const store{"kafka:"};
  r.until([&] { return at(store, "own", kafka().asked()) == words{"own:0=10", "own:1=10"}; });
  auto const set = words{"set", "kafka:", "--group", "own", "own:0=5"} + kafka().asked() + soon;
  CHECK_THAT(fails(set, 3), ContainsSubstring("group own has 1 member now"));
  CHECK_THAT(fails(set + words{"--group-may-be-alive"}), ContainsSubstring("could not be changed"));
  CHECK_THAT(run(set + words{"--group-may-be-alive", "--plain"}).out, ContainsSubstring("while the group has members"));
  CHECK(at(store, "own", kafka().asked()) == words{"own:0=10", "own:1=10"});
  r.close();
  CHECK_THAT(done(words{"show", "kafka:", "--group", "own"} + kafka().asked()),
             ContainsSubstring("0 members in Kafka"));
  done(set);
  CHECK(at(store, "own", kafka().asked()) == words{"own:0=5", "own:1=10"});
  reader after{sl::kafka_offsets{}, "own"};
  after.read(5);
  CHECK(after.keys() == std::multiset<int>{10, 12, 14, 16, 18});
  after.close();
  done(words{"set", "kafka:", "--group", "own", "--to", "2000-01-31T00:00:00Z"} + kafka().asked() + soon);
  CHECK(at(store, "own", kafka().asked()) == words{"own:0=0", "own:1=0"});
  done(words{"set", "kafka:", "--group", "own", "--to", "2099-01-31T00:00:00Z"} + kafka().asked() + soon);
  CHECK(at(store, "own", kafka().asked()) == words{"own:0=10", "own:1=10"});
}

TEST_CASE("a group of the new protocol, whose members nobody tells, is in the way", "[.long]") {
  kafka().topics.create("new", 2);
  kafka().fill("new", 0, 20);
  temporary_folder folder;
  servers::process const consumer{
      {"java", "-cp", servers::path_by("jars", "kafka") + "/*", "org.apache.kafka.tools.consumer.ConsoleConsumer",
       "--bootstrap-server", kafka().broker.bootstrap(), "--topic", "new", "--from-beginning", "--consumer-property",
       "group.id=new", "--consumer-property", "group.protocol=consumer"},
      (folder.path / "log").string()};
  for (auto const give_up = std::chrono::steady_clock::now() + 30s; at({"kafka:"}, "new", kafka().asked()).empty();)
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  CHECK_THAT(fails(words{"set", "kafka:", "--group", "new", "new:0=5"} + kafka().asked() + soon, 3),
             ContainsSubstring("uses the new group protocol"));
}

TEST_CASE("offsets that move are in the way, though their reader is in no group") {
  temporary_folder folder;
  auto const theirs = (folder.path / "spark.db").string();
  rows(theirs, "create table spark (topic text, part int, at int); insert into spark values ('orders', 0, 1)");
  std::atomic<bool> end{false};
  std::thread spark{[&] {
    plain db{theirs};
    for (int i = 2; !end; ++i) {
      db.rows("update spark set at = " + std::to_string(i));
      std::this_thread::sleep_for(5ms);
    }
  }};
  place const own{"sqlite:" + (folder.path / "own.db").string()};
  auto const copy = words{"copy",          "--from",  "sqlite:" + theirs, "--from-table", "spark", "--from-columns",
                          "topic,part,at", "--group", "billing",          "--sample-for", "500ms"} +
                    own.as("to");
  auto const said = fails(copy, 3);
  CHECK_THAT(said, ContainsSubstring("orders/0 moved from"));
  CHECK(at(own, "billing").empty());
  end = true;
  spark.join();
  done(copy);
  CHECK(at(own, "billing").size() == 1);
}
