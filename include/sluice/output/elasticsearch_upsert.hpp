/// \file output/elasticsearch_upsert.hpp  The newest value of each key as a document in Elasticsearch, whatever is repeated or comes late: for `idempotent`.
#pragma once
#include <sluice/detail/json_reader.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/letter_json.hpp>
#include <sluice/detail/secret.hpp>
#include <sluice/detail/url_names.hpp>
#include <sluice/offset_store/http_connection.hpp>
#include <sluice/output/upsert_records.hpp>

#include <functional>
#include <map>

namespace sluice { inline namespace v0 {

struct elasticsearch_upsert_into {
  std::string address{};                          ///< "http://HOST:9200", or https
  std::string index{};                            ///< made where it is not there; or an alias of one
  std::vector<std::string> columns{};             ///< fields; `sluice` and `sluice_deleted` are beside them
  std::function<std::int64_t(record)> version{};  ///< which of two is newer, for keys that come from several partitions
  std::string user{};
  std::string password{};                           ///< or, so that no source text holds it:
  std::string password_file{};                      ///< a file that holds it, read for each request
  std::string password_variable{};                  ///< the name of an environment variable that holds it
  std::string ca_file{};                            ///< certificates of authorities, PEM; empty: the system's
  std::chrono::milliseconds timeout{10'000};        ///< for connecting
  std::chrono::milliseconds batch_timeout{60'000};  ///< of a batch
};

namespace detail::elasticsearch {

/// A value as it stands in a document. Absent is null; what is no UTF-8 becomes U+FFFD.
template <class T>
void append_value(std::string& out, T const& v) {
  if constexpr (is_optional<T>) {
    if (v) return append_value(out, *v);
    out += "null";
  } else if constexpr (std::is_same_v<T, bool>) {
    out += v ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<T>) {
    if (v - v == 0)
      out += number_text(v);
    else
      out += "null";  // JSON has no infinity
  } else if constexpr (sql_number<T>) {
    out += number_text(v);
  } else if (auto const text = upsert_text(v)) {
    append_json_text(out, *text);
  } else {
    out += "null";
  }
}

struct meaning {
  errc code;
  bool of_record;  ///< the document's fault
  std::string what;
};
/// Of an answer to one thing of several, or to all. `type`: the word of its error, such as mapper_parsing_exception.
inline meaning meaning_of(long status, std::string type) {
  if (type.size() > 64 || !is_made_of(type, "_")) type.clear();
  auto const said = std::to_string(status) + (type.empty() ? "" : " " + type);
  if (type == "mapper_parsing_exception" || type == "strict_dynamic_mapping_exception" || status == 413 ||
      (status == 400 && type == "illegal_argument_exception"))
    return {errc::bad_statement, true, "does not take a document (" + said + "): does it fit the index's mapping?"};
  if (type == "cluster_block_exception")
    return {errc::store_full, false,
            "lets nothing be written to this index (" + said + "): is there room on its disks?"};
  if (status == 401 || status == 403)
    return {errc::bad_configuration, false,
            "does not let this user do it (" + said +
                "): see .user and .password, and give the right to read, index and, where the index is not there, "
                "create it"};
  if (status == 404 || type == "invalid_index_name_exception")
    return {errc::bad_configuration, false, "has no such index, or could have none (" + said + "): see .index"};
  return {errc::store_unavailable, false, "can't do it now (" + said + ")"};
}

inline std::string type_of(json const& of) {
  auto const* const e = of.find("error");
  return e && e->kind == json::object ? e->text_of("type").value_or("") : "";
}
/// Digits, and nothing that would mean something else where they go into a request.
inline bool is_number(json const* j) {
  return j && j->kind == json::word && !j->is.empty() && j->is.find_first_not_of("0123456789") == std::string::npos;
}
/// 0: it has none.
inline long status_of(json const& of) {
  auto const* const s = of.find("status");
  long n = 0;
  if (is_number(s)) std::from_chars(s->is.data(), s->is.data() + s->is.size(), n);
  return n;
}

struct seen {
  bool found = false;
  std::string number{}, term{};  ///< go with the request that replaces it
  std::string place{};           ///< the field `sluice`
};

/// Of an answer to _mget, in the order of what was asked for; absent where it is none, or one of them could not be read.
inline std::optional<std::vector<seen>> seen_in(json const& answer, std::string& trouble) {
  auto const* const docs = answer.find("docs");
  if (!docs || docs->kind != json::list) return {};
  std::vector<seen> all;
  for (auto const& d : docs->items) {
    if (d.find("error")) {
      trouble = type_of(d);
      return {};
    }
    auto const *found = d.find("found"), *number = d.find("_seq_no"), *term = d.find("_primary_term");
    seen s;
    s.found = found && found->is == "true";
    if (s.found) {
      if (!is_number(number) || !is_number(term)) return {};
      s.number = number->is;
      s.term = term->is;
      if (auto const* const source = d.find("_source")) s.place = source->text_of("sluice").value_or("");
    }
    all.push_back(std::move(s));
  }
  return all;
}

}  // namespace detail::elasticsearch

/// What the mapping writes a record's document with: `row(key, columns…)`, the values in their order: text, numbers, bool,
/// std::optional of these, nullptr. The key is the document's _id: UTF-8, 1 to 512 bytes. A tombstone's document is kept without its
/// fields, `sluice_deleted` true. For one record the first row of a key counts. A mapping may write no row, or several.
template <class Late>
class basic_elasticsearch_upsert_row {
  template <class, class>
  friend class detail::collected_upsert;
  static constexpr auto who = "elasticsearch_upsert";
  static constexpr std::size_t most_bytes = std::size_t{8} << 20, most_rows = 1000;
  using place = detail::upsert_place;
  using json = detail::json;
  using seen = detail::elasticsearch::seen;

  struct version_of_row {
    place where{};
    std::string fields{};  // of JSON, each with a comma behind it
  };
  using rows = detail::late<std::map<std::string, std::vector<version_of_row>>, Late>;
  using documents = detail::late<std::map<std::string, seen>, Late>;

  elasticsearch_upsert_into into_;
  detail::secret password_;
  detail::http::address address_;
  detail::http::connection http_;
  rows rows_{};
  detail::mapped_record at_{};

 public:
  explicit basic_elasticsearch_upsert_row(elasticsearch_upsert_into c)
      : into_(checked(std::move(c))),
        password_{into_.password, into_.password_file, into_.password_variable},
        address_(detail::http::parse_address(into_.address, std::string(who) + ".address")),
        http_({.who = who,
               .where = std::string(who) + ": Elasticsearch at " + address_.host_and_port(),
               .ca_file = into_.ca_file,
               .timeout = into_.timeout}) {
    open(std::chrono::steady_clock::now() + into_.batch_timeout);
  }

  template <class Key, class... A>
  void operator()(Key const& key, A const&... columns) {
    if (sizeof...(A) != into_.columns.size())
      throw error(errc::bad_statement, std::string(who) + ": the row has " + std::to_string(1 + into_.columns.size()) +
                                           " values, the key and .columns, and was given " +
                                           std::to_string(1 + sizeof...(A)));
    bool const deleted = at_.now.is_tombstone();
    auto& row = add(detail::upsert_text(key), deleted);
    std::size_t i = 0;
    if (!deleted) (field(row.fields, into_.columns[i++], columns), ...);
  }
  /// Marks the key as deleted, for records that say so in another way than by being a tombstone.
  template <class Key>
  void remove(Key const& key) {
    add(detail::upsert_text(key), true);
  }

 private:
  template <class T>
  static void field(std::string& out, std::string const& name, T const& value) {
    out += "\"" + name + "\":";
    detail::elasticsearch::append_value(out, value);
    out += ',';
  }
  version_of_row& add(std::optional<std::string> const& key, bool deleted) {
    auto left = key ? std::string_view{*key} : std::string_view{};
    while (auto const n = detail::utf8_length(left)) left.remove_prefix(n);
    if (!key || key->empty() || key->size() > 512 || !left.empty())
      throw error(errc::bad_statement, std::string(who) + ": a row's key must be UTF-8 of 1 to 512 bytes");
    auto& all = rows_[*key];
    all.push_back({.where = {.version = into_.version ? into_.version(at_.now) : 0,
                             .incarnation = at_.now.incarnation(),
                             .offset = at_.now.offset().value(),
                             .deleted = deleted,
                             .partition = at_.partition}});
    return all.back();
  }
  void clear() { rows_.clear(); }

  /// What of `all` is to be written: nothing (null) where what is there is newer. What is there and equal is written again, since
  /// a document can be read before it is on enough disks. Throws where that can't be told.
  version_of_row const* newest(std::string const& key, std::vector<version_of_row> const& all,
                               seen const& before) const {
    std::optional<place> is;
    if (before.found) {
      is = place::of(before.place);
      if (!is)
        throw error(errc::bad_statement, std::string(who) + ": the document of a key of " + std::to_string(key.size()) +
                                             " bytes is there, and this output has not written it: choose another "
                                             ".index, or other keys");
    }
    version_of_row const* found = nullptr;
    for (auto const& one : all) {
      if (is && !into_.version && is->partition != one.where.partition)
        detail::of_two_partitions(who, std::to_string(key.size()), one.where.partition, is->partition);
      if (found ? !one.where.newer_than(*is) : is && is->newer_than(one.where)) continue;
      is = one.where;
      found = &one;
    }
    return found;
  }

  detail::http::answer ask(char const* method, std::string const& path, std::optional<std::string_view> content,
                           time_point by) {
    detail::http::request r{.method = method, .url = address_.url() + path, .content = content};
    if (content) r.headers.push_back("Content-Type: application/x-ndjson");
    if (!into_.user.empty()) {
      std::string basic = "Authorization: Basic ";
      auto const pair = into_.user + ":" + detail::read_secret(password_, std::string(who) + ".password");
      detail::append_base64(basic, as_bytes(pair));
      r.headers.push_back(std::move(basic));
    }
    return http_.ask(r, by);
  }
  [[noreturn]] void refuse(long status, std::string const& type) const {
    auto const m = detail::elasticsearch::meaning_of(status, type);
    if (m.of_record) throw error(m.code, http_.config().where + " " + m.what);
    throw store_error(m.code, http_.config().where + " " + m.what);
  }
  /// The answer's JSON, where it is a success and JSON.
  json parsed(detail::http::answer const& a) const {
    auto j = detail::json_reader{a.content}.read();
    if (a.status != 200) refuse(a.status, j ? detail::elasticsearch::type_of(*j) : "");
    if (!j)
      throw store_error(errc::store_unavailable,
                        http_.config().where + " gave an answer that is none of its kind: is the address right?");
    return std::move(*j);
  }

  /// Makes the index where it is not there; what it acknowledges must be on its disks.
  void open(time_point by) {
    auto const made = ask("PUT", "/" + into_.index,
                          R"({"mappings":{"properties":{"sluice":{"type":"keyword","index":false,"doc_values":false},)"
                          R"("sluice_deleted":{"type":"boolean"}}}})",
                          by);
    if (made.status != 200) {
      auto const j = detail::json_reader{made.content}.read();
      auto const type = j ? detail::elasticsearch::type_of(*j) : "";
      if (type != "resource_already_exists_exception" && type != "invalid_index_name_exception" && made.status != 403)
        refuse(made.status, type);
      if (type == "invalid_index_name_exception" && ask("GET", "/" + into_.index, {}, by).status != 200)
        refuse(made.status, type);
    }
    auto const settings =
        ask("GET", "/" + into_.index + "/_settings/index.translog.durability?flat_settings=true", {}, by);
    if (settings.status != 200) parsed(settings);
    if (settings.content.find("\"async\"") != settings.content.npos)
      throw store_error(errc::bad_configuration, http_.config().where + ": the index " + into_.index +
                                                     " has translog.durability async, so what it acknowledges may be "
                                                     "lost: set it to request");
  }

  documents read(std::vector<std::string> const& keys, time_point by) {
    documents all;
    for (std::size_t from = 0; from < keys.size(); from += most_rows) {
      auto const until = std::min(keys.size(), from + most_rows);
      std::string body = "{\"ids\":[";
      for (auto i = from; i < until; ++i) {
        if (i > from) body += ',';
        detail::append_json_text(body, keys[i]);
      }
      body += "]}";
      std::string trouble;
      auto const found = detail::elasticsearch::seen_in(
          parsed(ask("POST", "/" + into_.index + "/_mget?realtime=true&_source_includes=sluice", body, by)), trouble);
      if (!found || found->size() != until - from) refuse(503, trouble);
      for (auto i = from; i < until; ++i) all[keys[i]] = std::move((*found)[i - from]);
    }
    return all;
  }

  /// Writes what is newer; answers the keys whose documents were changed by somebody else meanwhile.
  std::vector<std::string> put(documents const& there, time_point by) {
    std::vector<std::string> again;
    std::string body;
    std::vector<std::string const*> asked;
    auto const send = [&] {
      if (asked.empty()) return;
      auto const answer = parsed(ask("POST", "/" + into_.index + "/_bulk", body, by));
      auto const* const items = answer.find("items");
      if (!items || items->items.size() != asked.size()) refuse(503, "");
      for (std::size_t i = 0; i < asked.size(); ++i) {
        auto const& item = items->items[i];
        if (item.items.size() != 1) refuse(503, "");
        auto const& one = item.items[0];
        auto const status = detail::elasticsearch::status_of(one);
        if (status == 409)
          again.push_back(*asked[i]);
        else if (status != 200 && status != 201)
          refuse(status, detail::elasticsearch::type_of(one));
      }
      asked.clear();
      body.clear();
    };
    for (auto const& [key, before] : there) {
      auto const* const now = newest(key, rows_.at(key), before);
      if (!now) continue;
      body += before.found ? "{\"index\":{\"_id\":" : "{\"create\":{\"_id\":";
      detail::append_json_text(body, key);
      if (before.found) body += ",\"if_seq_no\":" + before.number + ",\"if_primary_term\":" + before.term;
      body += "}}\n{" + now->fields + "\"sluice_deleted\":" + (now->where.deleted ? "true" : "false") + ",\"sluice\":";
      detail::append_json_text(body, now->where.text());
      body += "}\n";
      asked.push_back(&key);
      if (body.size() >= most_bytes || asked.size() == most_rows) send();
    }
    send();
    return again;
  }

  void write() {
    if (rows_.empty()) return;
    auto const by = std::chrono::steady_clock::now() + into_.batch_timeout;
    std::vector<std::string> keys;
    for (auto const& [key, _] : rows_) keys.push_back(key);
    for (int tries = 0; !keys.empty(); ++tries) {
      if (tries == 100)
        throw store_error(errc::store_unavailable,
                          std::string(who) + ": a document changes all the time: is somebody else writing to it?");
      auto const there = read(keys, by);
      for (auto const& [key, before] : there)
        newest(key, rows_.at(key), before);  // all that can be refused is, before anything is written
      keys = put(there, by);
    }
  }

  static elasticsearch_upsert_into checked(elasticsearch_upsert_into c) {
    auto const name = [](std::string const& what, std::string const& n) {
      if (n.empty() || n.size() > 200 || !detail::is_made_of(n, std::string{detail::capitals} + "_-"))
        throw error(errc::bad_configuration, what + ", must be 1 to 200 letters, digits and any of _ -");
    };
    if (c.index.empty() || c.index.size() > 200 || !detail::is_made_of(c.index, "_-.") ||
        std::string_view{"_-."}.find(c.index[0]) != std::string_view::npos)
      throw error(errc::bad_configuration, std::string(who) +
                                               ".index must be 1 to 200 small letters, digits and any of _ - . and "
                                               "begin with a letter or digit");
    detail::upsert_names(who, {"the-key"}, c.columns, name);
    if (std::find(c.columns.begin(), c.columns.end(), "sluice") != c.columns.end())
      throw error(errc::bad_configuration, std::string(who) + ".columns: sluice is the library's own");
    detail::check_secret({c.password, c.password_file, c.password_variable}, std::string(who) + ".password");
    if (c.timeout.count() <= 0 || c.batch_timeout.count() <= 0)
      throw error(errc::bad_configuration, std::string(who) + ".timeout and .batch_timeout must be above 0");
    return c;
  }
};
using elasticsearch_upsert_row = basic_elasticsearch_upsert_row<void>;

/// A handler for `idempotent`:
///
///     sl::elasticsearch_upsert out{{.address = "http://localhost:9200", .index = "clients", .columns = {"line"}},
///                                  [](sl::record r, auto& row) { row(r.key_text(), r.text()); }};
///     consumer.run(stop, out);
///
/// Each document's field `sluice` keeps where its record stood (version, incarnation, offset, deleted, partition); it is
/// replaced under the sequence number that was read with it (or created, where there is none), and only if the record is newer:
/// so repeated, late and reordered batches end the same. Elasticsearch's own external versions would not do: a version is one
/// number, and that of a deleted document is forgotten after index.gc_deletes. Within a partition newer means (incarnation,
/// offset); a key that comes from two partitions is an error(bad_statement), unless `.version` tells which is newer (then ties
/// go by partition, incarnation, offset).
///
/// Deleted documents stay, without their fields, `sluice_deleted` true: leave them out of searches. A batch is an _mget and a _bulk for
/// each 1,000 keys or 8 MiB; one that fails may be there in part, until it is handled again. What the mapping throws, and what does not
/// fit the index's mapping (bad_statement), goes through. A server that fails throws store_error: never the record's fault. One thread.
template <class Map>
class elasticsearch_upsert : public detail::collected_upsert<elasticsearch_upsert_row, Map> {
 public:
  /// Throws error(bad_configuration), or store_error for a server or index that can't be had.
  elasticsearch_upsert(elasticsearch_upsert_into into, Map map)
      : detail::collected_upsert<elasticsearch_upsert_row, Map>(std::move(into), std::move(map)) {}
};

}}  // namespace sluice::v0
