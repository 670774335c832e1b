/// \file detail/rdkafka.hpp  The one place that includes librdkafka: owners for its handles, its lists, its times.
#pragma once
#include <librdkafka/rdkafka.h>
#include <sluice/offset.hpp>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstddef>
#include <type_traits>
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

/// Owns one of librdkafka's handles, as std::unique_ptr would; it is a tenth of it to compile.
template <class T, void (*Destroy)(T*)>
class rdkafka_handle {
  T* it_ = nullptr;

 public:
  rdkafka_handle() = default;
  rdkafka_handle(std::nullptr_t) {}
  explicit rdkafka_handle(T* it) : it_(it) {}
  rdkafka_handle(rdkafka_handle&& other) noexcept : it_(other.release()) {}
  rdkafka_handle& operator=(rdkafka_handle&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~rdkafka_handle() { reset(); }

  T* get() const { return it_; }
  T& operator*() const { return *it_; }
  T* operator->() const { return it_; }
  explicit operator bool() const { return it_ != nullptr; }
  T* release() {
    auto* const it = it_;
    it_ = nullptr;
    return it;
  }
  void reset(T* it = nullptr) {
    auto* const old = it_;
    it_ = it;
    if (old) Destroy(old);
  }
};

using rdkafka_conf = rdkafka_handle<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using rdkafka_topic_conf = rdkafka_handle<rd_kafka_topic_conf_t, rd_kafka_topic_conf_destroy>;
using rdkafka_queue = rdkafka_handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using rdkafka_event = rdkafka_handle<rd_kafka_event_t, rd_kafka_event_destroy>;
using rdkafka_topic = rdkafka_handle<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using rdkafka_error = rdkafka_handle<rd_kafka_error_t, rd_kafka_error_destroy>;
using rdkafka_list = rdkafka_handle<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using rdkafka_one = rdkafka_handle<rd_kafka_topic_partition_t, rd_kafka_topic_partition_destroy>;
using rdkafka_membership = rdkafka_handle<rd_kafka_consumer_group_metadata_t, rd_kafka_consumer_group_metadata_destroy>;

inline rdkafka_list make_rdkafka_list(std::size_t size) {
  return rdkafka_list{rd_kafka_topic_partition_list_new(static_cast<int>(size))};
}

inline rd_kafka_topic_partition_t& append(rd_kafka_topic_partition_list_t& list, topic_partition const& of) {
  return *rd_kafka_topic_partition_list_add(&list, of.topic.c_str(), of.partition);
}

/// Of partitions, or of positions.
template <class T>
rdkafka_list to_rdkafka(std::vector<T> const& set) {
  auto list = make_rdkafka_list(set.size());
  for (auto const& one : set) {
    if constexpr (std::is_same_v<T, position>)
      append(*list, one.of).offset = one.next.value();
    else
      append(*list, one);
  }
  return list;
}

template <class Partition = topic_partition>
std::vector<Partition> from_rdkafka(rd_kafka_topic_partition_list_t const* list) {
  std::vector<Partition> set;
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
