// Groups on a real Kafka: members that come and go, stay, are killed, are slow, and a broker that is away for a while.
#include <sluice/offset_store/kafka.hpp>
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>

#include "catch.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"
#include "servers/postgres.hpp"

using namespace servers;

namespace {

namespace sl = sluice;
using place = std::pair<std::int32_t, std::int64_t>;  // partition and offset

kafka& broker() {
  static kafka one;
  return one;
}

/// What all members of a group did, in order. For any thread.
class history {
  mutable std::mutex mutex_{};
  std::vector<place> handled_{};
  std::size_t rebalances_ = 0, refused_ = 0, slow_ = 0;
  std::atomic<bool> advanced_ = false;
  std::vector<std::string> faults_{};

 public:
  void handle(sl::batch const& batch) {
    std::lock_guard const lock{mutex_};
    for (sl::record r : batch) handled_.emplace_back(r.partition(), r.offset().value());
  }
  void rebalanced() {
    std::lock_guard const lock{mutex_};
    ++rebalances_;
  }
  void refuse() {
    std::lock_guard const lock{mutex_};
    ++refused_;
  }
  void slow() {
    std::lock_guard const lock{mutex_};
    ++slow_;
  }
  void advance() { advanced_ = true; }
  bool has_advanced() const { return advanced_; }
  void fail(std::string const& why) {
    std::lock_guard const lock{mutex_};
    faults_.push_back(why);
  }
  std::vector<place> handled() const {
    std::lock_guard const lock{mutex_};
    return handled_;
  }
  std::set<place> distinct() const {
    auto const all = handled();
    return {all.begin(), all.end()};
  }
  std::size_t rebalances() const {
    std::lock_guard const lock{mutex_};
    return rebalances_;
  }
  std::size_t refused() const {
    std::lock_guard const lock{mutex_};
    return refused_;
  }
  std::size_t slows() const {
    std::lock_guard const lock{mutex_};
    return slow_;
  }
  std::vector<std::string> faults() const {
    std::lock_guard const lock{mutex_};
    return faults_;
  }
};

struct teller {
  using slot = sl::observer_slot;
  history* to;
  void on_rebalance(sl::rebalance_event const&) const { to->rebalanced(); }
  void on_refused(sl::move const&) const { to->refuse(); }
  void on_advanced(sl::advance_event const& e) const {
    if (std::find(e.outcomes.begin(), e.outcomes.end(), sl::outcome::applied) != e.outcomes.end()) to->advance();
  }
  void on_slow_handler(sl::slow_event const&) const { to->slow(); }
};

void wait_for(std::function<bool()> const& done, std::chrono::seconds limit = 120s) {
  for (auto const give_up = std::chrono::steady_clock::now() + limit; !done(); std::this_thread::sleep_for(10ms))
    if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("it does not come so far");
}

/// One consumer on a thread of its own; leaves in order when it ends. `before` is called for each batch.
class member {
  std::jthread thread_;

 public:
  template <class Delivery, class... More>
  member(history& h, Delivery delivery, sl::kafka const& source, std::function<void(sl::batch const&)> before,
         More const&... more)
      : thread_{[=, &h](std::stop_token const& stop) {
          try {
            sl::stream_consumer consumer{delivery, source, teller{&h}, more...};
            auto const handle = [&](sl::batch const& batch) {
              if (before) before(batch);
              h.handle(batch);
            };
            consumer.run(stop, [&](sl::batch const& batch, auto&...) { handle(batch); });
          } catch (std::exception const& e) { h.fail(e.what()); }
        }} {}
};

struct group_on_kafka {
  static int& count() {
    static int n = 0;
    return n;
  }
  kafka_topics topics{broker().bootstrap()};
  std::string name = "group-" + std::to_string(++count());
  temporary_folder folder{};
  history all{};
  sl::kafka source{.brokers = broker().bootstrap(),
                   .group = name,
                   .topics = {name},
                   .properties = {{"session.timeout.ms", "2000"}, {"heartbeat.interval.ms", "300"}}};

  sl::sqlite_offsets in_sqlite() const { return {.path = (folder.path / "offsets.db").string()}; }
  std::set<place> fill(int partitions, int in_each, int from = 0) const {
    std::set<place> made;
    for (std::int32_t p = 0; p < partitions; ++p) {
      topics.produce(name, p, std::vector<topic_record>(static_cast<std::size_t>(in_each), {"k", "v"}));
      for (int i = 0; i < in_each; ++i) made.emplace(p, from + i);
    }
    return made;
  }
};

bool in_order(std::vector<place> const& handled) {
  std::map<std::int32_t, std::int64_t> last;
  for (auto const& [partition, offset] : handled)
    if (auto const [at, first] = last.try_emplace(partition, offset);
        !first && std::exchange(at->second, offset) >= offset)
      return false;
  return true;
}

}  // namespace

TEST_CASE_METHOD(group_on_kafka, "members come and go in order: each record is handled once, in order") {
  topics.create(name, 6);
  auto const made = fill(6, 600);
  auto const one = [&] {
    return std::make_unique<member>(all, sl::at_least_once{}, source, nullptr, sl::kafka_offsets{},
                                    sl::max_rate_per_partition{.records_per_second = 150});
  };
  auto first = one(), second = one();
  wait_for([&] { return all.handled().size() > 300; });
  auto third = one();
  wait_for([&] { return all.rebalances() >= 5 && all.handled().size() > 1000; });
  first.reset();
  wait_for([&] { return all.handled().size() > 2000; });
  first = one();
  wait_for([&] { return all.handled().size() >= made.size(); });
  first.reset(), second.reset(), third.reset();
  CHECK((all.distinct() == made));
  CHECK(all.handled().size() == made.size());
  CHECK(in_order(all.handled()));
  CHECK(all.faults().empty());
}

TEST_CASE_METHOD(group_on_kafka, "cooperative: those who stay read on; each record is handled once") {
  source.properties["partition.assignment.strategy"] = "cooperative-sticky";
  topics.create(name, 6);
  auto const made = fill(6, 600);
  postgres const server;
  auto const one = [&] {
    return std::make_unique<member>(all, sl::at_least_once{}, source, nullptr,
                                    sl::postgres_offsets{.connection = server.connection(), .mirror = false},
                                    sl::max_rate_per_partition{.records_per_second = 150});
  };
  auto first = one();
  if (rd_kafka_version() < 0x020601ff) {
    wait_for([&] { return !all.faults().empty(); });
    CHECK_THAT(all.faults()[0], Catch::Matchers::ContainsSubstring("needs librdkafka 2.6.1"));
    return;
  }
  auto second = one();
  wait_for([&] { return all.handled().size() > 600; });
  auto third = one();
  wait_for([&] { return all.handled().size() > 1500; });
  first.reset();
  wait_for([&] { return all.handled().size() >= made.size(); });
  second.reset(), third.reset();
  CHECK((all.distinct() == made));
  CHECK(all.handled().size() == made.size());
  CHECK(in_order(all.handled()));
  CHECK(all.faults().empty());
}

TEST_CASE_METHOD(group_on_kafka, "a static member that comes back within its session disturbs nobody") {
  topics.create(name, 4);
  auto made = fill(4, 100);
  source.properties["session.timeout.ms"] = "10000";
  auto const one = [&](char const* id) {
    auto mine = source;
    mine.properties["group.instance.id"] = id;
    return std::make_unique<member>(all, sl::at_least_once{}, mine, nullptr, sl::kafka_offsets{});
  };
  auto a = one("a"), b = one("b");
  wait_for([&] { return all.handled().size() >= made.size(); });
  // One of them may have read it all before the other one joined.
  auto before = all.rebalances();
  for (auto last = before - 1; last != before; before = all.rebalances()) {
    last = before;
    std::this_thread::sleep_for(5s);
  }
  a.reset();
  a = one("a");
  for (auto const& more : fill(4, 100, 100)) made.insert(more);
  wait_for([&] { return all.handled().size() >= made.size(); });
  // Its own leaving and coming back; the other's assignment stays as it is.
  CHECK(all.rebalances() - before <= 2);
  a.reset(), b.reset();
  CHECK((all.distinct() == made));
  CHECK(all.handled().size() == made.size());
  CHECK(all.faults().empty());
}

TEST_CASE_METHOD(group_on_kafka,
                 "latest: members that are killed before they stored anything lose nothing that came after") {
  topics.create(name, 6);
  fill(6, 20);
  std::vector<std::string> const command{GROUP_MEMBER, broker().bootstrap(), name, name, "latest"};
  auto const log = [&](std::string const& of) { return (folder.path / of).string(); };
  std::set<place> const made = [&] {
    process holders[3];
    for (int i = 0; i < 3; ++i) holders[i] = process{command, log("holder" + std::to_string(i)), {"HOLD=1"}};
    // A claim of any partition stores the starts of all.
    holders[0].wait_until([&] {
      return std::any_of(std::begin(holders), std::end(holders),
                         [](process const& p) { return p.log().find("claimed") != std::string::npos; });
    });
    auto const after = fill(6, 20, 20);
    holders[0].wait_until([&] {
      return std::any_of(std::begin(holders), std::end(holders),
                         [](process const& p) { return p.log().find("handling") != std::string::npos; });
    });
    for (auto& h : holders) h.end(SIGKILL);
    return after;
  }();
  process members[3];
  for (int i = 0; i < 3; ++i) members[i] = process{command, log("member" + std::to_string(i))};
  auto const handled = [&] {
    std::set<place> found;
    for (auto const& m : members) {
      std::istringstream lines{m.log()};
      for (std::string line; std::getline(lines, line);)
        if (place at; std::sscanf(line.c_str(), "handled %d %ld", &at.first, &at.second) == 2) found.insert(at);
    }
    return found;
  };
  auto const done = [&] { return handled().size() >= made.size(); };
  for (auto const late = std::chrono::steady_clock::now() + 60s; !done() && std::chrono::steady_clock::now() < late;)
    std::this_thread::sleep_for(50ms);
  for (auto const& file : std::filesystem::directory_iterator{folder.path})
    UNSCOPED_INFO(file.path().filename().string() << ":\n" << std::ifstream{file.path()}.rdbuf());
  CHECK((handled() == made));
}

TEST_CASE_METHOD(group_on_kafka,
                 "a handler slower than max.poll.interval.ms: told, smaller batches, and progress within 3 tries") {
  source.properties["max.poll.interval.ms"] = "3000";
  topics.create(name, 1);
  auto const made = fill(1, 300);
  std::atomic<std::size_t> tries{0};
  auto const slow = [&](sl::batch const& batch) {
    if (!all.has_advanced()) ++tries;
    std::this_thread::sleep_for(15ms * batch.size());  // 300 records: 4.5 s
  };
  auto const stored = [&] { return topics.committed(name, name, 1); };
  auto const comes_through = [&] {
    wait_for([&] { return stored() == 300 && all.distinct() == made; });
    CHECK(tries <= 3);
  };
  SECTION("at_least_once") {
    member const m{all, sl::at_least_once{}, source, slow, sl::kafka_offsets{}};
    comes_through();
    CHECK(all.refused() > 0);
  }
  SECTION("at_least_once, offsets in SQLite") {
    member const m{all, sl::at_least_once{}, source, slow, in_sqlite()};
    comes_through();
  }
  SECTION("at_most_once") {
    member const m{all, sl::at_most_once{}, source, slow, sl::kafka_offsets{}};
    comes_through();
    CHECK(all.handled().size() == made.size());
  }
  SECTION("transactional") {
    member const m{all, sl::transactional{}, source, slow, in_sqlite()};
    comes_through();
  }
  CHECK(all.slows() > 0);
  CHECK(all.faults().empty());
}

TEST_CASE_METHOD(group_on_kafka, "a broker that is away with a commit outstanding, and a rebalance when it is back") {
  topics.create(name, 4);
  auto const made = fill(4, 1000);
  auto const rate = sl::max_rate_per_partition{.records_per_second = 200};
  auto const away = [&](auto const& one) {
    auto first = one(), second = one();
    wait_for([&] { return all.handled().size() > 500; });
    broker().freeze(0, true);
    std::this_thread::sleep_for(5s);
    broker().freeze(0, false);
    first.reset();
    wait_for([&] { return all.handled().size() > 2000; });
    first = one();
  };
  SECTION("at_least_once loses nothing") {
    auto const one = [&] {
      return std::make_unique<member>(all, sl::at_least_once{}, source, nullptr, sl::kafka_offsets{}, rate);
    };
    away(one);
    member const last{all, sl::at_least_once{}, source, nullptr, sl::kafka_offsets{}, rate};
    wait_for([&] { return all.distinct() == made; }, 60s);
  }
  SECTION("at_most_once doubles nothing") {
    auto const one = [&] {
      return std::make_unique<member>(all, sl::at_most_once{}, source, nullptr, sl::kafka_offsets{}, rate);
    };
    away(one);
    member const last{all, sl::at_most_once{}, source, nullptr, sl::kafka_offsets{}, rate};
    wait_for(
        [&] {
          std::set<std::int32_t> ended;
          for (auto const& [partition, offset] : all.handled())
            if (offset == 999) ended.insert(partition);
          return ended.size() == 4;
        },
        60s);
    CHECK(all.distinct().size() == all.handled().size());
  }
  SECTION("at_least_once with offsets in SQLite loses nothing") {
    auto const one = [&] {
      return std::make_unique<member>(all, sl::at_least_once{}, source, nullptr, in_sqlite(), rate);
    };
    away(one);
    member const last{all, sl::at_least_once{}, source, nullptr, in_sqlite(), rate};
    wait_for([&] { return all.distinct() == made; }, 60s);
  }
}
