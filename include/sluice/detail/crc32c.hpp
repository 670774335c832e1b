/// \file detail/crc32c.hpp  CRC-32C (Castagnoli), as in RFC 3720: guards what is kept in files.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace sluice { inline namespace v0 { namespace detail {

using crc_tables = std::array<std::array<std::uint32_t, 256>, 8>;

template <class Late>
constexpr crc_tables make_crc_tables() {
  crc_tables t{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) ? 0x82F63B78u : 0u);
    t[0][i] = c;
  }
  for (std::size_t i = 0; i < 256; ++i)
    for (std::size_t k = 1; k < 8; ++k) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xFF];
  return t;
}

/// Computed only in files that use it.
template <class Late>
inline constexpr crc_tables crc_table_of = make_crc_tables<Late>();

/// Eight bytes a turn (slicing by 8).
template <class Late = void>
constexpr std::uint32_t crc32c_by_tables(std::string_view text, std::uint32_t before) {
  auto const byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  constexpr auto& crc_table = crc_table_of<Late>;
  std::uint32_t c = ~before;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    c ^= byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
    c = crc_table[7][c & 0xFF] ^ crc_table[6][(c >> 8) & 0xFF] ^ crc_table[5][(c >> 16) & 0xFF] ^
        crc_table[4][c >> 24] ^ crc_table[3][byte(i + 4)] ^ crc_table[2][byte(i + 5)] ^ crc_table[1][byte(i + 6)] ^
        crc_table[0][byte(i + 7)];
  }
  for (; i < text.size(); ++i) c = (c >> 8) ^ crc_table[0][(c ^ byte(i)) & 0xFF];
  return ~c;
}

#if defined(__x86_64__) && defined(__GNUC__)
inline bool has_crc32c_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }
__attribute__((target("sse4.2"))) inline std::uint32_t crc32c_by_instruction(std::string_view text,
                                                                             std::uint32_t before) {
  std::uint64_t eight = 0, c = ~before;
  auto const* at = text.data();
  auto left = text.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::memcpy(&eight, at, 8);
    c = __builtin_ia32_crc32di(c, eight);
  }
  auto last = static_cast<std::uint32_t>(c);
  for (; left != 0; --left, ++at) last = __builtin_ia32_crc32qi(last, static_cast<unsigned char>(*at));
  return ~last;
}
#else
inline bool has_crc32c_instruction() { return false; }
inline std::uint32_t crc32c_by_instruction(std::string_view text, std::uint32_t before) {
  return crc32c_by_tables(text, before);
}
#endif

/// Of `text` behind what gave `before`: crc32c(b, crc32c(a)) == crc32c(a + b). By x86's instruction where there is one.
template <class Late = void>
constexpr std::uint32_t crc32c(std::string_view text, std::uint32_t before = 0) {
  if (!std::is_constant_evaluated() && has_crc32c_instruction()) return crc32c_by_instruction(text, before);
  return crc32c_by_tables<Late>(text, before);
}

}}}  // namespace sluice::v0::detail
