// Numbers go over a socket into a write-ahead log and from there to a consumer, all in a process that is killed again and again.
// The sender sends again what was not acknowledged. Nothing is lost; what the log has once, a transaction handles once.
#include <sluice/testing/embedded_broker.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "seed.hpp"
#include "source/text_server.hpp"

using namespace std::chrono_literals;

namespace {

/// Sends numbers from the first that was not acknowledged, to one client after another.
class sender {
  servers::text_server server_{};
  std::atomic<std::int64_t> acknowledged_ = 0;
  std::atomic<bool> paused_ = false, end_ = false;
  std::thread thread_{};

  void serve(servers::descriptor const& client) {
    auto const first = acknowledged_.load();
    auto next = first;
    std::string answers;
    char piece[4096];
    while (!end_) {
      std::string text;
      for (int i = 0; i < 20 && !paused_; ++i) text += std::to_string(next++) + "\n";
      if (!servers::text_server::say(client, text)) return;
      std::this_thread::sleep_for(1ms);
      for (ssize_t n = 0; (n = ::recv(client.fd, piece, sizeof piece, MSG_DONTWAIT)) >= 0;) {
        if (n == 0) return;
        answers.append(piece, static_cast<std::size_t>(n));
        for (std::size_t feed = 0; (feed = answers.find('\n')) != answers.npos; answers.erase(0, feed + 1))
          acknowledged_ = first + std::stoll(answers.substr(0, feed));
      }
      if (errno != EAGAIN) return;
    }
  }

 public:
  sender() {
    thread_ = std::thread{[this] {
      while (!end_)
        if (auto const client = server_.accept(); client.fd >= 0 && !end_) serve(client);
    }};
  }
  sender(sender const&) = delete;
  sender& operator=(sender const&) = delete;
  ~sender() {
    end_ = true;
    servers::listens(server_.port());  // wakes accept
    thread_.join();
  }
  int port() const { return server_.port(); }
  std::int64_t acknowledged() const { return acknowledged_; }
  void pause() { paused_ = true; }
};

/// (offset, number) of all that was handled, in that order; -1 as the offset where it is not known.
using handled = std::vector<std::pair<std::int64_t, std::int64_t>>;

handled rows_of(std::filesystem::path const& file) {
  handled all;
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  sqlite3_busy_timeout(db, 10'000);
  auto const one = [](void* to, int, char** row, char**) {
    static_cast<handled*>(to)->emplace_back(-1, std::stoll(row[0]));
    return 0;
  };
  sqlite3_exec(db, "select number from rows order by rowid", one, &all, nullptr);
  sqlite3_close(db);
  return all;
}
handled notes_of(std::filesystem::path const& file) {
  handled all;
  std::istringstream lines{content_of(file)};
  for (std::pair<std::int64_t, std::int64_t> one; lines >> one.first >> one.second;) all.push_back(one);
  return all;
}
std::int64_t position_of(std::filesystem::path const& file) {
  std::int64_t next = 0;
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  sqlite3_busy_timeout(db, 10'000);
  auto const one = [](void* to, int, char** row, char**) {
    *static_cast<std::int64_t*>(to) = std::stoll(row[0]);
    return 0;
  };
  sqlite3_exec(db, "select next from sluice_offsets", one, &next, nullptr);
  sqlite3_close(db);
  return next;
}

void through_kills(std::string const& delivery, int kills) {
  std::mt19937 random{seed()};
  temporary_folder const folder;
  bool const in_transaction = delivery == "transactional";
  auto const read = [&] { return in_transaction ? rows_of(folder.path / "rows.db") : notes_of(folder.path / "notes"); };
  sender numbers;
  auto const start = [&] {
    return servers::process{{LOG_READER, delivery, std::to_string(numbers.port()), folder.name()},
                            folder.name() + "/said"};
  };
  auto reader = start();
  auto const until = [&](auto reached) {
    auto const give_up = std::chrono::steady_clock::now() + 60s;
    while (!reached()) {
      if (reader.ended() || std::chrono::steady_clock::now() > give_up) FAIL("no progress\n" << reader.log());
      std::this_thread::sleep_for(1ms);
    }
  };
  for (int i = 0; i < kills; ++i) {
    until([&, before = numbers.acknowledged()] { return numbers.acknowledged() > before; });
    std::this_thread::sleep_for(std::chrono::microseconds{random() % 60'000});
    reader.end(SIGKILL);
    reader = start();
  }
  numbers.pause();
  std::this_thread::sleep_for(100ms);
  handled all;
  std::vector<bool> there;
  auto const complete = [&] {
    all = read();
    there.assign(static_cast<std::size_t>(numbers.acknowledged()), false);
    for (auto const& [offset, number] : all)
      if (number < numbers.acknowledged()) there[static_cast<std::size_t>(number)] = true;
    return !all.empty() && std::find(there.begin(), there.end(), false) == there.end();
  };
  until(complete);
  std::this_thread::sleep_for(200ms);
  reader.end(SIGKILL);
  REQUIRE(complete());
  std::cout << delivery << ": " << kills << " kills, " << all.size() << " handled, " << numbers.acknowledged()
            << " acknowledged\n";

  if (in_transaction) {
    // As many rows as offsets; and what was sent again begins where something was not acknowledged: each life's numbers ascend.
    CHECK(static_cast<std::int64_t>(all.size()) == position_of(folder.path / "rows.db"));
    int jumps_back = 0;
    for (std::size_t i = 1; i < all.size(); ++i)
      if (all[i].second != all[i - 1].second + 1) {
        ++jumps_back;
        CHECK(all[i].second <= all[i - 1].second);
      }
    CHECK(jumps_back <= kills);
  } else {
    std::map<std::int64_t, std::int64_t> numbers_at;
    for (auto const& [offset, number] : all)
      if (auto const [at, fresh] = numbers_at.emplace(offset, number); !fresh) CHECK(at->second == number);
    std::int64_t expected = 0;
    for (auto const& [offset, number] : numbers_at) REQUIRE(offset == expected++);
    CHECK(expected >= position_of(folder.path / "rows.db"));
  }
}

/// From Kafka: each record is there once, whatever Kafka gives again after a kill.
void through_kills_from_kafka(int kills) {
  std::mt19937 random{seed()};
  temporary_folder const folder;
  sluice::testing::embedded_broker broker;
  broker.create_topic("t", 1);
  auto const start = [&] {
    return servers::process{{LOG_READER, "kafka", broker.bootstrap(), folder.name()}, folder.name() + "/said"};
  };
  auto reader = start();
  std::int64_t produced = 0;
  auto const until = [&](std::size_t rows) {
    auto const give_up = std::chrono::steady_clock::now() + 60s;
    while (rows_of(folder.path / "rows.db").size() < rows) {
      if (reader.ended() || std::chrono::steady_clock::now() > give_up) FAIL("no progress\n" << reader.log());
      std::this_thread::sleep_for(1ms);
    }
  };
  for (int i = 0; i <= kills; ++i) {
    for (int k = 0; k < 500; ++k) broker.produce("t", 0, "k", std::to_string(produced++));
    until(static_cast<std::size_t>(produced - static_cast<std::int64_t>(random() % 490)));
    if (i == kills) break;
    reader.end(SIGKILL);
    reader = start();
  }
  until(static_cast<std::size_t>(produced));
  std::this_thread::sleep_for(200ms);
  reader.end(SIGKILL);
  auto const rows = rows_of(folder.path / "rows.db");
  std::cout << "Kafka: " << kills << " kills, " << rows.size() << " records\n";
  REQUIRE(rows.size() == static_cast<std::size_t>(produced));
  for (std::size_t i = 0; i < rows.size(); ++i) REQUIRE(rows[i].second == static_cast<std::int64_t>(i));
}

}  // namespace

TEST_CASE("Kafka, a log, a transaction: each record once") { through_kills_from_kafka(3); }

TEST_CASE("transactional: what the log has is handled once, and nothing that was acknowledged is lost") {
  through_kills("transactional", 5);
}
TEST_CASE("at_least_once: nothing that was acknowledged is lost") { through_kills("at_least_once", 5); }

TEST_CASE("Kafka, 30 kills", "[.long]") { through_kills_from_kafka(30); }
TEST_CASE("transactional, 100 kills", "[.long]") { through_kills("transactional", 100); }
TEST_CASE("at_least_once, 100 kills", "[.long]") { through_kills("at_least_once", 100); }
