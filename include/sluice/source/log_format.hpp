/// \file source/log_format.hpp  The bytes of a write-ahead log's segments: a header, marks of groups, records with their checksums.
///
///     header   "sluiceW1"  log id (16)  first record's number (8)  CRC-32C of these (4)  zeros (4)
///     mark     a zero  "slG"  CRC-32C (4)  base of timestamps (8)            before each group that is synced as one
///     record   size of the image (1 to 5)  CRC-32C of its number and its image (4)  the image (record_image.hpp)
///
/// Little-endian. A mark's checksum is over the log's id, its own position in the file and the base. A group is only written
/// when all before it is on the disk: so a mark says that what lies before it was synced, and where something there is damaged
/// it is no torn end. A record begins with its size, which is never 0.
#pragma once
#include <sluice/detail/crc32c.hpp>
#include <sluice/source/record_image.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace sluice { inline namespace v0 { namespace detail {

using log_id = std::array<std::uint64_t, 2>;
inline constexpr std::size_t log_header_size = 40, log_mark_size = 16, least_frame = 6;
inline constexpr std::string_view log_mark_begin{"\0slG", 4};

struct log_header {
  log_id id{};
  std::uint64_t first = 0;
};

inline std::string to_bytes(log_header const& h) {
  std::string text(log_header_size, '\0');
  std::memcpy(text.data(), "sluiceW1", 8);
  put_number(text.data() + 8, h.id[0]);
  put_number(text.data() + 16, h.id[1]);
  put_number(text.data() + 24, h.first);
  put_number(text.data() + 32, crc32c(std::string_view{text}.substr(0, 32)));
  return text;
}
inline std::optional<log_header> read_log_header(std::string_view text) {
  if (text.size() < log_header_size || !text.starts_with("sluiceW1") ||
      get_number<std::uint32_t>(text.data() + 32) != crc32c(text.substr(0, 32)))
    return {};
  return log_header{{get_number<std::uint64_t>(text.data() + 8), get_number<std::uint64_t>(text.data() + 16)},
                    get_number<std::uint64_t>(text.data() + 24)};
}
/// Begins as a header of a format that isn't known.
inline bool is_newer_log(std::string_view text) {
  return text.size() >= 8 && text.starts_with("sluiceW") && text[7] != '1';
}

inline std::array<char, log_mark_size> log_mark(log_id const& id, std::uint64_t position, std::int64_t base) {
  std::array<char, log_mark_size> mark{};
  char covered[32];
  put_number(covered, id[0]);
  put_number(covered + 8, id[1]);
  put_number(covered + 16, position);
  put_number(covered + 24, base);
  std::memcpy(mark.data(), log_mark_begin.data(), log_mark_begin.size());
  put_number(mark.data() + 4, crc32c({covered, sizeof covered}));
  put_number(mark.data() + 8, base);
  return mark;
}
/// Of a mark, or of a group that has room for one.
inline std::int64_t base_of(std::string_view mark) { return get_number<std::int64_t>(mark.data() + 8); }
inline bool is_log_mark(std::string_view text, log_id const& id, std::uint64_t position) {
  if (text.size() < log_mark_size || !text.starts_with(log_mark_begin)) return false;
  auto const wanted = log_mark(id, position, base_of(text));
  return std::memcmp(text.data(), wanted.data(), log_mark_size) == 0;
}

inline std::uint32_t frame_crc(std::string_view image, std::uint64_t number) {
  char head[8];
  put_number(head, number);
  return crc32c(image, crc32c({head, sizeof head}));
}

/// Bytes that a record takes at most, by its image_size().
inline constexpr std::size_t most_frame(std::size_t size) { return most_size_bytes + 4 + size + most_time_bytes; }

/// Puts a record with its image_size() behind a group's. Where the group is empty it gets room for its mark first, and the
/// record's timestamp as its base.
inline void append_frame(std::string& group, received const& r, std::size_t size, std::uint64_t number) {
  auto const base = group.empty() ? static_cast<std::int64_t>(r.timestamp.time_since_epoch().count()) : base_of(group);
  size += time_bytes(time_above(r, base));
  auto const at = std::max(group.size(), log_mark_size);
  group.resize(at + size_bytes(size) + 4 + size);
  put_number(group.data() + 8, base);
  auto* const crc = put_size(group.data() + at, static_cast<std::uint32_t>(size));
  write_image(r, base, crc + 4);
  put_number(crc, frame_crc({crc + 4, size}, number));
}

/// What stands at the beginning of `text`.
struct log_piece {
  enum what_t { record, mark, cut, bad } what = bad;  ///< cut: `size` bytes are needed to tell
  std::size_t size = 0;
  std::size_t image = 0;  ///< where a record's is, up to the piece's end
};
inline log_piece look_at(std::string_view text, std::uint64_t number, log_id const& id, std::uint64_t position) {
  if (text.size() < least_frame) return {log_piece::cut, least_frame};
  if (text.starts_with(log_mark_begin)) {
    if (text.size() < log_mark_size) return {log_piece::cut, log_mark_size};
    return {is_log_mark(text, id, position) ? log_piece::mark : log_piece::bad, log_mark_size};
  }
  auto const* crc = text.data();
  std::uint32_t size = 0;
  if (!get_size(crc, crc + most_size_bytes, size) || size == 0 || size > most_image + most_time_bytes)
    return {log_piece::bad, 0};
  auto const head = static_cast<std::size_t>(crc - text.data()) + 4, all = head + size;
  if (text.size() < all) return {log_piece::cut, all};
  auto const image = text.substr(head, size);
  bool const good = frame_crc(image, number) == get_number<std::uint32_t>(crc) && is_image(image.data(), size);
  return {good ? log_piece::record : log_piece::bad, all, head};
}

}}}  // namespace sluice::v0::detail
