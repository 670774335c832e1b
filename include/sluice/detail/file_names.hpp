/// \file detail/file_names.hpp  Any text as the name of a file or folder, so that no two texts share one.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// Percent-encoded: letters, digits, `-`, `_`, and `.` where it isn't the first, stay; the empty text is a lone `%`.
inline std::string file_name(std::string_view text) {
  if (text.empty()) return "%";
  std::string out;
  for (char const c : text) {
    bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || (c == '.' && !out.empty());
    if (plain) {
      out += c;
    } else {
      auto const byte = static_cast<unsigned char>(c);
      out += {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
    }
  }
  return out;
}

/// The other way; absent for what file_name never gives.
inline std::optional<std::string> text_of_file_name(std::string_view name) {
  std::string text;
  if (name == "%") return text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%') {
      text += name[i];
      continue;
    }
    if (i + 2 >= name.size()) return {};
    auto const digits = std::string_view{"0123456789ABCDEF"};
    auto const high = digits.find(name[i + 1]), low = digits.find(name[i + 2]);
    if (high == digits.npos || low == digits.npos) return {};
    text += static_cast<char>(high << 4 | low);
    i += 2;
  }
  if (file_name(text) != name) return {};
  return text;
}

inline constexpr std::size_t longest_file_name = 200;

/// A name of any length as a path of folders: each but the last ends in `more`. A `.` that one would begin with is encoded
/// behind `escape`: such names are hidden, and `.` and `..` mean something else.
template <class Names = std::vector<std::string>>
Names split_name(std::string_view name, char escape, char more) {
  Names out;
  for (bool last = false; !last;) {
    auto part = std::string{name.substr(0, longest_file_name)};
    name.remove_prefix(part.size());
    last = name.empty();
    if (part.starts_with('.')) part.replace(0, 1, std::string{escape} + "2E");
    if (!last) part += more;
    out.push_back(std::move(part));
  }
  return out;
}

/// file_name() as a path of folders, for texts of any length.
template <class Names = std::vector<std::string>>
Names folder_names(std::string_view text) {
  return split_name<Names>(file_name(text), '%', '+');
}

/// With leading zeros, so that names sort as numbers do.
inline std::string padded(std::uint64_t n) {
  std::string out(20, '0');
  for (std::size_t i = 20; i-- > 0 && n > 0; n /= 10) out[i] = static_cast<char>('0' + n % 10);
  return out;
}

/// Exactly what padded() gives, or absent.
inline std::optional<std::uint64_t> padded_number(std::string_view text) {
  if (text.size() != 20) return {};
  std::uint64_t n = 0;
  for (char const c : text) {
    auto const digit = static_cast<std::uint64_t>(c - '0');
    if (c < '0' || c > '9' || n > (UINT64_MAX - digit) / 10) return {};
    n = n * 10 + digit;
  }
  return n;
}

}}}  // namespace sluice::v0::detail
