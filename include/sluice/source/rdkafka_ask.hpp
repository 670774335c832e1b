/// \file source/rdkafka_ask.hpp  What the brokers are asked about topics: their partitions, ends, and offsets by time.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/detail/rdkafka.hpp>
#include <sluice/error.hpp>
#include <sluice/source/client.hpp>
#include <sluice/source/rdkafka_trouble.hpp>

#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// Elections, start-up, a metadata answer that is on its way: asked again until the time is up.
inline bool passes(rd_kafka_resp_err_t e) {
  switch (e) {
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
      return true;
    default:
      return false;
  }
}

/// No answer at all, rather than a broker's answer that the time is not yet.
inline bool unreachable(rd_kafka_resp_err_t e) {
  return e == RD_KAFKA_RESP_ERR__TRANSPORT || e == RD_KAFKA_RESP_ERR__TIMED_OUT ||
         e == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE || e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

inline void pause_before_asking_again(time_point by) {
  std::this_thread::sleep_until(std::min(by, std::chrono::steady_clock::now() + std::chrono::milliseconds{50}));
}

[[noreturn]] inline void throw_no_broker(std::string const& question) {
  throw error(errc::no_broker, "no broker answered in time when asked: " + question);
}

template <class Text>
void throw_if_denied(rd_kafka_resp_err_t e, Text const& what) {
  if (is_denied(e)) throw error(errc::access_denied, what + ": " + rd_kafka_err2str(e) + missing_right(e));
}

/// For how long an answer is waited for before what came meanwhile is heard: longer each time, since an answer that comes
/// later is lost.
class patience {
  int wait_ = 500;
  time_point by_;

 public:
  explicit patience(time_point by) : by_(by) {}
  int next() { return std::max(1, std::min(std::exchange(wait_, 2 * wait_), milliseconds_until(by_))); }
};

/// Returns once a broker answers, whatever the answer. `meanwhile` is called before each attempt and may throw.
/// Throws error(no_broker).
template <class Meanwhile>
void ask_for_an_answer(rd_kafka_t& client, time_point by, Meanwhile meanwhile) {
  for (patience wait{by};; pause_before_asking_again(by)) {
    meanwhile();
    struct rd_kafka_metadata const* found = nullptr;
    auto const e = rd_kafka_metadata(&client, 0, nullptr, &found, wait.next());
    if (found) rd_kafka_metadata_destroy(found);
    if (!unreachable(e)) return;
    if (milliseconds_until(by) == 0) throw_no_broker("is anybody there?");
  }
}

/// `meanwhile` is called before each attempt and may throw. Throws error(unknown_topic, access_denied, no_broker).
template <class Meanwhile>
std::int32_t ask_partition_count(rd_kafka_t& client, std::string const& topic, time_point by, Meanwhile meanwhile) {
  rdkafka_topic const asked{rd_kafka_topic_new(&client, topic.c_str(), nullptr)};
  if (!asked) throw error(errc::unknown_topic, "\"" + topic + "\" can't be the name of a topic");
  for (patience wait{by};;) {
    meanwhile();
    struct rd_kafka_metadata const* found = nullptr;
    auto e = rd_kafka_metadata(&client, 0, asked.get(), &found, wait.next());
    std::int32_t count = 0;
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (found->topic_cnt == 1) {
        e = found->topics[0].err;
        count = found->topics[0].partition_cnt;
      }
      rd_kafka_metadata_destroy(found);
      if (e == RD_KAFKA_RESP_ERR_NO_ERROR && count > 0) return count;
      throw_if_denied(e, "topic \"" + topic + "\" can't be read");
      if (e != RD_KAFKA_RESP_ERR_NO_ERROR && !passes(e))
        throw error(errc::unknown_topic, "topic \"" + topic + "\" can't be read: " + rd_kafka_err2str(e) +
                                             "; check its name, that it was created, and that this user may see it");
    }
    if (milliseconds_until(by) == 0) throw_no_broker("how many partitions has topic \"" + topic + "\"?");
    pause_before_asking_again(by);
  }
}

inline void refresh_leaders(rd_kafka_t& client, std::string const& topic, time_point by) {
  rdkafka_topic const asked{rd_kafka_topic_new(&client, topic.c_str(), nullptr)};
  struct rd_kafka_metadata const* found = nullptr;
  if (asked && !rd_kafka_metadata(&client, 0, asked.get(), &found, std::max(1, milliseconds_until(by))))
    rd_kafka_metadata_destroy(found);
}

/// Kafka's special times: the log's first offset, and the end that readers see.
inline constexpr std::int64_t first_offset = RD_KAFKA_OFFSET_BEGINNING;
inline constexpr std::int64_t end_offset = RD_KAFKA_OFFSET_END;

/// Partitions without a leader: the others' answers wait for them until the time is up, or they are asked for once more,
/// in case there is one by now.
enum class leaderless { waited_for, left_out };

/// One request to each broker. For each partition the offset at `time` (ms since 1970, or one of the two above); -1:
/// none so late; -2: not known, its leader is away. Throws error(no_broker, access_denied).
template <class Set>
std::vector<std::int64_t> ask_offsets(rd_kafka_t& client, Set const& set, std::int64_t time, time_point by,
                                      leaderless those = leaderless::waited_for) {
  late<std::vector<std::int64_t>, Set> answers(set.size(), -2);
  late<std::vector<std::size_t>, Set> open(set.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  bool heard = false, asked_again = false;
  while (!open.empty()) {
    auto list = make_rdkafka_list(open.size());
    for (auto i : open) append(*list, set[i]).offset = time;
    auto const e = rd_kafka_offsets_for_times(&client, list.get(), std::max(1, milliseconds_until(by)));
    heard = heard || !unreachable(e);
    late<std::vector<std::size_t>, Set> again;
    late<std::set<std::string>, Set> topics;
    for (auto i : open) {
      auto const* one = rd_kafka_topic_partition_list_find(list.get(), set[i].topic.c_str(), set[i].partition);
      if (one->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw_if_denied(one->err, "the ends of " + to_string(set[i]) + " can't be asked for");
        if (!passes(one->err)) continue;
        again.push_back(i);
        topics.insert(set[i].topic);
      } else if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
        answers[i] = std::max<std::int64_t>(one->offset, -1);
      } else if (passes(e)) {
        again.push_back(i);
      } else if (open.size() > 1) {
        // One partition's answer spoils the whole: each by itself.
        answers[i] = ask_offsets(client, Set{set[i]}, time, by, those).front();
      }
    }
    open = std::move(again);
    if (open.empty()) break;
    if (milliseconds_until(by) == 0) {
      if (!heard) throw_no_broker("where do " + to_string(set[open.front()]) + " and others begin and end?");
      break;
    }
    if (those == leaderless::waited_for || !heard)
      pause_before_asking_again(by);
    else if (std::exchange(asked_again, true))
      break;
    // librdkafka answers from what it remembers, and does not ask again by itself.
    for (auto const& topic : topics) refresh_leaders(client, topic, by);
  }
  return answers;
}

}}}  // namespace sluice::v0::detail
