/// \file source/record_image.hpp  A record as bytes, in memory and in a write-ahead log; and the memory that batches borrow.
#pragma once
#include <sluice/source/concept.hpp>
#include <sluice/source/outgoing.hpp>

#include <bit>
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

/// Sizes in images and in front of them: seven bits a byte, low ones first, the top bit set in all bytes but the last; as few
/// bytes as it takes.
inline constexpr std::size_t most_size_bytes = 5;
inline std::size_t size_bytes(std::uint64_t n) { return (static_cast<std::size_t>(std::bit_width(n | 1)) + 6) / 7; }
inline char* put_size(char* to, std::uint32_t n) {
  for (; n > 0x7F; n >>= 7) *to++ = static_cast<char>((n & 0x7F) | 0x80);
  *to++ = static_cast<char>(n);
  return to;
}
/// Moves `at` behind it. False: no size stands there, before `end`.
inline bool get_size(char const*& at, char const* end, std::uint32_t& out) {
  out = 0;
  for (unsigned shift = 0; at != end; shift += 7) {
    auto const byte = static_cast<unsigned char>(*at++);
    if (shift == 28 && byte > 0xF) return false;
    out |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return byte != 0 || shift == 0;
  }
  return false;
}
/// Of an image that is one.
inline std::uint32_t size_at(char const*& at) {
  std::uint32_t n = 0;
  get_size(at, nullptr, n);
  return n;
}

/// An image is a byte of flags, the timestamp, then what there is of these: the headers behind the size of all of them, the
/// key behind its size, the value. The flags are 1: a key, 2: a value, 4: headers, and 16 times the bytes that the timestamp
/// takes (0 to 8), which is how much it is above a base that is told elsewhere, in two's complement. A header is its name's
/// size, its value's and one (0: null), then these. Little-endian. Kept in files: must never change.
inline constexpr std::size_t most_image = std::size_t{1} << 30, most_time_bytes = 8;

inline std::size_t headers_size(received const& r) {
  std::size_t size = 0;
  for (auto const& h : r.headers.all())
    size += size_bytes(h.name.size()) + size_bytes(h.value.size() + 1) + h.name.size() + h.value.size();
  return size;
}
/// Without its timestamp's, which are time_bytes().
inline std::size_t image_size(received const& r) {
  auto const key = r.key.data(), value = r.value.data();
  auto const headers = headers_size(r);
  return 1 + (headers ? size_bytes(headers) + headers : 0) + (key.data() ? size_bytes(key.size()) + key.size() : 0) +
         value.size();
}
inline std::uint64_t time_above(received const& r, std::int64_t base) {
  return static_cast<std::uint64_t>(r.timestamp.time_since_epoch().count()) - static_cast<std::uint64_t>(base);
}
inline unsigned time_bytes(std::uint64_t above) {
  auto const bits = std::bit_width(above >> 63 ? ~above : above);
  return above == 0 ? 0 : static_cast<unsigned>(bits) / 8 + 1;
}

/// Writes image_size(r) + time_bytes(time_above(r, base)) bytes.
inline void write_image(received const& r, std::int64_t base, char* to) {
  auto const key = r.key.data(), value = r.value.data();
  auto const headers = static_cast<std::uint32_t>(headers_size(r));
  auto above = time_above(r, base);
  auto const times = time_bytes(above);
  *to++ = static_cast<char>((key.data() ? 1 : 0) | (value.data() ? 2 : 0) | (headers ? 4 : 0) |
                            static_cast<int>(times << 4));
  for (unsigned i = 0; i < times; ++i, above >>= 8) *to++ = static_cast<char>(above & 0xFF);
  auto const append = [&](void const* data, std::size_t n) {
    if (n != 0) std::memcpy(to, data, n);
    to += n;
  };
  if (headers) to = put_size(to, headers);
  for (auto const& h : r.headers.all()) {
    to = put_size(to, static_cast<std::uint32_t>(h.name.size()));
    to = put_size(to, h.value.data() ? static_cast<std::uint32_t>(h.value.size()) + 1 : 0);
    append(h.name.data(), h.name.size());
    append(h.value.data(), h.value.size());
  }
  if (key.data()) to = put_size(to, static_cast<std::uint32_t>(key.size()));
  append(key.data(), key.size());
  append(value.data(), value.size());
}

/// Where an image's parts are.
struct image_parts {
  char const *headers = nullptr, *key = nullptr, *value = nullptr;
  std::uint32_t headers_size = 0, key_size = 0, value_size = 0;
};
/// False: this is no image. The headers are looked into by is_image().
inline bool find_parts(char const* at, std::size_t size, image_parts& out) {
  if (size == 0 || size > most_image + most_time_bytes) return false;
  auto const* const end = at + size;
  auto const flags = static_cast<unsigned char>(*at++), times = static_cast<unsigned char>(flags >> 4);
  if ((flags & 8) != 0 || times > most_time_bytes || end - at < times) return false;
  at += times;
  auto const take = [&](char const*& part, std::uint32_t& n) {
    if (!get_size(at, end, n) || static_cast<std::size_t>(end - at) < n) return false;
    part = at;
    at += n;
    return true;
  };
  if ((flags & 4) != 0 && (!take(out.headers, out.headers_size) || out.headers_size == 0)) return false;
  if ((flags & 1) != 0 && !take(out.key, out.key_size)) return false;
  if ((flags & 2) == 0) return at == end;
  out.value = at;
  out.value_size = static_cast<std::uint32_t>(end - at);
  return true;
}

/// False: this is no image.
inline bool is_image(char const* image, std::size_t size) {
  image_parts parts;
  if (!find_parts(image, size, parts)) return false;
  auto const *at = parts.headers, *const end = at + parts.headers_size;
  while (at != end) {
    std::uint32_t name = 0, content = 0;
    if (!get_size(at, end, name) || !get_size(at, end, content)) return false;
    auto const both = std::uint64_t{name} + (content ? content - 1 : 0);
    if (static_cast<std::uint64_t>(end - at) < both) return false;
    at += both;
  }
  return true;
}

/// The message that an image is; it borrows the image.
inline message message_of(char const* image, std::size_t size, std::int64_t at) {
  image_parts parts;
  find_parts(image, size, parts);
  return {.key = parts.key,
          .value = parts.value,
          .key_size = parts.key_size,
          .value_size = parts.value_size,
          .at = at,
          .native = image};
}

inline bool header_of_image(void const* native, std::size_t index, header& out) {
  auto const* at = static_cast<char const*>(native);
  auto const flags = static_cast<unsigned char>(*at++);
  if ((flags & 4) == 0) return false;
  at += flags >> 4;
  auto const size = size_at(at);
  for (auto const* const end = at + size; at != end;) {
    auto const name = size_at(at), content = size_at(at);
    if (index-- == 0) {
      out.name = {at, name};
      out.value = content == 0 ? bytes{} : as_bytes({at + name, content - 1});
      return true;
    }
    at += name + (content ? content - 1 : 0);
  }
  return false;
}

/// Images, each behind four bytes that lead back to an *anchor*, which holds the block's address and the base of timestamps;
/// one is at the beginning. Goes when it is closed and everything that was borrowed from it has come back. One thread at a
/// time.
struct record_block {
  static constexpr std::size_t anchor_size = 16, lead = 4;
  std::string data{};
  std::size_t borrowed = 0;
  bool open = true;

  /// Over anchor_size bytes at `at`.
  void put_anchor(std::size_t at, std::int64_t base) {
    auto const self = reinterpret_cast<std::uintptr_t>(this);
    put_number(data.data() + at, static_cast<std::uint64_t>(self));
    put_number(data.data() + at + 8, base);
  }
  static char const* anchor_of(void const* native) {
    auto const* const image = static_cast<char const*>(native);
    return image - get_number<std::uint32_t>(image - lead);
  }

  /// Bytes of data that add() takes at most.
  static std::size_t room_for(std::size_t image) { return anchor_size + lead + image + most_time_bytes; }
  /// Appends a record. Where its image is, for lend().
  std::size_t add(received const& r) {
    bool const first = data.empty();
    auto const base = first ? static_cast<std::int64_t>(r.timestamp.time_since_epoch().count())
                            : get_number<std::int64_t>(data.data() + 8);
    auto const size = image_size(r) + time_bytes(time_above(r, base));
    auto const at = (first ? anchor_size : data.size()) + lead;
    data.resize(at + size);
    if (first) put_anchor(0, base);
    put_number(data.data() + at - lead, static_cast<std::uint32_t>(size));
    write_image(r, base, data.data() + at);
    return at;
  }
  /// Of one that was added, and not lent yet.
  std::size_t size_of(std::size_t at) const { return get_number<std::uint32_t>(data.data() + at - lead); }
  message lend(std::size_t at, std::int64_t offset) { return lend(at, size_of(at), 0, offset); }

  /// The message of the image at `at`; it must be given back. `anchor`: where its anchor is, less than 4 GiB before it.
  message lend(std::size_t at, std::size_t size, std::size_t anchor, std::int64_t offset) {
    put_number(data.data() + at - lead, static_cast<std::uint32_t>(at - anchor));
    ++borrowed;
    return message_of(data.data() + at, size, offset);
  }
  static void give_back(message const& m) {
    auto const self = static_cast<std::uintptr_t>(get_number<std::uint64_t>(anchor_of(m.native)));
    auto* const block = reinterpret_cast<record_block*>(self);
    if (--block->borrowed == 0 && !block->open) delete block;
  }
  /// No more will be lent from it.
  void close() {
    open = false;
    if (borrowed == 0) delete this;
  }
};

/// Of an image that is lent.
inline std::int64_t timestamp_of_image(void const* native) {
  auto const* const image = static_cast<char const*>(native);
  auto const times = static_cast<unsigned char>(*image) >> 4;
  std::uint64_t above = 0;
  for (int i = times; i > 0; --i) {
    auto const byte = static_cast<unsigned char>(image[i]);
    if (i == times && byte > 0x7F) above = ~std::uint64_t{0};
    above = above << 8 | byte;
  }
  return static_cast<std::int64_t>(get_number<std::uint64_t>(record_block::anchor_of(native) + 8) + above);
}
inline constexpr message_access image_access{timestamp_of_image, header_of_image};

struct closes_block {
  void operator()(record_block* b) const { b->close(); }
};
using block_ptr = std::unique_ptr<record_block, closes_block>;

}  // namespace detail
}}  // namespace sluice::v0
