/// \file offset_store/hbase_json.hpp  Rows, settings of tables and names of tables as HBase's REST server writes them in JSON.
#pragma once
#include <sluice/detail/base64.hpp>
#include <sluice/detail/json_reader.hpp>

#include <map>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::hbase {

using detail::json;
using detail::json_reader;

/// `column`: "FAMILY:QUALIFIER".
struct cell {
  std::string column{};
  std::string value{};
  friend bool operator==(cell const&, cell const&) = default;
};
struct row {
  std::string key{};
  std::vector<cell> cells{};
  friend bool operator==(row const&, row const&) = default;
};

/// A table's own attributes and, by their names, its families', as HBase spells them.
struct schema {
  using attributes = std::map<std::string, std::string>;
  attributes of_table{};
  std::map<std::string, attributes> families{};
};

inline void append_quoted_base64(std::string& out, std::string_view text) {
  out += '"';
  append_base64(out, as_bytes(text));
  out += '"';
}

/// What a PUT of rows holds.
inline std::string json_of(std::vector<row> const& rows) {
  std::string out = "{\"Row\":[";
  for (auto const& r : rows) {
    if (&r != &rows.front()) out += ',';
    out += "{\"key\":";
    append_quoted_base64(out, r.key);
    out += ",\"Cell\":[";
    for (auto const& c : r.cells) {
      if (&c != &r.cells.front()) out += ',';
      out += "{\"column\":";
      append_quoted_base64(out, c.column);
      out += ",\"$\":";
      append_quoted_base64(out, c.value);
      out += '}';
    }
    out += "]}";
  }
  return out + "]}";
}

/// The other way; absent where it is none.
inline std::optional<std::vector<row>> rows_of(std::string_view text) {
  auto const j = json_reader{text}.read();
  auto const* const listed = j ? j->find("Row") : nullptr;
  if (!listed || listed->kind != json::list) return {};
  auto const decoded = [](json const& from, char const* name) {
    auto const encoded = from.text_of(name);
    return encoded ? text_of_base64(*encoded) : std::nullopt;
  };
  std::vector<row> rows;
  for (auto const& one : listed->items) {
    auto const key = decoded(one, "key");
    auto const* const cells = one.find("Cell");
    if (!key || !cells || cells->kind != json::list) return {};
    auto& r = rows.emplace_back(row{.key = *key});
    for (auto const& c : cells->items) {
      auto const column = decoded(c, "column"), value = decoded(c, "$");
      if (!column || !value) return {};
      r.cells.push_back({*column, *value});
    }
  }
  return rows;
}

/// Of the answer to GET /TABLE/schema; absent where it is none.
inline std::optional<schema> schema_of(std::string_view text) {
  auto const j = json_reader{text}.read();
  if (!j) return {};
  auto const* const families = j->find("ColumnSchema");
  if (!families || families->kind != json::list) return {};
  auto const attributes = [](json const& of) {
    schema::attributes all;
    for (std::size_t i = 0; i < of.names.size(); ++i)
      if (of.items[i].kind == json::text || of.items[i].kind == json::word) all[of.names[i]] = of.items[i].is;
    return all;
  };
  schema s{.of_table = attributes(*j)};
  for (auto const& one : families->items) {
    auto const name = one.text_of("name");
    if (!name) return {};
    s.families[*name] = attributes(one);
  }
  return s;
}

/// Of the answer to GET /, the tables that this user sees; absent where it is none.
inline std::optional<std::vector<std::string>> tables_of(std::string_view text) {
  auto const j = json_reader{text}.read();
  auto const* const listed = j ? j->find("table") : nullptr;
  if (!listed || listed->kind != json::list) return {};
  std::vector<std::string> names;
  for (auto const& one : listed->items) {
    auto const name = one.text_of("name");
    if (!name) return {};
    names.push_back(*name);
  }
  return names;
}

}}}  // namespace sluice::v0::detail::hbase
