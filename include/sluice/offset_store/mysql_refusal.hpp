/// \file offset_store/mysql_refusal.hpp  Which statements a handler may run in MariaDB, and what is said of those that the server refuses: never a value.
#pragma once
#include <sluice/offset_store/mysql_connection.hpp>

namespace sluice { inline namespace v0 { namespace detail::mysql {

[[noreturn]] inline void bad_statement(std::string const& why, std::string_view sql) {
  throw error(errc::bad_statement, "mysql: the statement " + beginning_of(sql) + " " + why);
}

/// For a statement of the handler's.
[[noreturn]] inline void refused_to_run(connection& db, refusal const& r, std::string_view sql) {
  if (is_of_the_store(r)) db.fail(r, "a statement of the handler's");
  bool const holds_text = sql.find('\'') != sql.npos || sql.find('"') != sql.npos;
  auto const message = safe_message(r, holds_text);
  bad_statement("was refused (error " + std::to_string(r.code) + ")" + (message.empty() ? "" : ": ") + message, sql);
}

/// Whether a `set @…` sets something else too: a comma stands in no parentheses and no quotes. Behind a comment each counts.
inline bool sets_more_than_one(std::string_view sql) {
  int depth = 0;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    auto const c = sql[i];
    if (c == '\'' || c == '"' || c == '`')
      for (++i; i < sql.size() && sql[i] != c; ++i) i += sql[i] == '\\' && c != '`';
    else if (c == '#' || sql.substr(i, 2) == "--" || sql.substr(i, 2) == "/*")
      return sql.find(',', i) != sql.npos;
    else if (c == ',' && depth == 0)
      return true;
    else
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
  }
  return false;
}

/// MariaDB commits at most statements that are no reads or writes of rows, also where they fail, so only those that are known
/// to leave the transaction alone are let through. What a procedure does is seen when it is done.
inline void check_handlers(std::string_view sql) {
  auto const [first, second, third] =
      first_words(sql.substr(std::min(sql.find_first_not_of(" \t\r\n("), sql.size())), {.nested = false, .hash = true});
  auto const is = [](std::string const& w, std::initializer_list<char const*> all) {
    return std::any_of(all.begin(), all.end(), [&](char const* a) { return w == a; });
  };
  auto const code = sql.find("/*!") != sql.npos || sql.find("/*M!") != sql.npos;  // comments that are run
  bool const rows = is(first, {"select", "insert", "update", "delete", "replace", "with", "values", "do", "call",
                               "show", "describe", "desc", "explain"});
  bool const temporary = is(first, {"create", "drop"}) && second == "temporary";
  bool const variable = first == "set" && second.empty() && sql.find('@') != sql.npos && sql.find("@@") == sql.npos &&
                        !sets_more_than_one(sql);
  bool const savepoint = first == "savepoint" || (first == "release" && second == "savepoint") ||
                         (first == "rollback" && (second == "to" || third == "to"));
  bool const ours = savepoint && sql.find("sluice_") != sql.npos;
  if (first.empty() && !code) bad_statement("is empty", sql);
  if (code || ours || !(rows || temporary || variable || savepoint))
    bad_statement(
        "may end the transaction, or change how it is written, which is the store's to do: a handler's may be"
        " select, insert, update, delete, replace, with, values, do, call, show, explain, set @…, savepoint,"
        " rollback to, create or drop temporary; make tables beforehand",
        sql);
}

}}}  // namespace sluice::v0::detail::mysql
