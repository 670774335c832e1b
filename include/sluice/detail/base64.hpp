/// \file detail/base64.hpp  Base64 as in RFC 4648: written, and read with suspicion.
#pragma once
#include <sluice/record.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail {

inline constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline void append_base64(std::string& out, bytes data) {
  for (std::size_t i = 0; i < data.size(); i += 3) {
    auto const left = std::min<std::size_t>(3, data.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < left ? std::to_integer<std::uint32_t>(data[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) out += k <= left ? base64_digits[(bits >> (18 - 6 * k)) & 63] : '=';
  }
}

/// Absent for what append_base64 never gives.
template <class Text = std::string>
std::optional<Text> text_of_base64(std::string_view encoded) {
  Text text;
  if (encoded.size() % 4 != 0) return {};
  text.reserve(encoded.size() / 4 * 3);
  for (std::size_t i = 0; i < encoded.size(); i += 4) {
    bool const last = i + 4 == encoded.size();
    auto const pads = last ? (encoded[i + 3] == '=') + (encoded[i + 2] == '=' && encoded[i + 3] == '=') : 0;
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      auto const digit = k + static_cast<std::size_t>(pads) >= 4 ? 0 : base64_digits.find(encoded[i + k]);
      if (digit == base64_digits.npos) return {};
      bits = bits << 6 | static_cast<std::uint32_t>(digit);
    }
    if ((bits & ((1u << 8 * pads) - 1)) != 0) return {};
    for (int k = 0; k < 3 - pads; ++k) text += static_cast<char>(bits >> (16 - 8 * k) & 0xFF);
  }
  return text;
}

}}}  // namespace sluice::v0::detail
