/// \file offset_store/mysql_text.hpp  How values stand in the texts of MariaDB's statements: in hexadecimal digits, so that no setting changes what they mean.
#pragma once
#include <sluice/detail/sql_text.hpp>
#include <sluice/detail/sql_values.hpp>

#include <cstdint>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::mysql {

/// How the library's columns of text compare: byte by byte, spaces at the end too.
inline constexpr auto text_type = "character set utf8mb4 collate utf8mb4_nopad_bin";
inline constexpr std::size_t longest_name = 255;  // letters of a group or topic

/// In backquotes.
inline std::string in_quotes(std::string_view name) {
  std::string text = "`";
  for (char const c : name) text.append(c == '`' ? 2 : 1, c);
  return text + "`";
}

/// A text as a literal. It must be UTF-8.
inline std::string literal(std::string_view text) {
  std::string out = "_utf8mb4 x'";
  out.reserve(out.size() + 2 * text.size() + 1);
  for (auto const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out + "'";
}

/// Rows that go with a statement: one user variable, as JSON, which the server reads as a table `m`.
class row_set {
  std::string json_ = "[";
  bool first_ = true;  // of its row

  void quoted(std::string_view text) {
    json_ += '"';
    for (char const c : text) {
      if (c == '"' || c == '\\') json_ += '\\';
      if (static_cast<unsigned char>(c) < 0x20)
        json_ += "\\u00" + hex(static_cast<unsigned char>(c)).substr(14);
      else
        json_ += c;
    }
    json_ += '"';
  }
  void next() {
    if (!first_) json_ += ',';
    first_ = false;
  }

 public:
  /// One row; numbers are written as texts, since JSON's own may lose digits.
  template <class... A>
  row_set& row(A const&... values) {
    json_ += json_.size() > 1 ? ",[" : "[";
    first_ = true;
    (add(values), ...);
    json_ += ']';
    return *this;
  }
  std::string json() const { return json_ + "]"; }
  /// The statement that sends it.
  std::string sent() const { return "set @sluice_rows = " + literal(json()) + "; "; }

  /// What reads it again: each column is given as its name and type, such as "topic text".
  static std::string table(std::vector<std::pair<char const*, char const*>> const& columns) {
    std::string list;
    int n = 0;
    for (auto const& [name, type] : columns) {
      if (n > 0) list += ", ";
      list.append(name).append(" ").append(type).append(" path '$[" + std::to_string(n++) + "]'");
    }
    return "json_table(@sluice_rows, '$[*]' columns (" + list + ")) m";
  }

 private:
  template <class T>
  void add(T const& v) {
    next();
    if constexpr (is_optional<T>) {
      if (v)
        quoted(number_text(*v));
      else
        json_ += "null";
    } else if constexpr (sql_number<T>) {
      quoted(number_text(v));
    } else {
      quoted(v);
    }
  }
};

}}}  // namespace sluice::v0::detail::mysql
