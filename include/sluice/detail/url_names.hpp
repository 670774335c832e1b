/// \file detail/url_names.hpp  Names that stand in a URL as they are: of what a store keeps behind HTTP.
#pragma once
#include <sluice/detail/file_names.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail {

/// Any text as letters, digits and `-_.~` (as file_name, with `~` for `%`), so that no two texts share one. A `~` is followed
/// by two hexadecimal digits, but in that of the empty text, which is a lone one.
inline std::string url_name(std::string_view text) {
  auto name = file_name(text);
  std::replace(name.begin(), name.end(), '%', '~');
  return name;
}

/// Small letters, digits, and what is in `more`.
inline bool is_made_of(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != more.npos;
  });
}
inline constexpr std::string_view capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
inline constexpr std::string_view capitals_and_signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.=/";

/// Letters, digits and any of `-_./`, with no part between two `/` that is empty or begins with a dot.
inline bool is_plain_path(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((i == 0 || text[i - 1] == '/') && (text[i] == '/' || text[i] == '.')) return false;
  return text.find('=') == text.npos && is_made_of(text, capitals_and_signs);
}

}}}  // namespace sluice::v0::detail
