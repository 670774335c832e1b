/// \file source/rdkafka_instance.hpp  One librdkafka consumer with all that must die with it, and how it is buried.
///
/// A client may be thrown away and made anew (see group_positions::abandon), and closing can take as long as the
/// brokers like. So what belongs to one librdkafka handle is one object, and a thread of its own closes it.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/detail/wake.hpp>
#include <sluice/source/rdkafka_config.hpp>
#include <sluice/source/rdkafka_sockets.hpp>
#include <sluice/source/rdkafka_token.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

template <class Late>
struct basic_rdkafka_instance {
  /// A partition's own queue, apart from the main one.
  struct partition_queue {
    topic_partition of{};
    rdkafka_queue queue{};
    rd_kafka_topic_t const* topic = nullptr;                   // whose records came out of it
    late<std::vector<rd_kafka_message_t*>, Late> held_back{};  // what was fetched behind an error
  };

  std::shared_ptr<late<bell, Late>> wake;
  cuttable_sockets<Late> sockets{};
  rd_kafka_t* client = nullptr;
  rdkafka_queue events{};   // rebalances, errors, logs
  rdkafka_queue answers{};  // to commits
  rdkafka_queue closing{};
  std::vector<partition_queue> partitions{};
  late<std::vector<rd_kafka_topic_t const*>, Late> topics{};
  std::atomic<std::size_t> in_hand{0};  // messages that the user still holds
  std::string group;
  bool member = false;
  basic_rdkafka_tokens<Late> tokens;
  std::string token_failure{};  ///< why the client began without a token

  static void ring(rd_kafka_t*, void* b) { static_cast<bell*>(b)->ring(); }

  basic_rdkafka_instance(rdkafka_settings const& settings, std::shared_ptr<late<bell, Late>> b)
      : wake(std::move(b)), group(settings.group), member(settings.subscribe), tokens(settings.token) {
    auto conf = make_rdkafka_conf(settings);
    sockets.use_in(*conf);
    char why[512] = "";
    client = rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), why, sizeof why);
    if (!client)
      throw error(errc::bad_configuration, "librdkafka refuses its configuration: " +
                                               without_secrets(why, settings.properties) + " (properties of kafka{})");
    static_cast<void>(conf.release());
    rd_kafka_poll_set_consumer(client);
    rd_kafka_set_log_queue(client, nullptr);
    events.reset(rd_kafka_queue_get_consumer(client));
    answers.reset(rd_kafka_queue_new(client));
    listen(events, true);
    listen(answers, true);
    token_failure = tokens.give(*client);
  }

  /// Destroys the client: nobody may hold a message of it, and no thread but this one may use it. Blocks as long as
  /// librdkafka's threads take to end.
  ~basic_rdkafka_instance() {
    if (!client) return;
    for (auto& p : partitions) {
      listen(p.queue, false);
      for (auto* m : p.held_back) rd_kafka_message_destroy(m);
    }
    partitions.clear();
    listen(events, false);
    listen(answers, false);
    closing.reset();
    answers.reset();
    events.reset();
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
  basic_rdkafka_instance(basic_rdkafka_instance const&) = delete;
  basic_rdkafka_instance& operator=(basic_rdkafka_instance const&) = delete;

  void listen(rdkafka_queue const& queue, bool on) {
    if (queue) rd_kafka_queue_cb_event_enable(queue.get(), on ? ring : nullptr, on ? wake.get() : nullptr);
  }

  /// Throws away what waits in a partition's queue; not what arrives meanwhile.
  static void drain(partition_queue& p) {
    for (auto* m : std::exchange(p.held_back, {})) rd_kafka_message_destroy(m);
    rd_kafka_message_t* some[256];
    for (auto left = rd_kafka_queue_length(p.queue.get()); left > 0;) {
      auto const got = rd_kafka_consume_batch_queue(p.queue.get(), 0, some, std::min<std::size_t>(left, 256));
      if (got <= 0) break;
      for (ssize_t i = 0; i < got; ++i) rd_kafka_message_destroy(some[i]);
      left -= std::min(left, static_cast<std::size_t>(got));
    }
  }

  /// Gives up what is assigned and leaves the group; what is sent to brokers is sent before `talk_until`. Blocks until
  /// librdkafka has closed, up to session.timeout.ms later: a commit that waits for a coordinator holds it up, and
  /// destroyed before that it would burn a core for so long. Answers whether it was closed by `talk_until`.
  bool leave(time_point talk_until) {
    closing.reset(rd_kafka_queue_new(client));
    bool in_time = true;
    if (rdkafka_error refused{rd_kafka_consumer_close_queue(client, closing.get())}) return in_time;
    while (!rd_kafka_consumer_closed(client)) {
      auto const left = milliseconds_until(talk_until);
      if (left == 0 && std::exchange(in_time, false)) sockets.cut();
      rdkafka_event const e{rd_kafka_queue_poll(closing.get(), left == 0 ? 1000 : std::min(left, 1000))};
      if (rd_kafka_event_type(e.get()) != RD_KAFKA_EVENT_REBALANCE) continue;
      if (is_cooperative() && rd_kafka_event_error(e.get()) == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
        rdkafka_error{rd_kafka_incremental_unassign(client, rd_kafka_event_topic_partition_list(e.get()))};
      else
        rd_kafka_assign(client, nullptr);
    }
    return in_time;
  }

 private:
  /// librdkafka answers with a null pointer once the client has left its group, which it may do with a rebalance's event
  /// still in the queue.
  bool is_cooperative() const {
    char const* const protocol = rd_kafka_rebalance_protocol(client);
    return protocol && protocol == std::string_view{"COOPERATIVE"};
  }
};
using rdkafka_instance = basic_rdkafka_instance<void>;

/// Closes and destroys a client on a thread of its own; the future says whether it had closed by `talk_until`, after
/// which it sends nothing any more, and is ready when all is gone: the client is destroyed once nobody holds a message
/// of it.
template <class Late>
late<std::future<bool>, Late> bury(std::shared_ptr<basic_rdkafka_instance<Late>> dead, time_point talk_until) {
  late<std::promise<bool>, Late> done;
  auto future = done.get_future();
  std::thread{[dead = std::move(dead), done = std::move(done), talk_until]() mutable {
    bool const in_time = dead->leave(talk_until);
    for (auto n = dead->in_hand.load(); n != 0; n = dead->in_hand.load()) dead->in_hand.wait(n);
    dead.reset();
    done.set_value(in_time);
  }}.detach();
  return future;
}

}}}  // namespace sluice::v0::detail
