/// \file detail/sql_text.hpp  What the SQL stores share: names, and beginnings of statements in texts.
#pragma once
#include <sluice/detail/nonce.hpp>
#include <sluice/error.hpp>
#include <sluice/record.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail {

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
