/// \file offset_store/hbase_json.hpp  Rows, settings of tables and names of tables as HBase's REST server writes them in JSON.
#pragma once
#include <sluice/detail/base64.hpp>

#include <map>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::hbase {

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

/// A value of JSON. Numbers and words are kept as they are written.
struct json {
  enum { text, word, list, object } kind = word;
  std::string is{};                  ///< text and word
  std::vector<std::string> names{};  ///< of an object: one for each of `items`
  std::vector<json> items{};

  /// Of an object; null where there is none of that name.
  json const* find(std::string_view name) const {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return &items[i];
    return nullptr;
  }
  /// An object's text of that name; absent where it has none.
  std::optional<std::string> text_of(std::string_view name) const {
    auto const* const j = find(name);
    return j && j->kind == text ? std::optional{j->is} : std::nullopt;
  }
};

/// Reads one value and nothing behind it. Escapes above U+007F become `?`: no name of ours has one.
class json_reader {
  std::string_view left_;
  bool good_ = true;
  static constexpr int deepest = 16;

  void space() {
    while (!left_.empty() && (left_[0] == ' ' || left_[0] == '\n' || left_[0] == '\r' || left_[0] == '\t'))
      left_.remove_prefix(1);
  }
  bool next(char c) {
    space();
    if (left_.empty() || left_[0] != c) return false;
    left_.remove_prefix(1);
    return true;
  }
  void need(char c) { good_ = good_ && next(c); }

  char escaped() {
    auto const c = left_.empty() ? '\0' : left_[0];
    if (!left_.empty()) left_.remove_prefix(1);
    constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    if (auto const at = names.find(c); at != names.npos) return meanings[at];
    if (c != 'u' || left_.size() < 4) {
      good_ = false;
      return '?';
    }
    unsigned n = 0;
    for (char const d : left_.substr(0, 4)) {
      auto const digit =
          std::string_view{"0123456789abcdef"}.find(d >= 'A' && d <= 'F' ? static_cast<char>(d + 32) : d);
      good_ = good_ && digit != std::string_view::npos;
      n = n << 4 | static_cast<unsigned>(digit & 15);
    }
    left_.remove_prefix(4);
    return n < 0x80 ? static_cast<char>(n) : '?';
  }
  std::string quoted() {
    std::string all;
    need('"');
    while (good_ && !left_.empty() && left_[0] != '"') {
      auto const plain = std::min(left_.find_first_of("\"\\"), left_.size());
      all += left_.substr(0, plain);
      left_.remove_prefix(plain);
      if (left_.empty() || left_[0] == '"') break;
      left_.remove_prefix(1);
      all += escaped();
    }
    need('"');
    return all;
  }
  json value(int depth) {
    json j;
    space();
    if (depth > deepest || left_.empty()) {
      good_ = false;
    } else if (left_[0] == '"') {
      j.kind = json::text;
      j.is = quoted();
    } else if (left_[0] == '{' || left_[0] == '[') {
      j.kind = left_[0] == '{' ? json::object : json::list;
      char const end = left_[0] == '{' ? '}' : ']';
      left_.remove_prefix(1);
      if (next(end)) return j;
      do {
        if (j.kind == json::object) {
          space();
          j.names.push_back(quoted());
          need(':');
        }
        if (good_) j.items.push_back(value(depth + 1));
      } while (good_ && next(','));
      need(end);
    } else {
      auto const size = std::min(left_.find_first_of(",]} \r\n\t"), left_.size());
      j.is = left_.substr(0, size);
      good_ = good_ && size > 0;
      left_.remove_prefix(size);
    }
    return j;
  }

 public:
  explicit json_reader(std::string_view text) : left_(text) {}
  /// Absent where the text is none.
  std::optional<json> read() {
    auto j = value(0);
    space();
    if (!good_ || !left_.empty()) return {};
    return j;
  }
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
