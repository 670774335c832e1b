/// \file detail/sql_text.hpp  What the SQL stores share: names and beginnings of statements in texts, random numbers, the wall clock.
#pragma once
#include <sluice/error.hpp>
#include <sluice/record.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail {

inline std::uint64_t random_64() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

inline std::string hex(std::uint64_t n) {
  std::string text(16, '0');
  for (auto i = text.rbegin(); n != 0; n >>= 4) *i++ = "0123456789abcdef"[n & 15];
  return text;
}

inline std::int64_t wall_ms() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
}

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

}}}  // namespace sluice::v0::detail
