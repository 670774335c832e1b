/// \file offset_store/postgres_columns.hpp  Columns of a table of the user's in PostgreSQL, and how arrays of text become their rows.
#pragma once
#include <sluice/offset_store/postgres_refusal.hpp>
#include <sluice/offset_store/postgres_tables.hpp>

namespace sluice { inline namespace v0 {

/// Names are put into double quotes, so they are written as the catalogue has them; `table` may be "schema.table".
struct postgres_columns {
  std::string table{};
  std::vector<std::string> key{};      ///< upsert: the columns of a primary key or unique constraint
  std::vector<std::string> columns{};  ///< the others
};

namespace detail::postgres {

inline std::string quoted_table(std::string const& table) {
  auto const dot = table.find('.');
  return dot == table.npos ? in_quotes(table)
                           : in_quotes(table.substr(0, dot)) + "." + in_quotes(table.substr(dot + 1));
}
template <class F>
std::string list(std::vector<std::string> const& names, F f, char const* between = ", ") {
  std::string text;
  for (auto const& n : names) text.append(text.empty() ? "" : between).append(f(in_quotes(n)));
  return text;
}
inline std::string list(std::vector<std::string> const& names) {
  return list(names, [](std::string const& n) { return n; });
}

/// `(select c1::integer as "id", … , i as sluice_i from unnest($1::text[], …) with ordinality …)`: rows of `table`'s types
/// out of one array of text for each column, numbered. Types are without their length: a cast to varchar(5) would cut a
/// longer value in silence, where the insert behind refuses it. Throws error(bad_statement) for a column that isn't there.
inline std::string rows_of_arrays(connection& db, std::string const& who, std::string const& table,
                                  std::vector<std::string> const& columns, time_point by) {
  request const ask{
      "with recursive t(name, type) as (select a.attname, a.atttypid from pg_attribute a"
      " where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped union all"
      " select t.name, d.typbasetype from t join pg_type d on d.oid = t.type where d.typtype = 'd')"
      " select t.name, format_type(t.type, -1) from t join pg_type p on p.oid = t.type where p.typtype <> 'd'",
      parameters::of(quoted_table(table))};
  auto const types = db.ask_one(ask, by);
  if (!types.good()) refused_to_run(db, types, ask.sql);
  std::string casts, arrays, names;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::string type;
    for (int row = 0; row < types.rows(); ++row)
      if (types.text(row, 0) == columns[i]) type = types.text(row, 1);
    if (type.empty())
      throw error(
          errc::bad_statement,
          std::string(who).append(": there is no column ").append(columns[i]).append(" in a table ").append(table));
    auto const n = std::to_string(i + 1);
    auto const comma = i > 0 ? ", " : "";
    casts.append(comma).append("c").append(n).append("::").append(type).append(" as ").append(in_quotes(columns[i]));
    arrays.append(comma).append("$").append(n).append("::text[]");
    names.append(comma).append("c").append(n);
  }
  return "(select " + casts + ", i as sluice_i from unnest(" + arrays + ") with ordinality u(" + names + ", i))";
}

inline void check_size(std::string const& who, std::size_t wanted, std::size_t given) {
  if (wanted != given)
    throw error(errc::bad_statement,
                who + ": a row takes " + std::to_string(wanted) + " values and was given " + std::to_string(given));
}

}  // namespace detail::postgres
}}  // namespace sluice::v0
