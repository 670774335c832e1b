/// \file offset_store/hbase_table.hpp  A table of HBase by its REST interface: made, looked at, read, and written under a check.
#pragma once
#include <sluice/detail/secret.hpp>
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/hbase_answers.hpp>
#include <sluice/offset_store/hbase_json.hpp>

namespace sluice { inline namespace v0 { namespace detail::hbase {

struct settings {
  std::string who{"hbase_offsets"};  // for errors
  std::string address{};
  std::string table{};
  std::string family{};
  std::string history_family{};
  bool keeps_history = true;  // false: there is one family alone
  bool create = true;
  std::string user{};
  secret password{};
  std::string ca_file{};
  std::chrono::milliseconds timeout{};
};

/// What can be told without the server. Throws error(bad_configuration).
inline void check(settings const& s) {
  auto const bad = [&](char const* key, char const* why) {
    throw error(errc::bad_configuration, s.who + "." + key + " " + why);
  };
  auto const is_name = [](std::string_view text, std::string_view signs) {
    return !text.empty() && text.size() <= 200 && text[0] != '.' && text[0] != '-' &&
           is_made_of(text, std::string{capitals} + std::string{signs});
  };
  auto const colon = std::min(s.table.find(':'), s.table.size());
  if (!is_name(s.table.substr(0, colon), "_-.") ||
      (colon < s.table.size() && !is_name(s.table.substr(colon + 1), "_-.")))
    bad("table", "must be a table's name, or NAMESPACE:NAME, of letters, digits and any of _ - .");
  for (auto const* reserved : {"schema", "exists", "regions", "multiget", "scanner", "version", "status", "namespaces"})
    if (s.table == reserved) bad("table", "is a word that HBase's REST server keeps for itself: take another name");
  if (!is_name(s.family, "_-")) bad("family", "must be a column family's name: letters, digits and any of _ -");
  if (s.keeps_history && !is_name(s.history_family, "_-"))
    bad("history_family", "must be a column family's name: letters, digits and any of _ -");
  if (s.keeps_history && s.family == s.history_family)
    bad("family", "must be another than .history_family, whose rows expire: what is in .family must not");
  if (s.user.find_first_of(":\r\n") != s.user.npos) bad("user", "must be a name without a colon");
  check_secret(s.password, s.who + ".password");
  if (s.user.empty() != (ways_given(s.password) == 0))
    bad("user", "and a password (.password_file, .password_variable, .password) go together: give both, or neither");
  if (s.timeout.count() <= 0) bad("timeout", "must be above 0");
}

/// Any text as a part of a URL's query.
inline std::string query_text(std::string_view text) {
  return text.empty() ? std::string{} : file_name("x" + std::string{text}).substr(1);
}

/// Begins the keys of the library's own rows. No topic's name has this letter, so no program that looks for rows of a topic meets them.
inline constexpr std::string_view own_rows = "~sluice~";

class table {
  settings settings_;
  http::connection http_;
  std::string base_;  // the server
  std::string url_;   // the table

  static http::settings of(settings const& s, http::address const& a) {
    return {.who = s.who,
            .where = s.who + ": HBase's REST server at " + a.host_and_port(),
            .ca_file = s.ca_file,
            .timeout = s.timeout,
            .longest = std::size_t{256} << 20};
  }
  static http::address address_of(settings const& s) {
    check(s);
    return http::parse_address(s.address, s.who + ".address");
  }
  table(settings s, http::address const& a)
      : settings_(std::move(s)), http_(of(settings_, a)), base_(a.url()), url_(base_ + "/" + settings_.table) {
    if (settings_.table.starts_with("default:")) settings_.table.erase(0, 8);
  }

  http::answer ask(char const* method, std::string url, char const* type, time_point by,
                   std::optional<std::string_view> content = {}) {
    http::request r{.method = method, .url = std::move(url), .content = content};
    r.headers.push_back(std::string{"Accept: "} + type);
    if (content) r.headers.push_back(std::string{"Content-Type: "} + type);
    if (!settings_.user.empty()) {
      std::string both;
      append_base64(both,
                    as_bytes(settings_.user + ":" + read_secret(settings_.password, settings_.who + ".password")));
      r.headers.push_back("Authorization: Basic " + both);
    }
    return http_.ask(r, by);
  }
  static constexpr char const* in_json = "application/json";

  std::string family_text(std::string const& name, char const* more) const {
    return "{NAME => '" + name + "', " + more + "}";
  }
  std::string current_family() const { return family_text(settings_.family, "VERSIONS => 1"); }
  std::string history_family() const { return family_text(settings_.history_family, "VERSIONS => 1, TTL => 2592000"); }

  [[noreturn]] void bad_table(std::string const& what) const {
    throw store_error(errc::bad_configuration, name() + " " + what);
  }
  [[noreturn]] void missing_table() const {
    throw store_error(errc::bad_configuration, http_.config().where + " has no table " + settings_.table +
                                                   ": make it (hbase shell: " + commands().make_table + ")");
  }

  void check_family(schema const& s, std::string const& family) const {
    if (!s.families.contains(family))
      bad_table("has no column family '" + family + "' (hbase shell: alter '" + settings_.table + "', " +
                (family == settings_.family ? current_family() : history_family()) + ")");
  }

  /// What was acknowledged must still be there after any time, and after a crash.
  void check_schema(schema const& s) const {
    auto const upper = [](std::string text) {
      for (auto& c : text)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
      return text;
    };
    check_family(s, settings_.family);
    if (settings_.keeps_history) check_family(s, settings_.history_family);
    auto const& current = s.families.at(settings_.family);
    if (auto const ttl = current.find("TTL");
        ttl != current.end() && ttl->second != "2147483647" && upper(ttl->second) != "FOREVER")
      bad_table("lets the column family '" + settings_.family + "' expire (TTL), so " +
                (settings_.keeps_history ? "the position of a partition without records would be lost"
                                         : "what is old could come back over what is newer") +
                " (hbase shell: alter '" + settings_.table + "', " + family_text(settings_.family, "TTL => 'FOREVER'") +
                ")");
    if (auto const d = s.of_table.find("DURABILITY");
        d != s.of_table.end() && (upper(d->second) == "SKIP_WAL" || upper(d->second) == "ASYNC_WAL"))
      bad_table("acknowledges what is not durable (hbase shell: alter '" + settings_.table +
                "', DURABILITY => 'FSYNC_WAL')");
    if (auto const r = s.of_table.find("READONLY"); r != s.of_table.end() && upper(r->second) == "TRUE")
      bad_table("is read-only (hbase shell: alter '" + settings_.table + "', READONLY => 'false')");
  }

  /// Absent: there is no such table, as the list of all tables says too. A 404 alone proves nothing.
  std::optional<schema> look(time_point by) {
    auto const a = ask("GET", url_ + "/schema", in_json, by);
    if (a.status == 200)
      if (auto s = schema_of(a.content)) return s;
    if (a.status != 404) refuse(a);
    auto const all = ask("GET", base_ + "/", in_json, by);
    auto const names = all.status == 200 ? tables_of(all.content) : std::nullopt;
    if (!names) refuse(all);
    if (std::find(names->begin(), names->end(), settings_.table) == names->end()) return {};
    throw store_error(errc::store_unavailable, name() + " is being made or removed at this moment");
  }

  void make(time_point by) {
    // POST adds to a table that somebody else has made meanwhile; PUT would replace it.
    auto const history = settings_.keeps_history
                             ? R"({"name":")" + settings_.history_family + R"(","VERSIONS":"1","TTL":"2592000"},)"
                             : std::string{};
    auto const wanted = R"({"name":")" + settings_.table + R"(","DURABILITY":"FSYNC_WAL","ColumnSchema":[)" + history +
                        R"({"name":")" + settings_.family + R"(","VERSIONS":"1"}]})";
    auto const a = ask("POST", url_ + "/schema", in_json, by, wanted);
    if (a.status != 200 && a.status != 201 && a.status != 304 && a.status < 500) refuse(a);
  }

  /// A check that can't hold must be refused: who passes requests on may leave out what is behind the question mark.
  void probe_check(time_point by) {
    auto const a = check_put(std::string{own_rows} + "~probe", "sluice", "no cell has ever held this", by);
    if (a.status == 200)
      throw store_error(errc::bad_configuration,
                        http_.config().where +
                            " ignores check=put, so two consumers could overwrite each other: let "
                            "what lies between pass requests on as they are");
    if (a.status != 304) refuse(a);
  }

 public:
  explicit table(settings const& s) : table(s, address_of(s)) {}

  settings const& config() const { return settings_; }
  std::string name() const { return http_.config().where + ", table " + settings_.table + ","; }
  remedies commands() const {
    auto const families = current_family() + (settings_.keeps_history ? ", " + history_family() : std::string{});
    return {"create '" + settings_.table + "', " + families + ", {DURABILITY => 'FSYNC_WAL'}",
            "alter '" + settings_.table + "', " + families};
  }

  [[noreturn]] void refuse(http::answer const& a) const {
    auto const m = meaning_of(a, commands());
    throw store_error(m.code, http_.config().where + " " + m.what);
  }

  /// Makes the table where that is wanted. Throws store_error where it can't be had, or can't keep what it is to keep.
  void open(time_point by) {
    for (int attempt = 0;; ++attempt) {
      if (auto const s = look(by)) {
        check_schema(*s);
        return probe_check(by);
      }
      if (!settings_.create || attempt == 3) missing_table();
      make(by);
    }
  }

  /// For who reads the history alone: it must be there.
  void open_history(time_point by) {
    auto const s = look(by);
    if (!s) missing_table();
    check_family(*s, settings_.history_family);
  }

  /// The library's own cell of that row; absent where it is certain that there is none.
  std::optional<std::string> read(std::string const& row_key, time_point by) {
    auto const get = [&] {
      return ask("GET", url_ + "/" + row_key + "/" + own_column(), "application/octet-stream", by);
    };
    auto a = get();
    if (a.status == 404) {  // a server that can't see its regions says so too
      if (!look(by)) return {};
      a = get();
    }
    if (a.status == 404) return {};
    if (a.status != 200) refuse(a);
    return std::move(a.content);
  }
  std::string own_column() const { return settings_.family + ":state"; }

  /// Replaces `before` by `after`; an empty `before` is no cell. 200 done, 304 it is not so; else see refuse().
  http::answer check_put(std::string const& row_key, std::string const& after, std::string const& before,
                         time_point by) {
    auto const column = own_column();
    return ask("PUT", url_ + "/" + row_key + "?check=put", in_json, by,
               json_of({{.key = row_key, .cells = {{column, after}, {column, before}}}}));
  }

  /// Replaces cells where `column` still holds `before`; an empty `before` is no cell. 200 done, 304 it is not so; else see
  /// refuse(). The row's key is in what is sent, so it may be anything.
  http::answer check_put(row changed, std::string const& column, std::string const& before, time_point by) {
    changed.cells.push_back({column, before});
    return ask("PUT", url_ + "/row?check=put", in_json, by, json_of({std::move(changed)}));
  }

  /// That column of those of these rows that have it. Keys are UTF-8.
  std::vector<row> get(std::vector<std::string> const& keys, std::string const& column, time_point by) {
    constexpr std::size_t longest_query = 4000;
    std::vector<row> all;
    std::string query;
    auto const fetch = [&] {
      auto const a = ask("GET", url_ + "/multiget/" + column + "?" + query, in_json, by);
      query.clear();
      if (a.status == 404) return;
      auto rows = a.status == 200 ? rows_of(a.content) : std::nullopt;
      if (!rows) refuse(a);
      for (auto& r : *rows) all.push_back(std::move(r));
    };
    for (auto const& k : keys) {
      if (k.ends_with('*')) {  // in a path that would be all keys that begin so
        auto const url = url_ + "/*?limit=1&column=" + column + "&startrow=" + query_text(k);
        if (auto r = one(ask("GET", url, in_json, by)); r && r->key == k) all.push_back(std::move(*r));
        continue;
      }
      query +=
          (query.empty() ? "row=" : "&row=") + query_text(query_text(k));  // it is taken for a path, and decoded again
      if (query.size() > longest_query) fetch();
    }
    if (!query.empty()) fetch();
    return all;
  }

  /// The highest row from `first` down to, without it, `beyond`; with the cells of the history's family only.
  std::optional<row> highest(std::string const& first, std::string const& beyond, time_point by) {
    return one(
        ask("GET", scan(true) + "&startrow=" + query_text(first) + "&endrow=" + query_text(beyond), in_json, by));
  }
  /// The lowest row from `first` on.
  std::optional<row> lowest(std::string const& first, time_point by) {
    return one(ask("GET", scan(false) + (first.empty() ? "" : "&startrow=" + query_text(first)), in_json, by));
  }
  /// Into the history's family, all or some.
  void put(std::vector<row> const& rows, time_point by) {
    if (auto const a = ask("PUT", url_ + "/rows", in_json, by, json_of(rows)); a.status != 200) refuse(a);
  }

 private:
  std::string scan(bool down) const {
    return url_ + "/*?limit=1&column=" + settings_.history_family + (down ? "&reversed=true" : "");
  }
  std::optional<row> one(http::answer const& a) const {
    if (a.status == 204) return {};
    auto rows = a.status == 200 ? rows_of(a.content) : std::nullopt;
    if (!rows || rows->size() > 1) refuse(a);
    if (rows->empty()) return {};
    return std::move(rows->front());
  }
};

}}}  // namespace sluice::v0::detail::hbase
