/// \file source/log_format.hpp  The bytes of a write-ahead log's segments: a header, marks of groups, records with their checksums.
///
///     header   "sluiceW1"  log id (16)  first record's number (8)  CRC-32C of these (4)  zeros (4)
///     mark     "slcG"  CRC-32C (4)  its own position in the file (8)         before each group that is synced as one
///     record   size of the image (4)  CRC-32C of its number and its image (4)  the image (record_image.hpp)
///
/// Little-endian. A mark's checksum is also over the log's id. A group is only written when all before it is on the disk: so a
/// mark says that what lies before it was synced, and where something there is damaged it is no torn end.
#pragma once
#include <sluice/detail/crc32c.hpp>
#include <sluice/source/record_image.hpp>

#include <array>
#include <optional>

namespace sluice { inline namespace v0 { namespace detail {

using log_id = std::array<std::uint64_t, 2>;
inline constexpr std::size_t log_header_size = 40, log_mark_size = 16, log_frame_head = 8;

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

inline std::array<char, log_mark_size> log_mark(log_id const& id, std::uint64_t position) {
  std::array<char, log_mark_size> mark{};
  char covered[24];
  put_number(covered, id[0]);
  put_number(covered + 8, id[1]);
  put_number(covered + 16, position);
  std::memcpy(mark.data(), "slcG", 4);
  put_number(mark.data() + 4, crc32c({covered, sizeof covered}));
  put_number(mark.data() + 8, position);
  return mark;
}
inline bool is_log_mark(std::string_view text, log_id const& id, std::uint64_t position) {
  if (text.size() < log_mark_size || !text.starts_with("slcG")) return false;
  auto const wanted = log_mark(id, position);
  return std::memcmp(text.data(), wanted.data(), log_mark_size) == 0;
}

inline std::uint32_t frame_crc(std::string_view image, std::uint64_t number) {
  char head[8];
  put_number(head, number);
  return crc32c(image, crc32c({head, sizeof head}));
}

inline void append_frame(std::string& out, received const& r, std::size_t size, std::uint64_t number) {
  auto const at = out.size();
  out.resize(at + log_frame_head + size);
  auto* const frame = out.data() + at;
  write_image(r, frame + log_frame_head);
  put_number(frame, static_cast<std::uint32_t>(size));
  put_number(frame + 4, frame_crc({frame + log_frame_head, size}, number));
}

/// What stands at the beginning of `text`.
struct log_piece {
  enum what_t { record, mark, cut, bad } what = bad;  ///< cut: `size` bytes are needed to tell
  std::size_t size = 0;
};
inline log_piece look_at(std::string_view text, std::uint64_t number, log_id const& id, std::uint64_t position) {
  if (text.size() < log_frame_head) return {log_piece::cut, log_frame_head};
  if (text.starts_with("slcG")) {
    if (text.size() < log_mark_size) return {log_piece::cut, log_mark_size};
    return {is_log_mark(text, id, position) ? log_piece::mark : log_piece::bad, log_mark_size};
  }
  auto const size = get_number<std::uint32_t>(text.data());
  if (size < image_head || size > most_image) return {log_piece::bad, 0};
  auto const all = log_frame_head + size;
  if (text.size() < all) return {log_piece::cut, all};
  auto const image = text.substr(log_frame_head, size);
  bool const good =
      frame_crc(image, number) == get_number<std::uint32_t>(text.data() + 4) && is_image(image.data(), size);
  return {good ? log_piece::record : log_piece::bad, all};
}

}}}  // namespace sluice::v0::detail
