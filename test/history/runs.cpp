// Histories of two members of a group on a real Kafka that are killed, and stopped for longer than their session and woken: an
// independent checker finds nothing that their delivery does not promise.
#include <librdkafka/rdkafka.h>
#include <sqlite3.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "catch.hpp"
#include "history/history.hpp"
#include "seed.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"

using namespace servers;

namespace {

constexpr int partitions = 2, in_a_round = 150;

/// Writes to the topic `in`, and to the history what the broker acknowledged.
class producer {
  history::file out_;
  rd_kafka_t* client_ = nullptr;
  int made_ = 0;

  static void delivered(rd_kafka_t*, rd_kafka_message_t const* m, void* self) {
    if (m->err) return;
    auto& p = *static_cast<producer*>(self);
    p.out_.line("sent", m->partition, m->offset, {static_cast<char const*>(m->payload), m->len});
    auto& end = p.ends[m->partition];
    end = std::max(end, m->offset + 1);
  }

 public:
  std::map<std::int32_t, std::int64_t> ends{};  // of the partitions

  producer(std::string const& brokers, std::string const& file) : out_(file, "producer") {
    auto* conf = rd_kafka_conf_new();
    char why[512] = "";
    for (auto const& [key, value] :
         {std::pair<std::string, std::string>{"bootstrap.servers", brokers}, {"enable.idempotence", "true"}})
      if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), why, sizeof why)) FAIL(why);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_opaque(conf, this);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!client_) FAIL(why);
  }
  producer(producer const&) = delete;
  producer& operator=(producer const&) = delete;
  ~producer() { rd_kafka_destroy(client_); }

  /// Returns when all are acknowledged.
  void more() {
    for (int i = 0; i < in_a_round * partitions; ++i) {
      auto const value = "v" + std::to_string(made_++);
      auto const e = rd_kafka_producev(client_, RD_KAFKA_V_TOPIC("in"), RD_KAFKA_V_PARTITION(i % partitions),
                                       RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
      REQUIRE(e == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    REQUIRE(rd_kafka_flush(client_, 30'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
};

void prepare_results(std::string const& file) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db,
                       "pragma journal_mode=wal; create table results (partition integer, place integer, value text)",
                       nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

struct run_of {
  temporary_folder folder{};
  kafka broker{};
  std::string what;
  std::vector<process> running{};
  int starts = 0;
  bool stuck = false;

  explicit run_of(std::string w) : what(std::move(w)) {
    kafka_topics{broker.bootstrap()}.create("in", partitions);
    // Before a member has the file open: the journal's mode can't be changed then.
    if (what == "transactional") prepare_results(path("offsets.db"));
    for (std::size_t i = 0; i < 2; ++i) running.push_back(start());
  }
  std::string path(std::string const& name) const { return (folder.path / name).string(); }
  std::string last_of(std::string const& name) const {
    auto const text = content_of(path(name));
    return text.substr(text.size() - std::min<std::size_t>(text.size(), 5000)) + "\n----\n";
  }
  process start() {
    auto const name = "member " + std::to_string(++starts);
    return {{MEMBER, what, broker.bootstrap(), "readers", path("offsets.db"), path("members.jsonl"), name},
            path("log")};
  }
  /// What ended is started again, as a supervisor would.
  void wait(std::chrono::milliseconds t) {
    for (auto const until = std::chrono::steady_clock::now() + t; std::chrono::steady_clock::now() < until;) {
      for (auto& p : running)
        if (p.ended()) p = start();
      std::this_thread::sleep_for(20ms);
    }
  }
  /// Where it is not reached, nothing is waited for any more, and the verdict is about what there is.
  void wait_until(auto reached) {
    if (stuck) return;
    auto give_up = std::chrono::steady_clock::now() + 60s;
    for (std::size_t seen = 0; !reached(); wait(50ms))
      if (auto const size = content_of(path("members.jsonl")).size(); std::exchange(seen, size) != size) {
        give_up = std::chrono::steady_clock::now() + 60s;
      } else if (std::chrono::steady_clock::now() > give_up) {
        FAIL_CHECK("nothing is handled any more\n" << last_of("members.jsonl") << last_of("log"));
        stuck = true;
        return;
      }
  }
  std::ptrdiff_t lines() const {
    auto const text = content_of(path("members.jsonl"));
    return std::count(text.begin(), text.end(), '\n');
  }
  /// Has every partition been stored, or found, up to its end?
  bool all_is_stored(std::map<std::int32_t, std::int64_t> const& ends) const {
    auto const text = content_of(path("members.jsonl"));
    return std::all_of(ends.begin(), ends.end(), [&](auto const& end) {
      auto const at = "\"partition\":" + std::to_string(end.first) + ",\"offset\":" + std::to_string(end.second) + "}";
      return text.find(at) != text.npos;
    });
  }
  /// The rows that are there in the end, in the order in which they came.
  void write_results() const {
    history::file const out{path("results.jsonl"), "database"};
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path("offsets.db").c_str(), &db) == SQLITE_OK);
    auto const one = [](void* to, int, char** row, char**) {
      static_cast<history::file const*>(to)->line("applied", std::stoi(row[0]), std::stoll(row[1]), row[2]);
      return 0;
    };
    CHECK(sqlite3_exec(db, "select partition, place, value from results order by rowid", one,
                       const_cast<history::file*>(&out), nullptr) == SQLITE_OK);
    sqlite3_close(db);
  }
};

void check(std::string const& what, int kills, int stops) {
  std::mt19937 random{seed()};
  auto const delivery = what.substr(0, what.find("_kafka"));
  run_of run{what};
  {
    producer in{run.broker.bootstrap(), run.path("sent.jsonl")};
    std::vector<bool> all(static_cast<std::size_t>(kills + stops), false);
    std::fill_n(all.begin(), stops, true);
    std::shuffle(all.begin(), all.end(), random);
    for (bool const stop : all) {
      auto const before = run.lines();
      in.more();
      run.wait_until([&] { return run.lines() > before + 20; });
      run.wait(std::chrono::milliseconds{random() % 300});
      auto& who = run.running[random() % 2];
      if (stop) {
        who.freeze(true);
        run.wait(4s);
        who.freeze(false);
      } else {
        who.end(SIGKILL);
        who = run.start();
      }
    }
    run.wait_until([&] { return run.all_is_stored(in.ends); });
  }
  run.wait(500ms);
  for (auto& p : run.running) CHECK(p.end(SIGTERM) == 0);
  std::vector<std::string> command{"python3", CHECK_HISTORY, "--delivery",           delivery,
                                   "--batch", "60",          run.path("sent.jsonl"), run.path("members.jsonl")};
  if (delivery == "transactional") {
    run.write_results();
    command.push_back(run.path("results.jsonl"));
  }
  process checker{command, run.path("verdict")};
  int status = -1;
  ::waitpid(checker.pid(), &status, 0);
  auto const verdict = checker.log();
  std::cout << what << ", " << kills << " kills, " << stops
            << " stops: " << verdict.substr(verdict.size() - std::min<std::size_t>(verdict.size(), 2000)) << std::flush;
  if (status != 0) {
    std::filesystem::copy(run.folder.path, std::filesystem::temp_directory_path() / ("sluice-history-" + what),
                          std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
    FAIL("the history is kept in the temporary folder as sluice-history-" << what);
  }
}

}  // namespace

TEST_CASE("at_most_once") { check("at_most_once", 6, 1); }
TEST_CASE("at_least_once") { check("at_least_once", 6, 1); }
TEST_CASE("at_least_once_kafka") { check("at_least_once_kafka", 6, 1); }
TEST_CASE("transactional") { check("transactional", 6, 1); }

TEST_CASE("at_most_once long", "[.long]") { check("at_most_once", 150, 10); }
TEST_CASE("at_least_once long", "[.long]") { check("at_least_once", 150, 10); }
TEST_CASE("at_least_once_kafka long", "[.long]") { check("at_least_once_kafka", 150, 10); }
TEST_CASE("transactional long", "[.long]") { check("transactional", 150, 10); }
