/// \file kafka_topics.hpp  Topics of a real cluster as tests want them: made, filled, and read back whole.
#pragma once
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace servers {

struct topic_record {
  std::string key{}, value{};
  friend bool operator==(topic_record const&, topic_record const&) = default;
};

class kafka_topics {
  using properties = std::vector<std::pair<std::string, std::string>>;
  using client = std::unique_ptr<rd_kafka_t, void (*)(rd_kafka_t*)>;
  std::string brokers_;

  client make(rd_kafka_type_t type, properties more = {}) const {
    auto* conf = rd_kafka_conf_new();
    more.emplace_back("bootstrap.servers", brokers_);
    more.emplace_back("log_level", "2");
    char why[512] = "";
    for (auto const& [name, value] : more)
      if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why)) throw std::runtime_error(why);
    auto* c = rd_kafka_new(type, conf, why, sizeof why);
    if (!c) throw std::runtime_error(why);
    return {c, rd_kafka_destroy};
  }

 public:
  explicit kafka_topics(std::string brokers) : brokers_(std::move(brokers)) {}

  void create(std::string const& name, int partitions, properties const& configuration = {}) const {
    char why[512] = "";
    auto* topic = rd_kafka_NewTopic_new(name.c_str(), partitions, -1, why, sizeof why);
    if (!topic) throw std::runtime_error(why);
    for (auto const& [key, value] : configuration) rd_kafka_NewTopic_set_config(topic, key.c_str(), value.c_str());
    auto const answer =
        ask([&](rd_kafka_t* c, rd_kafka_queue_t* q) { rd_kafka_CreateTopics(c, &topic, 1, nullptr, q); });
    rd_kafka_NewTopic_destroy(topic);
    std::size_t n = 0;
    check(rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &n));
  }
  /// Returns when no broker knows it any more.
  void remove(std::string const& name) const {
    auto* topic = rd_kafka_DeleteTopic_new(name.c_str());
    auto const answer =
        ask([&](rd_kafka_t* c, rd_kafka_queue_t* q) { rd_kafka_DeleteTopics(c, &topic, 1, nullptr, q); });
    rd_kafka_DeleteTopic_destroy(topic);
    std::size_t n = 0;
    check(rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer.get()), &n));
    std::this_thread::sleep_for(std::chrono::milliseconds{500});
  }
  void grow(std::string const& name, std::size_t partitions) const {
    char why[512] = "";
    auto* more = rd_kafka_NewPartitions_new(name.c_str(), partitions, why, sizeof why);
    if (!more) throw std::runtime_error(why);
    auto const answer =
        ask([&](rd_kafka_t* c, rd_kafka_queue_t* q) { rd_kafka_CreatePartitions(c, &more, 1, nullptr, q); });
    rd_kafka_NewPartitions_destroy(more);
    std::size_t n = 0;
    check(rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(answer.get()), &n));
  }
  /// The log begins at `first` from now on.
  void delete_below(std::string const& topic, std::int32_t partition, std::int64_t first) const {
    auto* set = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(set, topic.c_str(), partition)->offset = first;
    auto* what = rd_kafka_DeleteRecords_new(set);
    rd_kafka_topic_partition_list_destroy(set);
    auto const answer =
        ask([&](rd_kafka_t* c, rd_kafka_queue_t* q) { rd_kafka_DeleteRecords(c, &what, 1, nullptr, q); });
    rd_kafka_DeleteRecords_destroy(what);
    auto const* done = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(answer.get()));
    if (auto const e = done->elems[0].err) throw std::runtime_error(rd_kafka_err2str(e));
  }

  /// Records of one partition, in order; returns when all are acknowledged.
  void produce(std::string const& topic, std::int32_t partition, std::vector<topic_record> const& records) const {
    auto const c =
        make(RD_KAFKA_PRODUCER,
             {{"linger.ms", "20"}, {"enable.idempotence", "true"}, {"queue.buffering.max.messages", "1000000"}});
    send(c, topic, partition, records);
  }
  /// Records of a transaction that is aborted: readers of committed records don't see them.
  void abort(std::string const& topic, std::int32_t partition, std::vector<topic_record> const& records) const {
    auto const c = make(RD_KAFKA_PRODUCER, {{"transactional.id", "aborter." + topic}});
    check(rd_kafka_init_transactions(c.get(), 30'000));
    check(rd_kafka_begin_transaction(c.get()));
    send(c, topic, partition, records);
    check(rd_kafka_abort_transaction(c.get(), 30'000));
  }

 private:
  static void send(client const& c, std::string const& topic, std::int32_t partition,
                   std::vector<topic_record> const& records) {
    for (auto const& r : records) {
      auto const e = rd_kafka_producev(c.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_KEY(r.key.data(), r.key.size()),
                                       RD_KAFKA_V_VALUE(const_cast<char*>(r.value.data()), r.value.size()),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
      if (e) throw std::runtime_error(rd_kafka_err2str(e));
    }
    if (rd_kafka_flush(c.get(), 60'000)) throw std::runtime_error("not all records were written to " + topic);
  }
  using event = std::unique_ptr<rd_kafka_event_t, void (*)(rd_kafka_event_t*)>;
  template <class Send>
  event ask(Send send_it) const {
    auto const c = make(RD_KAFKA_PRODUCER);
    std::unique_ptr<rd_kafka_queue_t, void (*)(rd_kafka_queue_t*)> const queue{rd_kafka_queue_new(c.get()),
                                                                               rd_kafka_queue_destroy};
    send_it(c.get(), queue.get());
    event answer{rd_kafka_queue_poll(queue.get(), 30'000), rd_kafka_event_destroy};
    if (!answer) throw std::runtime_error("no answer of the brokers");
    if (rd_kafka_event_error(answer.get())) throw std::runtime_error(rd_kafka_event_error_string(answer.get()));
    return answer;
  }
  static void check(rd_kafka_topic_result_t const* const* one) {
    if (rd_kafka_topic_result_error(*one)) throw std::runtime_error(rd_kafka_topic_result_error_string(*one));
  }
  static void check(rd_kafka_error_t* e) {
    if (!e) return;
    std::string const why = rd_kafka_error_string(e);
    rd_kafka_error_destroy(e);
    throw std::runtime_error(why);
  }

 public:
  /// The sum of a group's offsets in a topic; partitions without one count as 0.
  std::int64_t committed(std::string const& group, std::string const& topic, int partitions) const {
    auto const c = make(RD_KAFKA_CONSUMER, {{"group.id", group}});
    auto* set = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; ++p) rd_kafka_topic_partition_list_add(set, topic.c_str(), p);
    std::int64_t sum = 0;
    if (rd_kafka_committed(c.get(), set, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR)
      for (int i = 0; i < set->cnt; ++i) sum += std::max<std::int64_t>(set->elems[i].offset, 0);
    rd_kafka_topic_partition_list_destroy(set);
    return sum;
  }

  /// Numbers of brokers, from 1: who leads it (-1: nobody does), and all that have it.
  std::pair<int, std::vector<int>> replicas(std::string const& topic, std::int32_t partition) const {
    auto const c = make(RD_KAFKA_PRODUCER);
    rd_kafka_metadata_t const* all = nullptr;
    if (rd_kafka_metadata(c.get(), 1, nullptr, &all, 5000)) return {-1, {}};
    std::pair<int, std::vector<int>> found{-1, {}};
    for (int t = 0; t < all->topic_cnt; ++t)
      for (int p = 0; p < all->topics[t].partition_cnt; ++p)
        if (auto const& one = all->topics[t].partitions[p]; all->topics[t].topic == topic && one.id == partition)
          found = {one.leader, {one.replicas, one.replicas + one.replica_cnt}};
    rd_kafka_metadata_destroy(all);
    return found;
  }

  /// All that a read_committed reader sees of each partition, up to its end.
  std::map<std::int32_t, std::vector<topic_record>> read(std::string const& topic, int partitions) const {
    auto const c = make(RD_KAFKA_CONSUMER, {{"group.id", "test.reader"},
                                            {"isolation.level", "read_committed"},
                                            {"enable.partition.eof", "true"},
                                            {"enable.auto.commit", "false"}});
    rd_kafka_poll_set_consumer(c.get());
    auto* set = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; ++p) rd_kafka_topic_partition_list_add(set, topic.c_str(), p)->offset = 0;
    rd_kafka_assign(c.get(), set);
    rd_kafka_topic_partition_list_destroy(set);
    std::map<std::int32_t, std::vector<topic_record>> all;
    auto const give_up = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    for (int ended = 0; ended < partitions;) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("can't read " + topic + " to its end");
      auto* m = rd_kafka_consumer_poll(c.get(), 1000);
      if (!m) continue;
      if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        ++ended;
      else if (!m->err)
        all[m->partition].push_back(
            {{static_cast<char const*>(m->key), m->key_len}, {static_cast<char const*>(m->payload), m->len}});
      rd_kafka_message_destroy(m);
    }
    rd_kafka_consumer_close(c.get());
    return all;
  }
};

}  // namespace servers
