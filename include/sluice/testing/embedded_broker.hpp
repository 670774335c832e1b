/// \file testing/embedded_broker.hpp  A Kafka cluster inside the process, for tests: librdkafka's mock cluster.
#pragma once
#include <sluice/detail/rdkafka.hpp>
#include <sluice/error.hpp>
#include <sluice/record.hpp>

#include <librdkafka/rdkafka_mock.h>  // takes for granted that rdkafka.h came before

#include <initializer_list>
#include <mutex>
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace testing {

/// Which requests fail_next() and delay_next() mean: Kafka's numbers for them.
enum class request : std::int16_t {
  produce = 0,
  fetch = 1,
  list_offsets = 2,
  metadata = 3,
  offset_commit = 8,
  offset_fetch = 9,
  find_coordinator = 10,
  join_group = 11,
  heartbeat = 12,
  leave_group = 13,
  sync_group = 14,
};

/// A record to be produced; without a value it is a tombstone.
struct produced {
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
  std::int64_t timestamp = 0;  ///< ms since 1970; 0: now
};

/// Speaks Kafka's protocol on a port of 127.0.0.1, to any client, so several processes may share it.
///
/// Its limits: of each partition about the last 5 MB or 100,000 records are kept (older ones are gone, as by
/// retention). The first member of an empty group waits 3 s for others, and where its last member has left, for that
/// member's session.timeout.ms (45 s by default); one below 2,500 rarely forms a group,
/// and 2,500 not always. An unknown topic that somebody asks for is created, with 4 partitions (see refuse_topic). No
/// offsets by time (always the end), no added or deleted partitions, no compaction, no users and rights. Transactions are
/// accepted, not kept: offsets sent to them are thrown away.
///
/// Any thread may call; each call waits until it has taken effect.
class embedded_broker {
  rd_kafka_t* client_ = nullptr;  // a producer, in which the cluster lives
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  std::mutex producing_{};  // delivery reports come to whoever polls

 public:
  explicit embedded_broker(int brokers = 1) {
    detail::rdkafka_conf conf{rd_kafka_conf_new()};
    rd_kafka_conf_set_log_cb(conf.get(), nullptr);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), delivered);
    char why[512] = "";
    for (auto const& [key, value] :
         {std::pair{"linger.ms", "0"}, {"message.max.bytes", "8000000"}, {"queue.buffering.max.messages", "200000"}})
      rd_kafka_conf_set(conf.get(), key, value, why, sizeof why);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), why, sizeof why);
    if (!client_) throw error(errc::client_failed, std::string("no embedded broker: ") + why);
    static_cast<void>(conf.release());
    cluster_ = rd_kafka_mock_cluster_new(client_, brokers);
    if (!cluster_) {
      rd_kafka_destroy(client_);
      throw error(errc::client_failed, "no embedded broker: no port of 127.0.0.1 could be had");
    }
    rd_kafka_brokers_add(client_, bootstrap().c_str());
  }
  ~embedded_broker() {
    rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(client_, 0);
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  embedded_broker(embedded_broker const&) = delete;
  embedded_broker& operator=(embedded_broker const&) = delete;

  /// For kafka{.brokers}.
  std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }

  void create_topic(std::string const& name, int partitions) {
    check(rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1), "create " + name);
    // Asked for at once, or the first produce waits for the next whole second.
    detail::rdkafka_topic const topic{rd_kafka_topic_new(client_, name.c_str(), nullptr)};
    struct rd_kafka_metadata const* found = nullptr;
    if (!rd_kafka_metadata(client_, 0, topic.get(), &found, 5000)) rd_kafka_metadata_destroy(found);
  }

  /// Every question about this topic is answered with this error, such as RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART.
  void refuse_topic(std::string const& name, rd_kafka_resp_err_t with) {
    rd_kafka_mock_topic_set_error(cluster_, name.c_str(), with);
  }

  /// Returns where it stands, when the broker has it. Throws error after 10 s without an answer.
  offset produce(std::string const& topic, std::int32_t partition, produced const& what) {
    std::lock_guard const lock{producing_};
    delivery d{1};
    send({topic, partition}, what, d);
    await(d);
    return d.last;
  }
  offset produce(std::string const& topic, std::int32_t partition, std::string key, std::string value) {
    return produce(topic, partition, {.key = std::move(key), .value = std::move(value)});
  }

  /// All of a range of `produced` into one partition, in order; returns when the broker has the last.
  template <std::ranges::input_range Range>
  void produce_all(std::string const& topic, std::int32_t partition, Range&& what) {
    std::lock_guard const lock{producing_};
    delivery d{};
    for (auto&& one : what) {
      ++d.open;
      send({topic, partition}, one, d);
    }
    await(d);
  }

  // What goes wrong

  /// Connections break, new ones are refused. -1: all brokers; their numbers begin with 1.
  void broker_down(std::int32_t broker = -1) { check(rd_kafka_mock_broker_set_down(cluster_, broker), "go down"); }
  void broker_up(std::int32_t broker = -1) { check(rd_kafka_mock_broker_set_up(cluster_, broker), "come up"); }

  /// Each answer takes so long.
  void round_trip(std::chrono::milliseconds time, std::int32_t broker = -1) {
    check(rd_kafka_mock_broker_set_rtt(cluster_, broker, static_cast<int>(time.count())), "set the round trip");
  }

  /// The next requests of this kind to this broker fail with these errors, one each, whoever sends them.
  /// RD_KAFKA_RESP_ERR__TRANSPORT: the connection breaks.
  void fail_next(request kind, std::initializer_list<rd_kafka_resp_err_t> errors, std::int32_t broker = 1) {
    for (auto const e : errors) push(kind, e, 0, broker);
  }

  /// The next request of this kind to this broker is done at once, and its answer comes so much later.
  void delay_next(request kind, std::chrono::milliseconds time, std::int32_t broker = 1) {
    push(kind, RD_KAFKA_RESP_ERR_NO_ERROR, static_cast<int>(time.count()), broker);
  }

  /// -1: the partition has no leader.
  void move_leader(std::string const& topic, std::int32_t partition, std::int32_t broker) {
    check(rd_kafka_mock_partition_set_leader(cluster_, topic.c_str(), partition, broker), "move the leader");
  }
  /// The broker must exist, but may be down.
  void move_coordinator(std::string const& group, std::int32_t broker) {
    check(rd_kafka_mock_coordinator_set(cluster_, "group", group.c_str(), broker), "move the coordinator");
  }

  /// How long the first member of an empty group waits for others. False: this librdkafka can't, it stays 3 s.
  bool group_initial_delay(std::chrono::milliseconds time) { return initial_delay(cluster_, time.count()); }

 private:
  // All on the broker's stack: the mock cluster looks no further once that was ever used.
  void push(request kind, rd_kafka_resp_err_t e, int delay, std::int32_t broker) {
    check(rd_kafka_mock_broker_push_request_error_rtts(cluster_, broker, static_cast<std::int16_t>(kind), 1, e, delay),
          "fail on demand");
  }

  struct delivery {
    std::size_t open = 0;
    offset last{};
    rd_kafka_resp_err_t failed = RD_KAFKA_RESP_ERR_NO_ERROR;
  };

  static void delivered(rd_kafka_t*, rd_kafka_message_t const* m, void*) {
    auto& d = *static_cast<delivery*>(m->_private);
    --d.open;
    d.last = offset{m->offset};
    if (m->err) d.failed = m->err;
  }

  void send(topic_partition const& to, produced const& what, delivery& d) {
    auto* headers = what.headers.empty() ? nullptr : rd_kafka_headers_new(what.headers.size());
    for (auto const& [name, value] : what.headers)
      rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value ? value->data() : nullptr,
                          value ? static_cast<ssize_t>(value->size()) : 0);
    for (;;) {
      rd_kafka_vu_t parts[8] = {};
      std::size_t n = 0;
      auto const part = [&](rd_kafka_vtype_t type) -> auto& {
        parts[n].vtype = type;
        return parts[n++].u;
      };
      part(RD_KAFKA_VTYPE_TOPIC).cstr = to.topic.c_str();
      part(RD_KAFKA_VTYPE_PARTITION).i32 = to.partition;
      part(RD_KAFKA_VTYPE_MSGFLAGS).i = RD_KAFKA_MSG_F_COPY;
      part(RD_KAFKA_VTYPE_TIMESTAMP).i64 = what.timestamp;
      part(RD_KAFKA_VTYPE_OPAQUE).ptr = &d;
      // A null pointer is no key or value; an empty one needs a pointer all the same.
      if (what.key) part(RD_KAFKA_VTYPE_KEY).mem = {const_cast<char*>(what.key->data()), what.key->size()};
      if (what.value) part(RD_KAFKA_VTYPE_VALUE).mem = {const_cast<char*>(what.value->data()), what.value->size()};
      if (headers) part(RD_KAFKA_VTYPE_HEADERS).headers = headers;
      detail::rdkafka_error const e{rd_kafka_produceva(client_, parts, n)};
      if (!e) return;
      if (rd_kafka_error_code(e.get()) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(client_, 100);
        continue;
      }
      if (headers) rd_kafka_headers_destroy(headers);
      --d.open;
      await(d);
      throw error(errc::client_failed, std::string("can't produce: ") + rd_kafka_error_string(e.get()));
    }
  }

  void await(delivery& d) {
    auto const by = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (d.open > 0 && std::chrono::steady_clock::now() < by) rd_kafka_poll(client_, 100);
    if (d.open > 0) {
      // The reports must not find `d` gone.
      rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
      while (d.open > 0) rd_kafka_poll(client_, 100);
      throw error(errc::no_broker, "the embedded broker does not answer");
    }
    check(d.failed, "produce");
  }

  template <class Cluster, class Time>
  static bool initial_delay(Cluster* cluster, Time ms) {
    if constexpr (requires {
                    rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, static_cast<std::int32_t>(ms));
                  }) {
      rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, static_cast<std::int32_t>(ms));
      return true;
    } else {
      return false;
    }
  }

  static void check(rd_kafka_resp_err_t e, std::string const& what) {
    if (e) throw error(errc::client_failed, "the embedded broker can't " + what + ": " + rd_kafka_err2str(e));
  }
};

}}}  // namespace sluice::v0::testing
