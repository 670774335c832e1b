/// \file state/redis.hpp  State in the Redis of redis_offsets or lossy_redis_offsets: a hash for each state and partition.
///
/// `{PREFIX:GROUP}:state:NAME:TOPIC:PARTITION`: a field for each row, the due time (8 bytes, little-endian) in front of its value;
/// beside it `…:due`, a sorted set of the fields that have one. What is in the hash counts.
#pragma once
#include <sluice/offset_store/redis.hpp>
#include <sluice/state/operators.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// Rows are read before the commit's script runs, and that is safe: they change only in commits under the partition's fence, a
/// claim makes a new one, and the script does nothing unless this consumer's fence and position still stand. So
/// whatever was read after our claim is what is there when the script runs. What this transaction has written is with
/// the transaction, and looked for there first.
template <>
class state_store<redis_transaction> {
  redis_transaction& tx_;
  std::string name_;

  static std::string stored(state_row const& r) {
    std::string data;
    auto n = static_cast<std::uint64_t>(r.due);
    for (int i = 0; i < 8; ++i, n >>= 8) data += static_cast<char>(n & 0xFFu);
    return data.append(r.value);
  }
  static std::int64_t due_in(std::string_view stored) {
    std::uint64_t n = 0;
    for (std::size_t i = 8; i-- > 0;) n = n << 8 | static_cast<unsigned char>(stored[i]);
    return static_cast<std::int64_t>(n);
  }
  std::string hash_of(topic_partition const& of) const {
    return tx_.names_.states() + name_ + ":" + file_name(of.topic) + ":" + std::to_string(of.partition);
  }
  time_point limit() const { return std::chrono::steady_clock::now() + tx_.db_.config().timeout; }

  /// What this transaction has made of a row: nothing, or its text; empty: removed.
  std::string const* written(std::string const& hash, std::string const& field) const {
    auto const rows = tx_.state_.find(hash);
    if (rows == tx_.state_.end()) return nullptr;
    auto const at = rows->second.find(field);
    return at == rows->second.end() ? nullptr : &at->second;
  }
  template <class Found>
  static void tell(std::string_view stored, Found found) {
    if (stored.size() >= 8) found(stored.substr(8), due_in(stored));
  }

 public:
  /// Ten words each, of the million that a script takes.
  static constexpr std::size_t most_leaving = 20'000;

  state_store(redis_transaction& tx, std::string_view name) : tx_(tx), name_(name) {}

  template <class Found>
  void read(std::span<state_row const> keys, Found found) {
    constexpr std::size_t most = 100'000;
    std::vector<std::size_t> order;
    for (std::size_t begin = 0; begin < keys.size(); begin += most) {
      redis::script_call call{redis::read_script};
      std::map<std::string, std::vector<std::size_t>> wanted;
      for (auto i = begin; i < std::min(keys.size(), begin + most); ++i) {
        auto hash = hash_of(*keys[i].of);
        if (auto const* const row = written(hash, std::string{keys[i].key}))
          tell(*row, [&](auto value, auto due) { found(i, value, due); });
        else
          wanted[std::move(hash)].push_back(i);
      }
      if (wanted.empty()) continue;
      order.clear();
      for (auto const& [hash, rows] : wanted) {
        call.key(hash);
        call.number(rows.size());
        for (auto const i : rows) {
          call.text(keys[i].key);
          order.push_back(i);
        }
      }
      redis::script_answer const answer{tx_.db_.run(call, limit()), tx_.db_.config().who};
      for (std::size_t k = 0; k < order.size(); ++k)
        tell(answer.word(k + 1), [&](auto value, auto due) { found(order[k], value, due); });
    }
  }
  void write(std::span<state_row const> rows) {
    for (auto const& r : rows) {
      auto const hash = hash_of(*r.of);
      std::string const field{r.key};
      if (r.there) {
        auto text = stored(r);
        tx_.keep("HSET", hash, {field, text});
        if (r.due != never) tx_.keep("ZADD", hash + ":due", {std::to_string(r.due), field});
        tx_.state_[hash][field] = std::move(text);
      } else {
        tx_.keep("HDEL", hash, {field});
        tx_.keep("ZREM", hash + ":due", {field});
        tx_.state_[hash][field].clear();
      }
    }
  }
  template <class Found>
  void due(topic_partition const& of, std::int64_t until, std::size_t most, Found found) {
    auto const hash = hash_of(of);
    std::map<std::pair<std::int64_t, std::string>, std::string> all;
    if (auto const mine = tx_.state_.find(hash); mine != tx_.state_.end())
      for (auto const& [field, text] : mine->second)
        tell(text, [&](auto value, auto when) {
          if (when <= until) all.emplace(std::pair{when, field}, value);
        });
    for (std::size_t begin = 0, next = most, taken = 0; taken < most; begin += next) {
      auto const fields = tx_.db_.ask({"ZRANGEBYSCORE", hash + ":due", "-inf", std::to_string(until), "LIMIT",
                                       std::to_string(begin), std::to_string(next)},
                                      limit());
      std::vector<state_row> rows;
      for (std::size_t i = 0; i < fields->elements; ++i)
        if (auto const field = redis::text_of(*fields->element[i]); !written(hash, std::string{field}))
          rows.push_back({.of = &of, .key = field});
      read(rows, [&](std::size_t i, std::string_view value, std::int64_t when) {
        if (when > until) return;
        all.emplace(std::pair{when, std::string{rows[i].key}}, value);
        ++taken;
      });
      if (fields->elements < next) break;
    }
    for (auto const& [when, value] : all) {
      if (most-- == 0) return;
      found(std::string_view{when.second}, std::string_view{value}, when.first);
    }
  }
  template <class Found>
  void all(topic_partition const& of, Found found) {
    auto const hash = hash_of(of);
    auto const pairs = tx_.db_.ask({"HGETALL", hash}, limit());
    for (std::size_t i = 0; i + 1 < pairs->elements; i += 2)
      if (auto const field = redis::text_of(*pairs->element[i]); !written(hash, std::string{field}))
        tell(redis::text_of(*pairs->element[i + 1]), [&](auto value, auto when) { found(field, value, when); });
    if (auto const mine = tx_.state_.find(hash); mine != tx_.state_.end())
      for (auto const& [field, text] : mine->second)
        tell(text, [&, &key = field](auto value, auto when) { found(std::string_view{key}, value, when); });
  }
  std::int32_t partitions(std::string const& topic) {
    auto const n = tx_.db_.ask({"HGET", tx_.names_.topic(topic), "partitions"}, limit());
    return n->type == REDIS_REPLY_STRING ? number_in<std::int32_t>(redis::text_of(*n)).value_or(0) : 0;
  }
};

}}}  // namespace sluice::v0::detail
