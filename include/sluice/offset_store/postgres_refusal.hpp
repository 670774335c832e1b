/// \file offset_store/postgres_refusal.hpp  Which statements a handler may not run, and what is said of those that the server refuses: never a value.
#pragma once
#include <sluice/offset_store/postgres_connection.hpp>

namespace sluice { inline namespace v0 { namespace detail::postgres {

[[noreturn]] inline void bad_statement(std::string const& why, std::string_view sql) {
  throw error(errc::bad_statement, "postgres: the statement " + beginning_of(sql) + " " + why);
}

/// The server's message is kept where it names tables, columns and constraints; others may cite values.
[[noreturn]] inline void refused_to_run(connection& db, result const& r, std::string_view sql) {
  auto const state = r.state();
  if (connection::is_of_the_store(state)) db.fail(r, "a statement of the handler's");
  bool const holds_text = sql.find('\'') != sql.npos || sql.find('$') != sql.npos;
  bool const named = state.starts_with("23") && state != "23P01";
  bool const syntax =
      state.starts_with("42") && (!holds_text || state == "42P01" || state == "42703" || state == "42501");
  bad_statement(
      "was refused (SQLSTATE " + std::string(state) + ")" + (named || syntax ? ": " + connection::message_of(r) : ""),
      sql);
}

/// Beginning and ending the transaction is the store's; so are the settings that make it safe. One statement at a time is
/// the protocol's own rule, and procedures can't end a transaction that is open.
inline void check_handlers(std::string_view sql) {
  auto const [first, second, third] = first_words(sql, {.nested = true, .hash = false});
  auto const is = [](std::string const& w, std::initializer_list<char const*> all) {
    return std::any_of(all.begin(), all.end(), [&](char const* a) { return w == a; });
  };
  bool const to_savepoint = first == "rollback" && (second == "to" || third == "to");
  bool const ends = is(first, {"begin", "start", "commit", "end", "abort", "discard"}) ||
                    (first == "rollback" && !to_savepoint) || (first == "prepare" && second == "transaction");
  bool const sets =
      is(first, {"set", "reset"}) &&
      (is(second, {"session", "transaction", "synchronous_commit", "all", "role", "default_transaction_isolation"}) ||
       is(third, {"transaction", "synchronous_commit"}));
  bool const ours = is(first, {"savepoint", "release", "rollback"}) && sql.find("sluice_record") != sql.npos;
  if (ends || sets || ours)
    bad_statement("begins or ends a transaction, or changes how it is written: that is the store's to do", sql);
}

}}}  // namespace sluice::v0::detail::postgres
