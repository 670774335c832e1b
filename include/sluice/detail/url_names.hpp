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

/// Letters, digits and any of `-_./`, with no part between two `/` that is empty or begins with a dot.
inline bool is_plain_path(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    bool const begins = i == 0 || text[i - 1] == '/';
    if (begins && (c == '/' || c == '.')) return false;
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
          c == '.' || c == '/'))
      return false;
  }
  return true;
}

}}}  // namespace sluice::v0::detail
