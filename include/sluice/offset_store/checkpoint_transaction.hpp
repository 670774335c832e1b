/// \file offset_store/checkpoint_transaction.hpp  What a handler gets with a checkpoint: that of file_offsets, and the rows of its states.
#pragma once
#include <sluice/offset_store/checkpoint_generation.hpp>
#include <sluice/offset_store/checkpoint_rows.hpp>
#include <sluice/offset_store/file_transaction.hpp>
#include <sluice/state/in_use.hpp>

#include <map>

namespace sluice { inline namespace v0 {

namespace detail {

template <class Files>
class checkpoint_rows_beside;

/// Rows as a transaction sees and changes them. What it changed is in memory until the commit.
class transaction_rows {
  struct undo {
    table_changes* in = nullptr;
    std::string key{};
    std::optional<row_change> was{};
  };

  checkpoint_generation const* base_ = nullptr;
  open_segments const* segments_ = nullptr;
  row_changes const* waiting_ = nullptr;
  std::string group_{};
  row_changes changes_{};
  std::map<table_key, std::uint64_t> touched_{};  // of rows, read or written; as shared says when they are first
  bool saved_ = false;
  std::vector<undo> undo_{};

  table_key table(std::string_view state, topic_partition const& of) const {
    return {group_, std::string{state}, of.topic, of.partition, table_key::rows};
  }
  void touch(table_key const& t) {
    if (touched_.contains(t)) return;
    auto const at = base_->shared.find(t);
    touched_.emplace(t, at == base_->shared.end() ? 0 : at->second);
  }
  row_view view() const { return {*segments_, {&changes_, waiting_}}; }

  /// Before it no due time is left: what was removed there is not walked over again. Kept under the empty key.
  std::string floor_of(table_key const& dues) const {
    auto const row = view().find(dues, {});
    return row ? row->value : std::string{};
  }
  void set_floor(table_changes& in, std::string const& floor) { change(in, {}, {.value = floor}); }

  void change(table_changes& in, std::string_view key, row_change to) {
    auto const at = in.find(key);
    if (saved_)
      undo_.push_back({&in, std::string{key}, at == in.end() ? std::nullopt : std::optional<row_change>{at->second}});
    if (at == in.end())
      in.emplace(key, std::move(to));
    else
      at->second = std::move(to);
  }

 public:
  void begin(checkpoint_generation const& base, open_segments const& segments, row_changes const& waiting,
             std::string const& group) {
    clear();
    base_ = &base;
    segments_ = &segments;
    waiting_ = &waiting;
    group_ = group;
  }
  void clear() {
    changes_.clear();
    touched_.clear();
    release_savepoint();
  }
  row_changes& changes() { return changes_; }
  row_changes const& changes() const { return changes_; }
  std::map<table_key, std::uint64_t> const& touched() const { return touched_; }

  void savepoint() {
    release_savepoint();
    saved_ = true;
  }
  void rollback_to_savepoint() {
    for (auto u = undo_.rbegin(); u != undo_.rend(); ++u) {
      if (auto& was = u->was)
        u->in->find(u->key)->second = std::move(*was);
      else
        u->in->erase(u->in->find(u->key));
    }
    release_savepoint();
  }
  void release_savepoint() {
    saved_ = false;
    undo_.clear();
  }

  std::int32_t partitions(std::string const& topic) const {
    auto const at = base_->topics.find({group_, topic});
    return at == base_->topics.end() ? 0 : static_cast<std::int32_t>(at->second.size());
  }
  template <class Found>
  void read(std::string_view state, std::span<state_row const> keys, Found found) {
    std::vector<std::size_t> order(keys.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      if (keys[a].of != keys[b].of)
        if (auto const c = *keys[a].of <=> *keys[b].of; c != 0) return c < 0;
      return keys[a].key < keys[b].key;
    });
    auto const seen = view();
    for (auto first = order.begin(); first != order.end();) {
      auto const& of = *keys[*first].of;
      auto const last = std::find_if(first, order.end(), [&](std::size_t i) { return *keys[i].of != of; });
      auto const t = table(state, of);
      touch(t);
      seen.read(
          t, {first, last}, [&](std::size_t i) { return keys[i].key; },
          [&](std::size_t i, table_row const& row) { found(i, row.value, row.due); });
      first = last;
    }
  }
  /// Throws error(bad_statement) for a value above 256 MiB.
  void write(std::string_view state, std::span<state_row const> rows) {
    topic_partition const* of = nullptr;
    table_changes *in = nullptr, *dues = nullptr;
    table_key const* dues_key = nullptr;
    std::optional<std::string> floor;
    for (auto const& r : rows) {
      if (r.value.size() > longest_state_value)
        throw error{errc::bad_statement, "state \"" + std::string{state} + "\": a value takes " +
                                             std::to_string(r.value.size()) +
                                             " bytes, and a checkpoint keeps no more than 256 MiB"};
      if (!of || *of != *r.of) {
        of = r.of;
        auto t = table(state, *of);
        touch(t);
        in = &changes_[t];
        t.kind = table_key::dues;
        auto const at = changes_.try_emplace(t).first;
        dues = &at->second;
        dues_key = &at->first;
        floor.reset();
      }
      change(*in, r.key, {std::string{r.there ? r.value : ""}, r.there ? r.due : never, r.there});
      if (!r.there || r.due == never) continue;
      auto due = due_key(r.due, r.key);
      if (!floor) floor = floor_of(*dues_key);
      if (due < *floor) set_floor(*dues, *floor = due);
      change(*dues, due, {});
    }
  }
  /// Due times are only ever added; one that is not its row's any more is removed when its time comes.
  template <class Found>
  void due(std::string_view state, topic_partition const& of, std::int64_t until, std::size_t most, Found found) {
    auto const rows = table(state, of);
    auto dues = rows;
    dues.kind = table_key::dues;
    touch(rows);
    auto const seen = view();
    std::vector<std::string> old;
    std::string first;  // of those that are due
    std::size_t n = 0;
    if (most > 0)
      seen.each(
          dues,
          [&](table_row const& d) {
            if (d.key.size() < 8) return true;
            auto const when = due_of(d.key);
            if (when > until) return false;
            auto const key = d.key.substr(8);
            if (auto const row = seen.find(rows, key); row && row->due == when) {
              if (n == 0) first = d.key;
              found(key, std::string_view{row->value}, when);
              return ++n < most;
            }
            old.emplace_back(d.key);
            return true;
          },
          floor_of(dues));
    if (old.empty()) return;
    auto& in = changes_[dues];
    for (auto const& key : old) change(in, key, {.there = false});
    set_floor(in, n > 0 ? std::min(first, old.back()) : old.back());
  }
  template <class Found>
  void all(std::string_view state, topic_partition const& of, Found found) {
    auto const t = table(state, of);
    touch(t);
    view().each(t, [&](table_row const& row) {
      found(row.key, row.value, row.due);
      return true;
    });
  }
};

}  // namespace detail

/// As file_transaction: values and texts that become durable with the offsets. State is kept with <sluice/state/checkpoint.hpp>.
class checkpoint_transaction : public file_transaction {
  detail::transaction_rows rows_{};
  detail::states_in_use states_{};

  template <class Files, class Kind>
  friend class basic_file_store;
  template <class Files>
  friend class detail::checkpoint_rows_beside;
  template <class Transaction>
  friend class detail::state_store;

  void clear() {
    file_transaction::clear();
    rows_.clear();
    states_.clear();
  }

 protected:
  checkpoint_transaction() = default;

 public:
  /// For the library's own states and windows.
  detail::states_in_use& states_in_use() { return states_; }

  void savepoint() {
    file_transaction::savepoint();
    rows_.savepoint();
  }
  void rollback_to_savepoint() {
    file_transaction::rollback_to_savepoint();
    rows_.rollback_to_savepoint();
  }
  void release_savepoint() {
    file_transaction::release_savepoint();
    rows_.release_savepoint();
  }
};

/// That of a checkpoint on a server: values and state, no text files, since these would grow where nothing can be appended to.
class hosted_checkpoint_transaction : public checkpoint_transaction {
  template <class Files, class Kind>
  friend class basic_file_store;

  hosted_checkpoint_transaction() = default;

 public:
  template <class... Text>
  void append(Text const&...) = delete;
  int native_handle() const = delete;
};

}}  // namespace sluice::v0
