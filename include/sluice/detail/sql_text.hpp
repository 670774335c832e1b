/// \file detail/sql_text.hpp  What the SQL stores share: names, and beginnings of statements in texts.
#pragma once
#include <sluice/detail/nonce.hpp>
#include <sluice/error.hpp>
#include <sluice/record.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail {

/// Where a transaction's store keeps its tables, as names in SQL, and for which group: what state is kept by.
struct sql_home {
  std::string state{};
  std::string topics{};
  std::string group{};
};

/// 1 to `most` letters, digits and underscores, no digit first: what may become part of an SQL text.
inline bool is_sql_name(std::string_view name, std::size_t most = 63) {
  auto const letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto const good = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= most && letter(name[0]) && std::all_of(name.begin(), name.end(), good);
}

/// The beginning of a statement, without what may be data: it ends before the first quoted text.
inline std::string beginning_of(std::string_view sql) {
  auto const data = std::min(sql.find('\''), sql.find("$$"));
  auto const whole = sql.size() <= 80 && data == sql.npos;
  return "\"" + std::string(sql.substr(0, std::min<std::size_t>(80, data))) + (whole ? "\"" : "…\"");
}

/// What an exception says may be in any encoding; servers take UTF-8 only.
inline std::string as_utf8(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    auto const c = static_cast<unsigned char>(text[i]);
    std::size_t const n = c < 0x80                ? 1
                          : c >= 0xC2 && c < 0xE0 ? 2
                          : c >= 0xE0 && c < 0xF0 ? 3
                          : c >= 0xF0 && c < 0xF5 ? 4
                                                  : 0;
    bool good = n > 0 && i + n <= text.size();
    for (std::size_t k = 1; good && k < n; ++k) good = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
    auto const second = good && n > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == 0xE0) good = good && second >= 0xA0;
    if (c == 0xED) good = good && second < 0xA0;
    if (c == 0xF0) good = good && second >= 0x90;
    if (c == 0xF4) good = good && second < 0x90;
    out += good ? text.substr(i, n) : "?";
    i += good ? n : 1;
  }
  return out;
}

struct sql_comments {
  bool nested;  ///< one begins anew within another
  bool hash;    ///< # begins one that ends with its line
};

/// The first words of a statement, in small letters, without comments.
inline std::array<std::string, 3> first_words(std::string_view sql, sql_comments comments) {
  std::array<std::string, 3> words;
  std::size_t i = 0;
  auto const skip = [&] {
    while (i < sql.size()) {
      if (std::string_view{" \t\r\n\f\v;"}.find(sql[i]) != std::string_view::npos) {
        ++i;
      } else if (sql.substr(i, 2) == "--" || (comments.hash && sql[i] == '#')) {
        i = std::min(sql.find('\n', i), sql.size());
      } else if (sql.substr(i, 2) == "/*") {
        int depth = 1;
        for (i += 2; depth > 0 && i < sql.size();) {
          auto const two = sql.substr(i, 2);
          bool const opens = comments.nested && two == "/*", closes = two == "*/";
          depth += opens ? 1 : closes ? -1 : 0;
          i += opens || closes ? 2 : 1;
        }
      } else
        return;
    }
  };
  for (auto& word : words) {
    skip();
    for (; i < sql.size(); ++i) {
      auto const c = sql[i];
      if ((c >= 'a' && c <= 'z') || c == '_' || (c >= '0' && c <= '9'))
        word += c;
      else if (c >= 'A' && c <= 'Z')
        word += static_cast<char>(c - 'A' + 'a');
      else
        break;
    }
    if (word.empty()) break;
  }
  return words;
}

}}}  // namespace sluice::v0::detail
