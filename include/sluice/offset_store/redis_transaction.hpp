/// \file offset_store/redis_transaction.hpp  What a transactional handler gets with Redis: commands that are kept, checked, and carried out with the advance.
#pragma once
#include <sluice/detail/hand.hpp>
#include <sluice/offset_store/redis_positions.hpp>
#include <sluice/record.hpp>
#include <sluice/state/in_use.hpp>
#include <sluice/state/store.hpp>

#include <cmath>
#include <concepts>
#include <unordered_map>

namespace sluice { inline namespace v0 {

template <bool Durable>
class basic_redis_offset_store;

/// What a command takes as key, field or value: text, bytes, integers, floating point (as Redis reads it back), bool (1, 0),
/// offset, wall_time (ms since 1970). Redis has no null: text or bytes whose data() is null (a record without a key, a
/// tombstone) throw error(bad_statement); use del or hdel for those.
class redis_value {
  std::string text_;

  template <std::floating_point T>
  static std::string shortest(T n) {
    char digits[64];
    auto const end = std::to_chars(digits, digits + sizeof digits, n).ptr;
    return {digits, end};
  }
  static std::string given(char const* data, std::size_t size) {
    if (!data)
      throw error(errc::bad_statement, "redis: a command was given null, which Redis has not: use del or hdel instead");
    return {data, size};
  }

 public:
  redis_value(std::string_view text) : text_(given(text.data(), text.size())) {}
  redis_value(std::string text) : text_(std::move(text)) {}
  redis_value(char const* text) : text_(given(text, text ? std::string_view{text}.size() : 0)) {}
  redis_value(bytes b) : text_(given(reinterpret_cast<char const*>(b.data()), b.size())) {}
  redis_value(std::nullptr_t) : text_(given(nullptr, 0)) {}
  template <std::integral T>
    requires(!std::same_as<T, char>)
  redis_value(T n) : text_(std::to_string(n)) {}
  template <std::floating_point T>
  redis_value(T n) : text_(shortest(n)) {}
  redis_value(offset o) : text_(std::to_string(o.value())) {}
  redis_value(wall_time t) : text_(std::to_string(t.time_since_epoch().count())) {}

  std::string const& text() const { return text_; }
};

/// Keeps commands until the commit, when one script first checks all of them, with the types and numbers that they will
/// find, and then does all, with the offsets; or none. There are no reads: what is in Redis is seen by native_handle(), as
/// last committed, without this transaction's own commands, and may change before the commit. Counters are safe
/// (incr_by, hincr_by, sadd: Redis computes them); what is computed from a value that was read is not, unless only this
/// partition's records touch it.
///
/// A command that Redis would refuse (a key of another type, a value that is no integer, an overflow, no right) fails the
/// batch at its commit with error(bad_statement), which on_failure sees as the handler's; with each() as that of the record
/// whose command it was. The text names command and key, never a value.
///
/// Within a transaction a key keeps its type until del, also where hdel, srem or zrem leave nothing of it. In a cluster all keys
/// must lie in the group's slot: begin them with slot(). Thread: the handler's.
class redis_transaction {
  struct command {
    char const* name = nullptr;
    std::size_t key = 0;  // from 0
    std::vector<std::string> arguments{};
    detail::cursor of{};
  };

  detail::redis::connection& db_;
  detail::redis::key_names const& names_;
  std::vector<command> commands_{};
  std::vector<std::string> keys_{};
  std::unordered_map<std::string, std::size_t> numbers_{};
  detail::states_in_use states_{};
  std::size_t words_ = 0;
  detail::cursor const* at_ = nullptr;
  std::optional<detail::cursor> failed_{};
  std::unordered_map<std::string, std::unordered_map<std::string, std::string>>
      state_{};  // rows written; empty: removed

  static constexpr std::size_t most_words = 1'000'000;  // Redis takes 1,048,576 in one command

 public:
  redis_transaction(detail::redis::connection& db, detail::redis::key_names const& names) : db_(db), names_(names) {}
  redis_transaction(redis_transaction const&) = delete;
  redis_transaction& operator=(redis_transaction const&) = delete;

  /// `key` holds the text `value` from this commit on, whatever it held before, and for ever.
  void set(redis_value const& key, redis_value const& value) { add("SET", key, {value.text()}); }
  void del(redis_value const& key) { add("DEL", key, {}); }
  /// Adds to an integer of 64 bits with a sign; absent is 0.
  void incr_by(redis_value const& key, std::int64_t n) { add("INCRBY", key, {std::to_string(n)}); }
  void hset(redis_value const& key, redis_value const& field, redis_value const& value) {
    add("HSET", key, {field.text(), value.text()});
  }
  void hdel(redis_value const& key, redis_value const& field) { add("HDEL", key, {field.text()}); }
  void hincr_by(redis_value const& key, redis_value const& field, std::int64_t n) {
    add("HINCRBY", key, {field.text(), std::to_string(n)});
  }
  void sadd(redis_value const& key, redis_value const& member) { add("SADD", key, {member.text()}); }
  void srem(redis_value const& key, redis_value const& member) { add("SREM", key, {member.text()}); }
  void rpush(redis_value const& key, redis_value const& value) { add("RPUSH", key, {value.text()}); }
  /// Throws error(bad_statement) for a score that is not a number.
  void zadd(redis_value const& key, double score, redis_value const& member) {
    if (std::isnan(score)) throw error(errc::bad_statement, "redis: zadd was given a score that is not a number");
    add("ZADD", key, {redis_value{score}.text(), member.text()});
  }
  void zrem(redis_value const& key, redis_value const& member) { add("ZREM", key, {member.text()}); }

  /// What keys begin with that lie in the group's slot of a cluster: `{sluice:billing}`. Put a colon and a name behind it.
  std::string const& slot() const { return names_.slot(); }

  /// The store's connection, for reading. What is written by it is no part of the transaction. Leave it as it was: no
  /// MULTI, SELECT, SUBSCRIBE, RESET, and no reply that was not fetched; don't free it.
  redisContext* native_handle() const { return db_.get(); }

  /// For the library's own states and windows.
  detail::states_in_use& states_in_use() { return states_; }

  /// For the consumer: which record the commands belong to that come next.
  void follow(detail::cursor const& at) { at_ = &at; }

 private:
  template <bool>
  friend class basic_redis_offset_store;
  template <class>
  friend class detail::state_store;

  void begin() {
    clear();
    failed_.reset();
    at_ = nullptr;
  }
  void clear() {
    commands_.clear();
    keys_.clear();
    numbers_.clear();
    state_.clear();
    states_.clear();
    words_ = 0;
  }

  void add(char const* name, redis_value const& key, std::vector<std::string> arguments) {
    if (names_.are_ours(key.text()))
      throw error(errc::bad_statement, "redis: a key that begins with " + names_.slot() +
                                           ":offsets:, :state: or :rewinds is the store's own: choose another name");
    keep(name, key.text(), std::move(arguments));
  }
  void keep(char const* name, std::string const& key, std::vector<std::string> arguments) {
    auto const words = 4 + arguments.size();
    if (words_ + words > most_words)
      throw error(errc::bad_statement,
                  "redis: the batch's commands are too many for one script (a million words): give "
                  "micro_batch.max_records a smaller number");
    words_ += words;
    auto const [at, fresh] = numbers_.try_emplace(key, keys_.size());
    if (fresh) keys_.push_back(key);
    commands_.push_back({name, at->second, std::move(arguments), at_ ? *at_ : detail::cursor{}});
  }

  detail::redis::script_call call(std::string_view mode, std::span<move const> moves) const {
    detail::redis::script_call c{detail::redis::commit_script};
    detail::redis::topic_keys topics{names_, c};
    c.text(mode).number(moves.size());
    for (auto const& m : moves) detail::redis::add_move(c, topics, m);
    if (mode == "look") return c;
    auto const before = c.keys().size();
    for (auto const& k : keys_) c.key(k);
    for (auto const& one : commands_) {
      c.text(one.name).number(before + one.key + 1).number(one.arguments.size());
      for (auto const& a : one.arguments) c.text(a);
    }
    return c;
  }

  /// A key as errors show it: nothing that a terminal would obey.
  static std::string shown(std::string_view key) {
    std::string text;
    for (char const c : key.substr(0, 80)) text += c >= ' ' && c <= '~' ? c : '?';
    return "\"" + text + (key.size() > 80 ? "…\"" : "\"");
  }
  /// The error of a command that the script has refused.
  error refusal(detail::redis::script_answer const& answer) {
    auto const n = detail::number_in<std::size_t>(answer.word(1)).value_or(1) - 1;
    auto const& c = commands_.at(n);
    failed_ = c.of;
    auto const why = answer.word(2);
    std::string what;
    if (why == "type")
      what = "the key holds a " + std::string{answer.word(3)};
    else if (why == "integer")
      what = "what is there is no integer of 64 bits";
    else if (why == "overflow")
      what = "the sum does not fit into 64 bits with a sign";
    else
      what = "this user has no right to it (ACL SETUSER)";
    return {errc::bad_statement, "redis: " + std::string{c.name} + " of " + shown(keys_[c.key]) +
                                     " would fail: " + what + "; nothing of the batch was stored"};
  }
};

}}  // namespace sluice::v0
