/// \file output/redis_upsert.hpp  The newest value of each key as a hash in Redis, whatever is repeated or comes late: for `idempotent`.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/offset_store/redis_connection.hpp>
#include <sluice/output/upsert_records.hpp>

#include <functional>
#include <map>

namespace sluice { inline namespace v0 {

struct redis_upsert_into {
  std::string host = "localhost";  ///< as redis_offsets.host, and all below it
  int port = 6379;
  std::string user{};
  std::string password{};
  std::string password_file{};
  std::string password_variable{};
  int database = 0;
  std::string prefix{};                           ///< a key's hash is `{PREFIX}:KEY`
  std::vector<std::string> columns{};             ///< its fields
  std::function<std::int64_t(record)> version{};  ///< which of two is newer, for keys that come from several partitions
  bool durable = true;          ///< the server must show that it is; false: what it loses in a crash stays lost
  bool assume_durable = false;  ///< where the server does not let its settings be read: they are as they must be
  std::chrono::milliseconds timeout{5000};  ///< for connecting
  std::chrono::milliseconds script_timeout{30'000};
};

namespace detail::redis {

/// KEYS: the hashes. ARGV: the number of columns, 1 with versions, the columns' names; for each row the number of its key,
/// version, partition, incarnation, offset, 1 for a deleted one, and the columns: `=` and the value, or `-`. First all rows are
/// looked at, then those that are newest are written. Answers `ok`, or why nothing was written.
inline constexpr char const* upsert_script = R"lua(
local at = 0
local function arg() at = at + 1; return ARGV[at] end
local columns, versions = tonumber(arg()), arg() == '1'
local names = {}
for i = 1, columns do names[i] = arg() end
local function bytes_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local function number_before(a, b)
  local below, other = string.sub(a, 1, 1) == '-', string.sub(b, 1, 1) == '-'
  if below ~= other then return below end
  if below then a, b = b, a end
  if #a ~= #b then return #a < #b end
  return bytes_before(a, b)
end
local function newer(row, is)
  for i = 1, 4 do
    if row[i] ~= is[i] then return (i == 2 and bytes_before or number_before)(is[i], row[i]) end
  end
  return false
end
local now, changes, order = {}, {}, {}
while at < #ARGV do
  local k = tonumber(arg())
  local row, deleted, values = {arg(), arg(), arg(), arg()}, arg(), {}
  for i = 1, columns do values[i] = arg() end
  local is = now[k]
  if is == nil then
    is = redis.call('HMGET', KEYS[k], 'sluice_version', 'sluice_partition', 'sluice_incarnation', 'sluice_offset')
    if not (is[1] and is[2] and is[3] and is[4]) then
      if redis.call('EXISTS', KEYS[k]) == 1 then return {'foreign', KEYS[k]} end
      is = false
    end
  end
  if is and not versions and is[2] ~= row[2] then return {'partition', KEYS[k], row[2], is[2]} end
  if not is or newer(row, is) then
    is = row
    if not changes[k] then order[#order + 1] = k end
    changes[k] = {deleted, values}
  end
  now[k] = is
end
for _, k in ipairs(order) do
  local key, row, deleted, values = KEYS[k], now[k], changes[k][1], changes[k][2]
  redis.call('HSET', key, 'sluice_version', row[1], 'sluice_partition', row[2], 'sluice_incarnation', row[3],
             'sluice_offset', row[4], 'sluice_deleted', deleted)
  for i = 1, columns do
    if string.sub(values[i], 1, 1) == '=' then
      redis.call('HSET', key, names[i], string.sub(values[i], 2))
    else
      redis.call('HDEL', key, names[i])
    end
  end
end
return {'ok'}
)lua";

}  // namespace detail::redis

/// What the mapping writes a record's hash with: `row(key, columns…)`, the values in their order: text, bytes, numbers, bool,
/// std::optional of these, nullptr (then the field is not there). A tombstone's hash is kept, marked deleted, its columns
/// gone. For one record the first row of a key counts. A mapping may write no row, or several.
template <class Late>
class basic_redis_upsert_row {
  template <class, class>
  friend class detail::collected_upsert;
  static constexpr auto who = "redis_upsert";

  redis_upsert_into into_;
  detail::redis::connection db_;
  detail::late<std::map<std::string, std::size_t>, Late> keys_{};
  std::vector<std::string> names_{}, rows_{};
  detail::mapped_record at_{};

 public:
  explicit basic_redis_upsert_row(redis_upsert_into c) : into_(checked(std::move(c))), db_(settings_of(into_)) {
    db_.ready(std::chrono::steady_clock::now() + into_.timeout);
  }

  template <class Key, class... A>
  void operator()(Key const& key, A const&... columns) {
    if (sizeof...(A) != into_.columns.size()) wrong_number(1 + sizeof...(A));
    begin(key, at_.now.is_tombstone());
    (rows_.push_back(at_.now.is_tombstone() ? "-" : value_of(detail::upsert_text(columns))), ...);
  }
  /// Marks the key as deleted, for records that say so in another way than by being a tombstone.
  template <class Key>
  void remove(Key const& key) {
    begin(key, true);
    rows_.insert(rows_.end(), into_.columns.size(), "-");
  }

 private:
  [[noreturn]] void wrong_number(std::size_t given) const {
    throw error(errc::bad_statement, std::string(who) + ": the row has " + std::to_string(1 + into_.columns.size()) +
                                         " values, the key and .columns, and was given " + std::to_string(given));
  }
  static std::string value_of(std::optional<std::string> const& text) { return text ? "=" + *text : "-"; }

  template <class Key>
  void begin(Key const& key, bool deleted) {
    auto const text = detail::upsert_text(key);
    if (!text) throw error(errc::bad_statement, std::string(who) + ": a row's key is null");
    auto name = "{" + into_.prefix + "}:" + *text;
    auto const [at, fresh] = keys_.emplace(std::move(name), keys_.size() + 1);
    if (fresh) names_.push_back(at->first);
    rows_.push_back(std::to_string(at->second));
    rows_.push_back(std::to_string(into_.version ? into_.version(at_.now) : 0));
    rows_.push_back(at_.partition);
    rows_.push_back(std::to_string(at_.now.incarnation()));
    rows_.push_back(std::to_string(at_.now.offset().value()));
    rows_.push_back(deleted ? "1" : "0");
  }
  void clear() {
    keys_.clear();
    names_.clear();
    rows_.clear();
  }

  void write() {
    if (names_.empty()) return;
    std::vector<std::string> words{"EVAL", detail::redis::upsert_script, std::to_string(names_.size())};
    words.insert(words.end(), names_.begin(), names_.end());
    words.push_back(std::to_string(into_.columns.size()));
    words.push_back(into_.version ? "1" : "0");
    words.insert(words.end(), into_.columns.begin(), into_.columns.end());
    words.insert(words.end(), rows_.begin(), rows_.end());
    auto const answer = db_.ask(words, std::chrono::steady_clock::now() + into_.script_timeout);
    auto const said = [&](std::size_t i) {
      return answer->type == REDIS_REPLY_ARRAY && i < answer->elements
                 ? std::string(detail::redis::text_of(*answer->element[i]))
                 : std::string{};
    };
    if (said(0) == "ok") return;
    auto const key_size = std::to_string(said(1).size() - std::min(said(1).size(), into_.prefix.size() + 3));
    if (said(0) == "partition") detail::of_two_partitions(who, key_size, said(2), said(3));
    if (said(0) == "foreign")
      throw error(errc::bad_statement, std::string(who) + ": the hash of a key of " + key_size +
                                           " bytes is there and is not this output's: choose another .prefix");
    throw store_error(errc::store_unavailable, std::string(who) + ": Redis gave an answer that is none");
  }

  static redis_upsert_into checked(redis_upsert_into c) {
    detail::upsert_names(who, {"the key"}, c.columns, [](std::string const& what, std::string const& n) {
      if (n.empty()) throw error(errc::bad_configuration, what + ", is empty");
    });
    if (c.prefix.find_first_of("{}") != c.prefix.npos)
      throw error(errc::bad_configuration, std::string(who) + ".prefix must not have { or } in it");
    detail::redis::check(settings_of(c));
    return c;
  }
  static detail::redis::settings settings_of(redis_upsert_into const& c) {
    return {.who = who,
            .host = c.host,
            .port = c.port,
            .user = c.user,
            .password = c.password,
            .password_file = c.password_file,
            .password_variable = c.password_variable,
            .database = c.database,
            .prefix = c.prefix,
            .timeout = c.timeout,
            .durable = c.durable,
            .assume_durable = c.assume_durable};
  }
};
using redis_upsert_row = basic_redis_upsert_row<void>;

/// A handler for `idempotent`:
///
///     sl::redis_upsert out{{.prefix = "last_request", .columns = {"line"}},
///                          [](sl::record r, auto& row) { row(r.key_text(), r.text()); }};
///     consumer.run(stop, out);
///
/// Each hash keeps where its record stood (sluice_partition, sluice_incarnation, sluice_offset) and is written only if the
/// record is newer: so repeated, late and reordered batches end the same. Within a partition newer means (incarnation,
/// offset); a key that comes from two partitions is an error(bad_statement), unless `.version` tells which is newer (then
/// ties go by partition, incarnation, offset). Deleted hashes stay, sluice_deleted = 1, so that nothing old can come back.
///
/// A batch is one script: all of it or nothing, seen at once. In a cluster all keys of a prefix lie on one node. What the
/// mapping throws goes through, and nothing of the batch is kept. A server that fails throws store_error: never the record's
/// fault. One thread.
template <class Map>
class redis_upsert : public detail::collected_upsert<redis_upsert_row, Map> {
 public:
  /// Throws error(bad_configuration), or store_error for a server that can't be had.
  redis_upsert(redis_upsert_into into, Map map)
      : detail::collected_upsert<redis_upsert_row, Map>(std::move(into), std::move(map)) {}
};

}}  // namespace sluice::v0
