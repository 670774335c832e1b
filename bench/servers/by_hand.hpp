/// \file by_hand.hpp  Reading as one would by hand, with the settings that are fastest: each partition's queue, in batches.
#pragma once
#include <librdkafka/rdkafka.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

class reader_by_hand {
  rd_kafka_t* client_ = nullptr;
  std::vector<rd_kafka_queue_t*> queues_{};
  int bell_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  std::vector<rd_kafka_message_t*> some_ = std::vector<rd_kafka_message_t*>(10'000);

 public:
  /// All partitions of the topic, from their beginnings.
  reader_by_hand(std::string const& brokers, std::string const& topic, int partitions) {
    char why[512] = "";
    auto* conf = rd_kafka_conf_new();
    for (auto const& [key, value] : std::array<std::pair<char const*, char const*>, 9>{
             {{"bootstrap.servers", brokers.c_str()},
              {"group.id", "by-hand"},
              {"enable.auto.commit", "false"},
              {"auto.offset.reset", "earliest"},
              {"fetch.message.max.bytes", "131072"},
              {"queued.min.messages", "200000"},
              {"queued.max.messages.kbytes", "65536"},
              {"fetch.wait.max.ms", "10"},
              {rd_kafka_version() < 0x02020000 ? "fetch.error.backoff.ms" : "fetch.queue.backoff.ms", "1"}}})
      if (rd_kafka_conf_set(conf, key, value, why, sizeof why) != RD_KAFKA_CONF_OK) throw std::runtime_error(why);
    client_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!client_) throw std::runtime_error(why);
    auto* list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; ++p) {
      rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = 0;
      auto* queue = rd_kafka_queue_get_partition(client_, topic.c_str(), p);
      rd_kafka_queue_forward(queue, nullptr);
      rd_kafka_queue_io_event_enable(queue, bell_, "\1\0\0\0\0\0\0", 8);
      queues_.push_back(queue);
    }
    rd_kafka_assign(client_, list);
    rd_kafka_topic_partition_list_destroy(list);
  }
  reader_by_hand(reader_by_hand const&) = delete;
  ~reader_by_hand() {
    for (auto* q : queues_) rd_kafka_queue_destroy(q);
    rd_kafka_consumer_close(client_);
    rd_kafka_destroy(client_);
    ::close(bell_);
  }

  /// Waits for records; calls `handle(messages, count)` for each partition's, and frees them.
  template <class Handle>
  void step(Handle handle) {
    bool any = false;
    for (auto* q : queues_) {
      auto const ready = std::min(rd_kafka_queue_length(q), some_.size());
      if (ready == 0) continue;
      auto const n = rd_kafka_consume_batch_queue(q, 0, some_.data(), ready);
      if (n <= 0) continue;
      any = true;
      handle(some_.data(), static_cast<std::size_t>(n));
      for (int i = 0; i < n; ++i) rd_kafka_message_destroy(some_[static_cast<std::size_t>(i)]);
    }
    if (any) return;
    pollfd p{bell_, POLLIN, 0};
    ::poll(&p, 1, 100);
    std::uint64_t rung = 0;
    static_cast<void>(::read(bell_, &rung, sizeof rung) == sizeof rung);
  }
};
