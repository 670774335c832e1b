// The Kafka of simulations is held to a real one: one script of joins, revocations, commits and changes of logs runs on both, and what
// clients see is the same.
#define SLUICE_SIMULATION_PROGRAM
#include <sluice/source/rdkafka_client.hpp>
#include <sluice/testing/simulation.hpp>

#include <deque>
#include <set>

#include "catch.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"

namespace {
namespace sl = sluice;
namespace st = sluice::testing;
using namespace std::chrono_literals;
using seen = std::vector<std::string>;
using offsets = std::vector<std::int64_t>;

sl::time_point in(std::chrono::milliseconds d) { return std::chrono::steady_clock::now() + d; }

/// A client, and what comes to it: as the Kafka source deals with it, but it stores nothing by itself.
template <class Client>
struct follower {
  Client& client;
  std::string topic;
  std::map<std::int32_t, std::size_t> queues{};
  std::map<std::int32_t, offsets> read{};
  std::vector<std::string> news{};
  bool outside = false;

  std::vector<sl::position> from(std::int64_t at) const {
    std::vector<sl::position> all;
    for (auto const& [p, queue] : queues) all.push_back({{topic, p}, sl::offset{at}});
    return all;
  }
  void read_from(std::int32_t p, std::int64_t at) {
    if (!queues.contains(p)) queues[p] = client.open_queue({topic, p});
    read.clear();
    outside = false;
    client.assign({{{topic, p}, sl::offset{at}}});
  }
  std::size_t owned() const { return queues.size(); }

  void turn() {
    while (auto const e = client.poll()) std::visit([&](auto const& one) { on(one); }, *e);
    std::vector<sl::detail::message> some(100);
    for (auto const& [p, queue] : queues) {
      auto const got = client.take(queue, some);
      for (std::size_t i = 0; i < got.count; ++i) read[p].push_back(some[i].at);
      client.release(std::span{some}.first(got.count));
      outside |= got.out_of_range;
    }
    client.wait(in(20ms));
  }

 private:
  void on(sl::client::assigned const& e) {
    news.push_back("assigned");
    for (auto const& of : e.set) queues[of.partition] = client.open_queue(of);
    client.assign(from(0));
  }
  void on(sl::client::revoked const& e) {
    news.push_back(e.lost ? "lost" : "revoked");
    for (auto const& of : e.set) {
      client.close_queue(queues.at(of.partition));
      queues.erase(of.partition);
    }
    client.assign({});
  }
  void on(sl::client::out_of_range const&) { outside = true; }
  void on(sl::client::poll_exceeded const&) { news.push_back("too slow"); }
  void on(sl::client::trouble const&) {}
};

std::string text(sl::outcome o) {
  return o == sl::outcome::applied ? "applied" : o == sl::outcome::refused ? "refused" : "neither";
}
template <class List>
std::string text(List const& all) {
  std::string s;
  for (auto const& one : all) s += (s.empty() ? "" : " ") + std::to_string(one);
  return s;
}

/// What is done on both, and what is to be seen is written down. `World` makes clients and changes logs.
template <class World>
void script(World& w) {
  using client = typename World::client;
  using follow = follower<client>;
  auto const until = [&](auto&& done, std::initializer_list<follow*> all, char const* what) {
    for (auto const by = in(30s); !done();) {
      if (std::chrono::steady_clock::now() > by) return w.see(std::string{"it never came to this: "} + what);
      for (auto* f : all) f->turn();
    }
  };
  auto const ends = [&](client& c, std::int32_t p) {
    auto const e = c.ends({{w.topic(), p}}, in(10s)).at(0);
    return std::to_string(e.low.value()) + " to " + std::to_string(e.high.value());
  };
  auto const commit = [&](client& c, std::int32_t p, std::int64_t at) {
    return text(c.positions().store({{.of = {w.topic(), p}, .next = sl::offset{at}, .note = "n"}}, in(5s)).at(0));
  };
  auto const committed = [&](client& c, std::int32_t p) {
    auto const found = c.positions().read({{w.topic(), p}}, in(5s)).at(0);
    return found.there ? std::to_string(found.next.value()) + " " + found.note : "nothing";
  };
  auto const told = [&](follow& f) {
    std::string s;
    for (auto const& n : f.news) s += n + " ";
    f.news.clear();
    return s;
  };

  // One member has everything, and reads it.
  w.produce(0, 6);
  w.produce(1, 4);
  follow a{w.join(), w.topic()};
  until([&] { return a.read[0].size() == 6 && a.read[1].size() == 4; }, {&a}, "the first member reads all");
  w.see("alone: " + told(a) + text(a.read[0]) + " and " + text(a.read[1]));
  w.see("ends: " + ends(a.client, 0) + ", " + ends(a.client, 1));
  w.see("committed before: " + committed(a.client, 0));
  w.see("commit: " + commit(a.client, 0, 3) + ", then there is " + committed(a.client, 0));
  w.see("a lower commit: " + commit(a.client, 0, 2) + ", then there is " + committed(a.client, 0));

  // A second one comes: the first is told to give up all, then each has one.
  follow b{w.join(), w.topic()};
  until([&] { return a.owned() == 1 && b.owned() == 1; }, {&a, &b}, "each has a partition");
  w.see("two: the first " + told(a) + "the second " + told(b));
  auto const of_b = b.queues.begin()->first;
  w.see("who owns another one commits: " + commit(a.client, of_b, 1));
  w.see("the owner commits: " + commit(b.client, of_b, 2));

  // The second does not poll: the group goes on without it, and takes nothing from it any more.
  w.stalls(1);
  until([&] { return a.owned() == 2; }, {&a}, "the first has both again");
  w.see("alone again: the first " + told(a));
  w.see("who was put out commits: " + commit(b.client, of_b, 4) + ", then there is " + committed(a.client, of_b));
  until([&] { return a.owned() == 1 && b.owned() == 1; }, {&b, &a}, "it is a member again");
  w.see("who was put out hears: " + told(b));

  // It leaves.
  w.leaves(1);
  until([&] { return a.owned() == 2; }, {&a}, "the first has both once more");
  (void)told(a);

  // A partition is added.
  w.grow(3);
  until([&] { return a.owned() == 3; }, {&a}, "it has the third partition");
  w.see("added: " + told(a));
  w.leaves(0);

  // By hand from here on. Records deleted below.
  follow h{w.by_hand(), w.topic()};
  w.delete_below(0, 4);
  w.see("after retention: " + ends(h.client, 0));
  h.read_from(0, 2);
  until([&] { return h.outside; }, {&h}, "an offset below the log is told");
  h.read_from(0, 4);
  until([&] { return h.read[0].size() == 2; }, {&h}, "the rest is read");
  w.see("from the first that is left: " + text(h.read[0]));
  h.read_from(0, 9);
  until([&] { return h.outside; }, {&h}, "an offset behind the log is told");
  // Twice: the first time what was said of the offset before may come late.
  for (int round = 0; round < 2; ++round) {
    h.read_from(0, 6);
    for (int i = 0; i < 20; ++i) h.turn();
  }
  w.see(std::string{"at the end: "} + (h.outside ? "outside" : "nothing comes"));

  // Aborted records are not seen; they and the marker take offsets.
  w.abort(1, 3);
  until([&] { return ends(h.client, 1) == "0 to 8"; }, {&h}, "the abort's marker is there");
  w.produce(1, 2);
  h.read_from(1, 0);
  until([&] { return h.read[1].size() == 6; }, {&h}, "what was not aborted is read");
  w.see("with aborted ones: " + text(h.read[1]) + ", ends " + ends(h.client, 1));
  w.abort(1, 1);
  until([&] { return ends(h.client, 1) == "0 to 12"; }, {&h}, "the marker moves the end");
  h.read_from(1, 9);
  until([&] { return h.read[1].size() == 1; }, {&h}, "the last one is read");

  // A position amid what was compacted away is no error: what comes next, comes.
  w.compact(2);
  follow c{w.by_hand(), w.topic()};
  auto const last = c.client.ends({{w.topic(), 2}}, in(10s)).at(0).high.value() - 1;
  c.read_from(2, 0);
  until([&] { return !c.read[2].empty() && c.read[2].back() == last; }, {&c}, "the compacted log is read");
  w.see(std::string{"compacted: the first record "} + (c.read[2].front() > 0 ? "is gone" : "is there") +
        ", the log begins at " + std::to_string(c.client.ends({{w.topic(), 2}}, in(10s)).at(0).low.value()) +
        (std::is_sorted(c.read[2].begin(), c.read[2].end()) ? ", in order" : ", in disorder") +
        (c.outside ? ", outside" : ""));

  // Deleted and created again: offsets begin anew.
  w.recreate();
  w.produce(0, 3);
  follow n{w.by_hand(), w.topic()};
  w.see("created again: ends " + ends(n.client, 0));
  n.read_from(0, 6);
  until([&] { return n.outside; }, {&n}, "an offset of the log before is told");
  n.read_from(0, 0);
  until([&] { return n.read[0].size() == 3; }, {&n}, "it is read");
  w.see("and what it holds: " + text(n.read[0]));
}

class real_world {
  servers::kafka broker_{};
  servers::kafka_topics topics_{broker_.bootstrap()};
  std::string name_ = "held";
  std::vector<std::pair<std::string, std::string>> compacting_{
      {"cleanup.policy", "compact"},  {"min.cleanable.dirty.ratio", "0.001"}, {"segment.ms", "100"},
      {"min.compaction.lag.ms", "0"}, {"max.compaction.lag.ms", "100"},       {"delete.retention.ms", "0"}};
  std::deque<sl::rdkafka_client> clients_{};
  int produced_ = 0;

 public:
  using client = sl::rdkafka_client;
  seen all{};

  real_world() { topics_.create(name_, 2); }
  void see(std::string const& s) { all.push_back(s); }
  std::string topic() const { return name_; }

  client& join() {
    auto& c = clients_.emplace_back(settings(true));
    c.subscribe({name_});
    return c;
  }
  client& by_hand() { return clients_.emplace_back(settings(false)); }
  void stalls(int) {}  // it is not asked for its news, and is put out within seconds
  void leaves(int i) { (void)clients_[static_cast<std::size_t>(i)].close(in(10s)); }

  void produce(std::int32_t p, int n) {
    for (int i = 0; i < n; ++i) topics_.produce(name_, p, {{"k" + std::to_string(++produced_), "v"}});
  }
  void abort(std::int32_t p, int n) {
    topics_.abort(name_, p, std::vector<servers::topic_record>(static_cast<std::size_t>(n), {"k", "aborted"}));
  }
  void delete_below(std::int32_t p, std::int64_t at) { topics_.delete_below(name_, p, at); }
  void grow(std::size_t n) { topics_.grow(name_, n); }
  void recreate() {
    name_ = "held";
    topics_.remove(name_);
    topics_.create(name_, 3);
  }
  /// In a topic of its own, since there it takes a while.
  void compact(std::int32_t p) {
    name_ = "compacted";
    topics_.create(name_, 3, compacting_);
    topics_.produce(name_, p, std::vector<servers::topic_record>(6, {"k", "v"}));
    for (auto const by = in(60s); std::chrono::steady_clock::now() < by;) {
      std::this_thread::sleep_for(300ms);
      topics_.produce(name_, p, {{"k", "v"}});
      if (topics_.read(name_, 3).at(p).size() < 6) return;
    }
  }

 private:
  sl::rdkafka_settings settings(bool member) const {
    return {.brokers = broker_.bootstrap(),
            .group = "held",
            .properties = {{"session.timeout.ms", "2000"},
                           {"max.poll.interval.ms", "3000"},
                           {"heartbeat.interval.ms", "300"},
                           {"topic.metadata.refresh.interval.ms", "200"},
                           {"metadata.max.age.ms", "1000"}},
            .subscribe = member};
  }
};

class simulated_world {
  st::process& p_;
  std::deque<st::simulated::simulated_client> clients_{};
  seen& all_;

  auto& topic_of() { return p_.around()->cluster.topic; }

 public:
  using client = st::simulated::simulated_client;

  simulated_world(st::process& p, seen& all) : p_(p), all_(all) {
    for (auto& log : topic_of().logs) log = {};
  }
  void see(std::string const& s) {
    p_.outside([&] { all_.push_back(s); });
  }
  std::string topic() const { return st::process::topic(); }

  client& join() {
    auto& c = make(false);
    c.subscribe({topic()});
    return c;
  }
  client& by_hand() { return make(true); }
  void stalls(int i) {
    p_.around()->cluster.group.put_out(i, 1);
    p_.around()->cluster.presence_of(i).too_slow = true;
  }
  void leaves(int i) { (void)clients_[static_cast<std::size_t>(i)].close(in(10s)); }

  void produce(std::int32_t p, int n) {
    for (int i = 0; i < n; ++i) topic_of().append(p, 1, static_cast<char>('a' + i));
  }
  void abort(std::int32_t p, int n) { topic_of().append(p, n, 'x', true); }
  void delete_below(std::int32_t p, std::int64_t at) { topic_of().retain_from(p, at); }
  void grow(int n) {
    while (topic_of().partitions() < n) topic_of().add_partition();
    p_.around()->cluster.group.rebalance();
  }
  void recreate() {
    for (int p = 0; p < topic_of().partitions(); ++p) topic_of().recreate(p);
  }
  void compact(std::int32_t p) {
    topic_of().append(p, 8, 'k');
    topic_of().compact(p);
  }

 private:
  client& make(bool by_hand) {
    return clients_.emplace_back(p_.around()->cluster, by_hand, static_cast<int>(clients_.size()));
  }
};

seen on_the_simulated_one(std::uint64_t seed) {
  seen all;
  st::simulation world{st::promise::at_least_once, [&](st::process& p) {
                         simulated_world w{p, all};
                         script(w);
                         p.broken("done", "");
                       }};
  world.heals_within = 100'000s;
  auto const r = world.run({.seed = seed, .processes = 1, .records = 0, .most_faults = 0});
  CHECK(r.broken == "done");
  CHECK(r.sentence == "");
  return all;
}

}  // namespace

TEST_CASE("the simulated Kafka shows clients what a real one does") {
  auto const simulated = on_the_simulated_one(1);
  for (std::uint64_t seed = 2; seed <= 20; ++seed) CHECK(on_the_simulated_one(seed) == simulated);
  real_world real;
  script(real);
  REQUIRE(simulated.size() == real.all.size());
  for (std::size_t i = 0; i < simulated.size(); ++i) CHECK(simulated[i] == real.all[i]);
}
