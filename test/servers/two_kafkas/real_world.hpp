/// \file real_world.hpp  Where scripts run on a real Kafka.
#pragma once
#include <sluice/source/rdkafka_client.hpp>

#include <deque>
#include <optional>
#include <tuple>

#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"
#include "servers/proxy.hpp"
#include "servers/silent_leader.hpp"
#include "servers/two_kafkas/script.hpp"

namespace sluice { inline namespace v0 { namespace detail {
/// Cooperative groups are refused where librdkafka is old; what scripts ask of one, it does.
template <>
inline void check_strategy(std::map<std::string, std::string> const&, bool, int) {}
}}}  // namespace sluice::v0::detail

namespace two_kafkas {

/// Beside its own a listener that is reached through a proxy, far away. Of three nodes two have each topic, and one of them may
/// lead it that lacks records.
struct real_kafka {
  int nodes = 1;
  int far_port = servers::free_port();
  servers::proxy way{far_port};
  servers::kafka broker{servers::kafka_setup{
      .nodes = nodes,
      .more = {"default.replication.factor=" + std::to_string(std::min(nodes, 2)), "min.insync.replicas=1",
               "unclean.leader.election.enable=true"},
      .listeners = {{.name = "far", .protocol = "PLAINTEXT", .port = far_port, .told = way.port()}}}};
  int port() const {
    auto const all = broker.bootstrap();
    return std::stoi(all.substr(all.find(':') + 1));
  }
  static real_kafka& shared() {
    static real_kafka one;
    return one;
  }
};

class real_world {
  real_kafka& kafka_;
  servers::kafka_topics topics_{kafka_.broker.bootstrap()};
  bool cooperative_;
  std::string group_ = "held-" + std::to_string(++count()), name_ = group_;
  std::vector<std::pair<std::string, std::string>> compacting_{
      {"cleanup.policy", "compact"},  {"min.cleanable.dirty.ratio", "0.001"}, {"segment.ms", "100"},
      {"min.compaction.lag.ms", "0"}, {"max.compaction.lag.ms", "100"},       {"delete.retention.ms", "0"}};
  std::deque<sl::rdkafka_client> clients_{};
  std::optional<servers::silent_leader> leader_{};
  int produced_ = 0;
  int leads_ = -1, stands_still_ = -1;  // numbers of brokers, from 1

  static int& count() {
    static int n = 0;
    return n;
  }

 public:
  using client = sl::rdkafka_client;
  seen all{};

  real_world(real_kafka& kafka, bool cooperative) : kafka_(kafka), cooperative_(cooperative) {
    topics_.create(name_, 2);
  }
  ~real_world() {
    for (auto& c : clients_) (void)c.close(in(10s));
  }
  void see(std::string const& s) { all.push_back(s); }
  std::string topic() const { return name_; }

  client& join() { return member(kafka_.broker.bootstrap()); }
  client& join_from_afar() { return member(kafka_.broker.address("far")); }
  client& by_hand() { return clients_.emplace_back(settings(kafka_.broker.bootstrap(), false)); }
  void stalls(int) {}  // it is not asked for its news, and is put out within seconds
  void falls_silent(int) { kafka_.way.refuse(true); }
  void speaks(int) { kafka_.way.refuse(false); }
  void leaves(int i) { (void)clients_[static_cast<std::size_t>(i)].close(in(10s)); }

  void is_led_silently() { leader_.emplace(kafka_.port(), group_); }
  std::string leader_commits(std::int32_t p, std::int64_t at, int generations) {
    auto const e = static_cast<rd_kafka_resp_err_t>(leader_->commit(name_, p, at, generations));
    return text(sl::detail::commit_outcome(e).value_or(sl::outcome::unknown));
  }

  void produce(std::int32_t p, int n) {
    for (int i = 0; i < n; ++i) {
      auto const number = std::to_string(++produced_);
      topics_.produce(name_, p, {{"k" + number, number}});
    }
  }
  void abort(std::int32_t p, int n) {
    topics_.abort(name_, p, std::vector<servers::topic_record>(static_cast<std::size_t>(n), {"k", "aborted"}));
  }
  /// Records that only the partition's leader has.
  void produce_at_its_leader(std::int32_t p, int n) {
    std::vector<int> both;
    std::tie(leads_, both) = topics_.replicas(name_, p);
    stands_still_ = both.at(0) == leads_ ? both.at(1) : both.at(0);
    kafka_.broker.freeze(static_cast<std::size_t>(stands_still_ - 1), true);
    produce(p, n);
  }
  /// The other one leads.
  void lose_leader(std::int32_t p) {
    kafka_.broker.kill(static_cast<std::size_t>(leads_ - 1));
    kafka_.broker.freeze(static_cast<std::size_t>(stands_still_ - 1), false);
    for (auto const by = in(40s); topics_.replicas(name_, p).first != stands_still_;)
      if (std::chrono::steady_clock::now() > by) throw std::runtime_error("nobody leads the partition");
  }
  void delete_below(std::int32_t p, std::int64_t at) { topics_.delete_below(name_, p, at); }
  void grow(std::size_t n) { topics_.grow(name_, n); }
  void recreate() {
    name_ = group_;
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
  client& member(std::string const& at) {
    auto& c = clients_.emplace_back(settings(at, true));
    c.subscribe({name_});
    return c;
  }
  sl::rdkafka_settings settings(std::string const& at, bool member) const {
    return {.brokers = at,
            .group = group_,
            .properties = {{"session.timeout.ms", "2000"},
                           {"max.poll.interval.ms", "3000"},
                           {"heartbeat.interval.ms", "300"},
                           {"reconnect.backoff.max.ms", "500"},
                           {"topic.metadata.refresh.interval.ms", "200"},
                           {"metadata.max.age.ms", "1000"},
                           {"partition.assignment.strategy", cooperative_ ? "cooperative-sticky" : "range"}},
            .subscribe = member};
  }
};

}  // namespace two_kafkas
