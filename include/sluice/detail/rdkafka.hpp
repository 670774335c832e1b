/// \file detail/rdkafka.hpp  The one place that includes librdkafka: owners for its handles, its lists, its times.
#pragma once
#include <librdkafka/rdkafka.h>
#include <sluice/offset.hpp>

#include <algorithm>
#include <chrono>
#include <climits>
#include <memory>
#include <vector>

#if RD_KAFKA_VERSION < 0x020002ff
#error "sluice needs librdkafka 2.0.2 or later: install a newer librdkafka-dev"
#endif

namespace sluice { inline namespace v0 { namespace detail {

template <auto Destroy>
struct destroyed_by {
  template <class T>
  void operator()(T* handle) const {
    Destroy(handle);
  }
};

using rdkafka_conf = std::unique_ptr<rd_kafka_conf_t, destroyed_by<rd_kafka_conf_destroy>>;
using rdkafka_topic_conf = std::unique_ptr<rd_kafka_topic_conf_t, destroyed_by<rd_kafka_topic_conf_destroy>>;
using rdkafka_queue = std::unique_ptr<rd_kafka_queue_t, destroyed_by<rd_kafka_queue_destroy>>;
using rdkafka_event = std::unique_ptr<rd_kafka_event_t, destroyed_by<rd_kafka_event_destroy>>;
using rdkafka_topic = std::unique_ptr<rd_kafka_topic_t, destroyed_by<rd_kafka_topic_destroy>>;
using rdkafka_error = std::unique_ptr<rd_kafka_error_t, destroyed_by<rd_kafka_error_destroy>>;
using rdkafka_list =
    std::unique_ptr<rd_kafka_topic_partition_list_t, destroyed_by<rd_kafka_topic_partition_list_destroy>>;
using rdkafka_one = std::unique_ptr<rd_kafka_topic_partition_t, destroyed_by<rd_kafka_topic_partition_destroy>>;

inline rdkafka_list make_rdkafka_list(std::size_t size) {
  return rdkafka_list{rd_kafka_topic_partition_list_new(static_cast<int>(size))};
}

inline rd_kafka_topic_partition_t& append(rd_kafka_topic_partition_list_t& list, topic_partition const& of) {
  return *rd_kafka_topic_partition_list_add(&list, of.topic.c_str(), of.partition);
}

inline rdkafka_list to_rdkafka(std::vector<topic_partition> const& set) {
  auto list = make_rdkafka_list(set.size());
  for (auto const& of : set) append(*list, of);
  return list;
}

inline rdkafka_list to_rdkafka(std::vector<position> const& set) {
  auto list = make_rdkafka_list(set.size());
  for (auto const& p : set) append(*list, p.of).offset = p.next.value();
  return list;
}

inline std::vector<topic_partition> from_rdkafka(rd_kafka_topic_partition_list_t const* list) {
  std::vector<topic_partition> set;
  if (!list) return set;
  set.reserve(static_cast<std::size_t>(list->cnt));
  for (int i = 0; i < list->cnt; ++i) set.push_back({list->elems[i].topic, list->elems[i].partition});
  return set;
}

/// What is left until `by`, as librdkafka takes it: whole milliseconds, rounded up; 0 when it is past.
inline int milliseconds_until(time_point by) {
  auto const now = std::chrono::steady_clock::now();
  if (by <= now) return 0;
  auto const day = std::chrono::hours{24};
  if (by - now >= day) return static_cast<int>(std::chrono::milliseconds{day}.count());
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(by - now).count());
}

/// The version of the library that runs, which may be another than the headers': guards against defects ask this.
constexpr int rdkafka_version(int major, int minor, int patch) { return major << 24 | minor << 16 | patch << 8; }
inline int running_rdkafka() { return rd_kafka_version() & ~0xff; }

}}}  // namespace sluice::v0::detail
