/// \file state/keyed_state.hpp  A value for each key, kept in the transactional store beside the offset, by partition.
#pragma once
#include <sluice/many.hpp>
#include <sluice/state/cache.hpp>
#include <sluice/state/parts.hpp>

#include <algorithm>
#include <concepts>
#include <functional>
#include <optional>
#include <span>

namespace sluice { inline namespace v0 {

namespace detail {
template <class Key, class Value, class Transaction>
class keyed_update;
}

/// State of one consumer: what a `transactional` handler knows of each key from batch to batch, through kill -9 and
/// rebalances. It lives in the store's own database, in the transaction that advances the offsets, so neither is ever without
/// the other; it belongs to the partition that its records came from, and whoever claims the partition has it. Keys are
/// counted apart in each partition: produce by key.
///
///     sl::keyed_state<std::string, std::int64_t> counts{.name = "counts"};
///     consumer.run(stop, [&](sl::batch const& batch, auto& tx) {
///       counts.update(batch, tx, [](sl::record r) { return r.key_text(); },
///                     [](auto const&, auto news, auto& n) { n = n.value_or(0) + std::ssize(news); });
///     });
///
/// Needs <sluice/state/STORE.hpp>, which also names the store's table. Keys and values have a codec; changing that of a key
/// changes the keys. An object belongs to one consumer and its thread, and is kept from batch to batch. Two states or windows of
/// one name that meet in a batch throw store_error(bad_configuration); inside all_of when that is made.
template <class Key, class Value>
struct keyed_state {
  using key_type = Key;
  using value_type = Value;

  std::string name{};                ///< letters, digits, underscores: tells states of one group apart
  std::size_t max_bytes = 64 << 20;  ///< of memory for rows that were read or written; the others stay in the store
  /// A key without news for this long (of batch time) expires; 0: never. It does so in the next batch that its partition is in:
  /// where nothing arrives, that is the next interval's for handlers that want empty batches and micro_batch{.interval}; without
  /// an interval there are no empty batches, and the key waits for its partition's next record.
  std::chrono::milliseconds timeout{0};
  partition_growth when_partitions_grow = partition_growth::error;
  detail::state_cache memory{};  ///< the library's own

  /// `key_of(record)` gives a key, or `many` of them. For each key that has records in this batch calls `change(key, records,
  /// value)`, or `change(records, value)`: the records in their order, and a std::optional<Value>& to be changed, set or reset.
  /// Partitions in the batch's order, keys as they turn up. Then what was changed is written. Reads and writes are one round
  /// trip each, unless a batch's keys take more than a part of max_bytes.
  ///
  /// Throws what `change` throws; error(bad_statement) for a key above 700 bytes; store_error, which no retry or dead letter
  /// sees, for a value that its codec can't read, a topic that has grown, and failures of the store.
  template <class Transaction, class KeyOf, class Change>
  void update(batch const& b, Transaction& tx, KeyOf key_of, Change change) {
    update(b, tx, key_of, change, [](Key const&, Value&) {});
  }
  /// Before that, for each key whose time is over by the batch's time, calls `expired(key, value)`, by the time when it
  /// was, and removes it. Only partitions in the batch are looked at: handlers that want empty batches see all. Redis takes
  /// no more than 20,000 in one batch, and keys that have records in it; the others expire in the next ones.
  template <class Transaction, class KeyOf, class Change, class Expired>
  void update(batch const& b, Transaction& tx, KeyOf key_of, Change change, Expired expired) {
    static_assert(detail::can_hold_state<Transaction>,
                  "sluice: this consumer's store can't hold state, or the header that lets it does not stand in front; "
                  "use sqlite_offsets with <sluice/state/sqlite.hpp>, or postgres, mysql, redis, checkpoint likewise");
    static_assert(
        encodable<Key> && encodable<Value>,
        "sluice: a state's key or value has no codec (a view has none: it is kept, so use std::string); give it "
        "one: template <> struct sluice::codec<T> : sluice::members_of<&T::a, &T::b> {};");
    if constexpr (detail::can_hold_state<Transaction> && encodable<Key> && encodable<Value>)
      detail::keyed_update<Key, Value, Transaction>{*this, tx, b}.run(key_of, change, expired);
  }
};

namespace detail {

template <class Key, class Value, class Transaction>
class keyed_update {
  struct slot {
    std::uint32_t part = 0;
    std::uint32_t first = 0, count = 0;  // of its records
    std::string const* key = nullptr;
  };
  struct loaded {
    std::size_t slot;
    std::string value;
    std::int64_t due;
  };

  keyed_state<Key, Value>& state_;
  state_cache& memory_;
  batch const& batch_;
  std::int64_t now_;
  state_store<Transaction> store_;
  state_parts<Transaction> parts_;
  std::vector<std::uint32_t> numbers_{};  // of the batch's partitions, in memory

  std::deque<std::unordered_map<std::string, std::uint32_t>> known_{};
  std::vector<slot> slots_{};
  std::vector<Key> keys_{};
  std::vector<record> news_{};

  std::vector<state_row> rows_{};
  std::vector<std::size_t> asked_{};
  std::vector<loaded> loaded_{};
  std::string bytes_{};

 public:
  keyed_update(keyed_state<Key, Value>& state, Transaction& tx, batch const& b)
      : state_(state),
        memory_(state.memory),
        batch_(b),
        now_(b.time().time_since_epoch().count()),
        store_((check_state_name(state.name), store_of(tx, state.name, &state))),
        parts_(state.name, state.when_partitions_grow, b, state_kind::values) {}

  template <class KeyOf, class Change, class Expired>
  void run(KeyOf& key_of, Change& change, Expired& expired) {
    group(key_of);
    bool const times_out = state_.timeout.count() > 0;
    if (slots_.empty() && !times_out) return;
    for (std::size_t i = 0; i < parts_.size(); ++i) numbers_.push_back(memory_.number_of(parts_.of(i)));
    auto const step = at_once();
    bool first = true;
    for (std::size_t begin = 0; first || begin < slots_.size(); begin += step) {
      auto const end = std::min(slots_.size(), begin + step);
      load(begin, end, first);
      if (first && times_out) expire(expired);
      first = false;
      for (auto s = begin; s < end; ++s) call(s, change, expired);
      write();
      memory_.trim(state_.max_bytes);
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) memory_.close(numbers_[i], parts_.stamp(i));
  }

 private:
  template <class Given>
  static Key key_from(Given&& given) {
    constexpr bool fits = std::is_constructible_v<Key, Given>;
    static_assert(fits, "sluice: key_of gives what the state's Key can't be made of; give the state another Key");
    if constexpr (fits)
      return Key(std::forward<Given>(given));
    else
      return {};
  }

  /// Sorts the records by key, without comparing keys: one pass to number them, one to lay them out.
  template <class KeyOf>
  void group(KeyOf& key_of) {
    std::vector<std::uint32_t> slot_of, keys_of;
    slot_of.reserve(batch_.size());
    keys_of.reserve(batch_.size());
    std::uint32_t part = 0;
    for (auto const one : batch_.partitions()) {
      auto& known = known_.emplace_back();
      for (record r : one) {
        auto const before = slot_of.size();
        each_key(key_of, r, [&](auto&& given) {
          Key key = key_from(std::forward<decltype(given)>(given));
          write_key(state_.name, bytes_, key);
          auto const [at, fresh] = known.try_emplace(bytes_, static_cast<std::uint32_t>(slots_.size()));
          if (fresh) {
            slots_.push_back({.part = part, .key = &at->first});
            keys_.push_back(std::move(key));
          }
          ++slots_[at->second].count;
          slot_of.push_back(at->second);
        });
        keys_of.push_back(static_cast<std::uint32_t>(slot_of.size() - before));
      }
      ++part;
    }
    std::uint32_t first = 0;
    for (auto& s : slots_) s.first = std::exchange(first, first + s.count);
    news_.resize(slot_of.size());
    std::vector<std::uint32_t> filled(slots_.size());
    std::size_t i = 0;
    auto keys = keys_of.begin();
    for (record r : batch_)
      for (auto const until = i + *keys++; i < until; ++i) {
        auto const s = slot_of[i];
        news_[slots_[s].first + filled[s]++] = r;
      }
  }

  /// So many keys that what is read for them is a part of what may be kept.
  std::size_t at_once() const {
    auto const usual = memory_.rows() > 0 ? memory_.bytes() / memory_.rows() : 512;
    return std::max<std::size_t>(64, state_.max_bytes / (2 * std::max<std::size_t>(usual, 1)));
  }

  /// Sees to it that memory knows the rows of these keys. The first time the partitions' stamps come with them, and tell whether
  /// memory still holds: where it doesn't, what was not asked for yet is.
  void load(std::size_t begin, std::size_t end, bool first) {
    rows_.clear();
    asked_.clear();
    loaded_.clear();
    if (first) parts_.ask(rows_);
    auto const before = rows_.size();
    std::vector<char> was_asked(end - begin);
    for (auto s = begin; s < end; ++s)
      if (!memory_.find(numbers_[slots_[s].part], *slots_[s].key)) {
        was_asked[s - begin] = true;
        ask(s);
      }
    read(before, 0);
    if (first) {
      as_store_failure([&] { parts_.check(store_); });
      std::vector<char> held(parts_.size());
      for (std::size_t i = 0; i < parts_.size(); ++i) held[i] = memory_.open(numbers_[i], parts_.mark(i).stamp);
      rows_.clear();
      auto const asked = asked_.size();
      for (auto s = begin; s < end; ++s)
        if (!was_asked[s - begin] && !held[slots_[s].part]) ask(s);
      read(0, asked);
    }
    rows_.clear();
    for (auto const s : asked_) memory_.add(numbers_[slots_[s].part], *slots_[s].key);
    for (auto const& l : loaded_) memory_.set(*row_of(l.slot), l.value, l.due, true);
  }
  void ask(std::size_t s) {
    rows_.push_back({.of = &parts_.of(slots_[s].part), .key = *slots_[s].key});
    asked_.push_back(s);
  }
  /// The first `before` rows are the partitions' own; the others are those of asked_ from `asked` on.
  void read(std::size_t before, std::size_t asked) {
    if (rows_.empty()) return;
    as_store_failure([&] {
      store_.read(rows_, [&](std::size_t i, std::string_view value, std::int64_t due) {
        if (i < before)
          parts_.found(i, value);
        else
          loaded_.push_back({asked_[i - before + asked], std::string{value}, due});
      });
    });
  }
  state_cache::entry* row_of(std::size_t s) { return memory_.find(numbers_[slots_[s].part], *slots_[s].key); }

  std::int64_t expiry() const {
    auto const after = state_.timeout.count();
    return after <= 0 || (now_ > 0 && after > never - now_) ? never : now_ + after;
  }

  template <class Change, class Expired>
  void call(std::size_t s, Change& change, Expired& expired) {
    auto const& which = slots_[s];
    auto& row = *row_of(s);
    auto const& of = parts_.of(which.part);
    std::optional<Value> value;
    if (row.there) value = read_stored<Value>(state_.name, "the value", row.key.size() - 1, of, row.value);
    if (value && state_.timeout.count() > 0 && row.due <= now_) {  // one that expire() has left
      std::invoke(expired, std::as_const(keys_[s]), *value);
      value.reset();
    }
    std::span<record const> const records{news_.data() + which.first, which.count};
    if constexpr (std::is_invocable_v<Change&, Key const&, std::span<record const>, std::optional<Value>&>)
      std::invoke(change, std::as_const(keys_[s]), records, value);
    else
      std::invoke(change, records, value);
    bytes_.clear();
    if (value) encoder{bytes_}.put(*value);
    auto const due = value ? expiry() : never;
    if (value.has_value() == row.there && (!value || (bytes_ == row.value && due == row.due))) return;
    memory_.set(row, bytes_, due, value.has_value());
    rows_.push_back({.of = &of, .key = row.key, .value = row.value, .due = due, .there = row.there});
    parts_.changed(which.part);
  }

  template <class Expired>
  void expire(Expired& expired) {
    auto left = most_leaving<Transaction>();
    std::size_t most = 0;
    std::vector<std::pair<std::string, std::string>> due;
    for (std::size_t i = 0; i < parts_.size() && left > 0; ++i) {
      auto const& of = parts_.of(i);
      do {
        most = std::min<std::size_t>(left, 1000);
        due.clear();
        as_store_failure([&] {
          store_.due(of, now_, most, [&](std::string_view key, std::string_view value, std::int64_t) {
            due.emplace_back(std::string{key}, std::string{value});
          });
        });
        for (auto const& [data, kept] : due) {
          auto const key =
              read_stored<Key>(state_.name, "the key", data.size() - 1, of, std::string_view{data}.substr(1));
          auto value = read_stored<Value>(state_.name, "the value", data.size() - 1, of, kept);
          std::invoke(expired, key, value);
          if (auto* const row = memory_.find(numbers_[i], data)) memory_.set(*row, {}, never, false);
          rows_.push_back({.of = &of, .key = data, .there = false});
          parts_.changed(i);
        }
        write();
        left -= due.size();
      } while (due.size() == most && left > 0);
    }
  }

  /// Each time with new stamps, in case that this is the last: a handler may let pass what the rest throws.
  void write() {
    if (rows_.empty()) return;
    parts_.finish(rows_);
    as_store_failure([&] { store_.write(rows_); });
    rows_.clear();
  }
};

}  // namespace detail
}}  // namespace sluice::v0
