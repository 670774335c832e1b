/// \file source/record_image.hpp  A record as bytes, in memory and in a write-ahead log; and the memory that batches borrow.
#pragma once
#include <sluice/source/concept.hpp>
#include <sluice/source/outgoing.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

namespace sluice { inline namespace v0 {

/// A record that a receiver stores. Key, value and headers are borrowed for the call.
struct received {
  payload value{nullptr};
  payload key{nullptr};
  header_list headers{};
  wall_time timestamp = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
};

namespace detail {

template <class Number>
void put_number(char* to, Number n) {
  auto bits = static_cast<std::uint64_t>(n);
  for (std::size_t i = 0; i < sizeof n; ++i, bits >>= 8) to[i] = static_cast<char>(bits & 0xFF);
}
template <class Number>
Number get_number(char const* from) {
  std::uint64_t bits = 0;
  for (std::size_t i = sizeof(Number); i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(from[i]);
  return static_cast<Number>(bits);
}

/// Timestamp (8 bytes), size of key, of value (4 each, -1: null), of headers (4), then these; a header is the sizes of its
/// name and value (4 each, -1: null), then these. Little-endian. Kept in files: must never change.
inline constexpr std::size_t image_head = 20;
inline constexpr std::size_t most_image = std::size_t{1} << 30;

inline std::size_t image_size(received const& r) {
  auto size = image_head + r.key.data().size() + r.value.data().size();
  for (auto const& h : r.headers.all()) size += 8 + h.name.size() + h.value.size();
  return size;
}

inline std::int32_t size_or_null(bytes b) { return b.data() ? static_cast<std::int32_t>(b.size()) : -1; }

/// Writes image_size(r) bytes.
inline void write_image(received const& r, char* to) {
  auto const key = r.key.data(), value = r.value.data();
  std::uint32_t headers = 0;
  for (auto const& h : r.headers.all()) headers += static_cast<std::uint32_t>(8 + h.name.size() + h.value.size());
  put_number(to, r.timestamp.time_since_epoch().count());
  put_number(to + 8, size_or_null(key));
  put_number(to + 12, size_or_null(value));
  put_number(to + 16, headers);
  to += image_head;
  auto const append = [&](void const* data, std::size_t n) {
    if (n != 0) std::memcpy(to, data, n);
    to += n;
  };
  append(key.data(), key.size());
  append(value.data(), value.size());
  for (auto const& h : r.headers.all()) {
    put_number(to, static_cast<std::uint32_t>(h.name.size()));
    put_number(to + 4, size_or_null(h.value));
    to += 8;
    append(h.name.data(), h.name.size());
    append(h.value.data(), h.value.size());
  }
}

/// False: this is no image.
inline bool is_image(char const* image, std::size_t size) {
  if (size < image_head) return false;
  auto const key = get_number<std::int32_t>(image + 8), value = get_number<std::int32_t>(image + 12);
  auto const headers = get_number<std::uint32_t>(image + 16);
  if (key < -1 || value < -1) return false;
  std::uint64_t all = image_head;
  for (auto const n : {std::int64_t{key}, std::int64_t{value}, std::int64_t{headers}})
    all += static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0));
  if (all != size) return false;
  auto const* at = image + (size - headers);
  for (std::uint64_t left = headers; left != 0;) {
    if (left < 8) return false;
    auto const name = get_number<std::uint32_t>(at);
    auto const content = get_number<std::int32_t>(at + 4);
    auto const one = 8 + std::uint64_t{name} + static_cast<std::uint64_t>(std::max(content, 0));
    if (content < -1 || one > left) return false;
    at += one;
    left -= one;
  }
  return true;
}

/// The message that an image is; it borrows the image.
inline message message_of(char const* image, std::int64_t at) {
  auto const key = get_number<std::int32_t>(image + 8), value = get_number<std::int32_t>(image + 12);
  auto const* const keys = image + image_head;
  auto const* const values = keys + std::max(key, 0);
  return {.key = key < 0 ? nullptr : keys,
          .value = value < 0 ? nullptr : values,
          .key_size = static_cast<std::uint32_t>(std::max(key, 0)),
          .value_size = static_cast<std::uint32_t>(std::max(value, 0)),
          .at = at,
          .native = image};
}

inline bool header_of_image(void const* native, std::size_t index, header& out) {
  auto const* const image = static_cast<char const*>(native);
  auto const key = get_number<std::int32_t>(image + 8), value = get_number<std::int32_t>(image + 12);
  auto left = get_number<std::uint32_t>(image + 16);
  auto const* at = image + image_head + std::max(key, 0) + std::max(value, 0);
  while (left != 0) {
    auto const name = get_number<std::uint32_t>(at);
    auto const content = get_number<std::int32_t>(at + 4);
    auto const size = 8 + name + static_cast<std::uint32_t>(std::max(content, 0));
    if (index-- == 0) {
      out.name = {at + 8, name};
      out.value = content < 0 ? bytes{} : as_bytes({at + 8 + name, static_cast<std::size_t>(content)});
      return true;
    }
    at += size;
    left -= size;
  }
  return false;
}

inline constexpr message_access image_access{
    [](void const* native) { return get_number<std::int64_t>(static_cast<char const*>(native)); }, header_of_image};

/// Images one after another, each behind 8 bytes that lead back to the block. Goes when it is closed and everything that
/// was borrowed from it has come back. One thread at a time.
struct record_block {
  static constexpr std::size_t head = 8;
  std::string data{};
  std::size_t borrowed = 0;
  bool open = true;

  /// The message of the image at `at`; it must be given back.
  message lend(std::size_t at, std::int64_t offset) {
    auto const self = reinterpret_cast<std::uintptr_t>(this);
    std::memcpy(data.data() + at - head, &self, sizeof self);
    ++borrowed;
    return message_of(data.data() + at, offset);
  }
  static void give_back(message const& m) {
    std::uintptr_t at = 0;
    std::memcpy(&at, static_cast<char const*>(m.native) - head, sizeof at);
    auto* const block = reinterpret_cast<record_block*>(at);
    if (--block->borrowed == 0 && !block->open) delete block;
  }
  /// No more will be lent from it.
  void close() {
    open = false;
    if (borrowed == 0) delete this;
  }
};

struct closes_block {
  void operator()(record_block* b) const { b->close(); }
};
using block_ptr = std::unique_ptr<record_block, closes_block>;

}  // namespace detail
}}  // namespace sluice::v0
