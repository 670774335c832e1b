/// \file record.hpp  One record: a view of its key, value, headers, timestamp and place.
#pragma once
#include <sluice/offset.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>

namespace sluice { inline namespace v0 {

using bytes = std::span<std::byte const>;

inline std::string_view as_text(bytes b) { return {reinterpret_cast<char const*>(b.data()), b.size()}; }
inline bytes as_bytes(std::string_view s) { return {reinterpret_cast<std::byte const*>(s.data()), s.size()}; }

struct header {
  std::string_view name{};
  bytes value{};  ///< data() is null for a header without a value
};

namespace detail {

/// What a source fills in for each record; nothing of Kafka in it. A null pointer is a null key or value, an empty
/// one is not. `native` is the source's own, for what is fetched on demand.
struct message {
  void const* key = nullptr;
  void const* value = nullptr;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::int64_t at = 0;
  void const* native = nullptr;
};

/// How a source answers what is asked of few records.
struct message_access {
  std::int64_t (*timestamp)(void const* native);                       // ms since 1970, -1: none
  bool (*header)(void const* native, std::size_t index, header& out);  // false: no header at that index
};

/// The records of one partition within a batch.
struct part {
  message const* begin = nullptr;
  message const* end = nullptr;
  offset_range range{};
  message_access const* access = nullptr;
  std::uint32_t member = 0;  ///< of a source that is several
};

}  // namespace detail

/// The headers of one record, in their order; a name may come twice. Lives as long as its record's batch.
class headers {
  void const* native_ = nullptr;
  detail::message_access const* access_ = nullptr;

 public:
  class iterator {
    void const* native_ = nullptr;
    detail::message_access const* access_ = nullptr;
    std::size_t index_ = 0;
    header current_{};
    bool there_ = false;
    void load() { there_ = access_ && access_->header && access_->header(native_, index_, current_); }

   public:
    using value_type = header;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    iterator(void const* native, detail::message_access const* access) : native_(native), access_(access) { load(); }
    header operator*() const { return current_; }
    iterator& operator++() {
      ++index_;
      load();
      return *this;
    }
    iterator operator++(int) {
      auto old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(iterator const& a, iterator const& b) {
      return a.there_ == b.there_ && (!a.there_ || a.index_ == b.index_);
    }
    friend bool operator==(iterator const& a, std::default_sentinel_t) { return !a.there_; }
  };

  headers() = default;
  headers(void const* native, detail::message_access const* access) : native_(native), access_(access) {}
  iterator begin() const { return {native_, access_}; }
  std::default_sentinel_t end() const { return {}; }
};

/// A view, never a copy: key, value, topic and headers die with the batch (when the handler returns).
class record {
  detail::message const* message_ = nullptr;
  detail::part const* part_ = nullptr;

 public:
  record() = default;
  record(detail::message const* m, detail::part const* p) : message_(m), part_(p) {}

  bytes key() const { return {static_cast<std::byte const*>(message_->key), message_->key_size}; }
  bytes value() const { return {static_cast<std::byte const*>(message_->value), message_->value_size}; }
  bool has_key() const { return message_->key != nullptr; }
  /// A record without a value: in a compacted topic it deletes its key. An empty value is none.
  bool is_tombstone() const { return message_->value == nullptr; }
  std::string_view key_text() const { return as_text(key()); }
  std::string_view text() const { return as_text(value()); }

  std::string_view topic() const { return part_->range.of.topic; }
  std::int32_t partition() const { return part_->range.of.partition; }
  sluice::offset offset() const { return sluice::offset{message_->at}; }
  std::int64_t incarnation() const { return part_->range.incarnation; }
  /// When it was written, as the broker says; the epoch where the record has no timestamp.
  wall_time timestamp() const {
    auto const ms = part_->access ? part_->access->timestamp(message_->native) : -1;
    return wall_time{std::chrono::milliseconds{ms < 0 ? 0 : ms}};
  }
  sluice::headers headers() const { return {message_->native, part_->access}; }
};

}}  // namespace sluice::v0
