/// \file offset_store/checkpoint_rows.hpp  The rows of a checkpoint as its segments and what was changed since make them up.
#pragma once
#include <sluice/offset_store/checkpoint_reader.hpp>

#include <map>
#include <numeric>
#include <span>

namespace sluice { inline namespace v0 { namespace detail {

struct row_change {
  std::string value{};
  std::int64_t due = never;
  bool there = true;
};
using table_changes = std::map<std::string, row_change, std::less<>>;
using row_changes = std::map<table_key, table_changes>;

inline table_row as_row(table_changes::value_type const& one) {
  return {one.first, one.second.value, one.second.due, one.second.there};
}

class changes_cursor final : public row_cursor {
  table_changes const& in_;
  table_changes::const_iterator at_;
  table_row row_{};

  void show() {
    if (at_ != in_.end()) row_ = as_row(*at_);
  }

 public:
  changes_cursor(table_changes const& in, std::string_view from) : in_(in), at_(in.lower_bound(from)) { show(); }
  bool good() const override { return at_ != in_.end(); }
  table_row const& row() const override { return row_; }
  void next() override {
    ++at_;
    show();
  }
};

/// The key under which a row's due time is found: sorts by time, then by key.
inline std::string due_key(std::int64_t due, std::string_view key) {
  auto bits = static_cast<std::uint64_t>(due) ^ (std::uint64_t{1} << 63);
  std::string out(8, '\0');
  for (std::size_t i = 8; i-- > 0; bits >>= 8) out[i] = static_cast<char>(bits & 0xFF);
  return out.append(key);
}
inline std::int64_t due_of(std::string_view due_key) {
  std::uint64_t bits = 0;
  for (char const c : due_key.substr(0, 8)) bits = bits << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(bits ^ (std::uint64_t{1} << 63));
}

/// The segments that a numbered file names, open.
class open_segments {
  segment_place& place_;
  piece_cache cache_;
  std::vector<std::shared_ptr<segment_reader const>> all_{};  // the oldest first

 public:
  open_segments(segment_place& place, std::size_t max_cache) : place_(place), cache_(max_cache) {}

  /// False: one of them is not there, so there should be a newer numbered file.
  bool follow(std::vector<segment_ref> const& refs) {
    if (std::equal(all_.begin(), all_.end(), refs.begin(), refs.end(),
                   [](auto const& open, auto const& ref) { return open->ref() == ref; }))
      return true;
    std::vector<std::shared_ptr<segment_reader const>> now;
    for (auto const& ref : refs) {
      auto const open = std::find_if(all_.begin(), all_.end(), [&](auto const& s) { return s->ref() == ref; });
      if (open != all_.end()) {
        now.push_back(*open);
      } else if (auto from = place_.open(ref.id)) {
        now.push_back(std::make_shared<segment_reader const>(std::move(from), ref, place_.name_of(ref.id), cache_));
      } else {
        return false;
      }
    }
    all_ = std::move(now);
    return true;
  }
  /// Of those that follow() did not find.
  [[noreturn]] void missing(std::vector<segment_ref> const& refs, std::string const& named_by) const {
    std::string names;
    for (auto const& ref : refs)
      if (!place_.open(ref.id)) names += (names.empty() ? "" : ", ") + place_.name_of(ref.id);
    throw store_error{errc::store_damaged,
                      names + " is not there, and " + named_by +
                          " names it: put it back from a backup. No other file has what was in it; to "
                          "go on without, say checkpoint{.on_damage = on_damage::start_anew}, which "
                          "sets all files aside"};
  }
  std::vector<std::shared_ptr<segment_reader const>> const& all() const { return all_; }
  std::size_t cached_bytes() const { return cache_.bytes(); }
};

/// Segments under changes that are not in them yet, the newest of those first.
class row_view {
  open_segments const& segments_;
  std::vector<row_changes const*> changes_;

 public:
  row_view(open_segments const& segments, std::vector<row_changes const*> changes)
      : segments_(segments), changes_(std::move(changes)) {}

  /// Rows of one table, by their index in `keys`, sorted by key: found(index, row) for those that are there.
  template <class Key, class Found>
  void read(table_key const& t, std::vector<std::size_t> left, Key key_at, Found found) const {
    auto const each = [&](auto look) { std::erase_if(left, [&](std::size_t i) { return look(i); }); };
    for (auto const* layer : changes_) {
      auto const table = layer->find(t);
      if (table == layer->end()) continue;
      each([&](std::size_t i) {
        auto const at = table->second.find(key_at(i));
        if (at == table->second.end()) return false;
        if (at->second.there) found(i, as_row(*at));
        return true;
      });
    }
    auto const& segments = segments_.all();
    for (auto s = segments.rbegin(); s != segments.rend() && !left.empty(); ++s)
      if (auto const* table = (*s)->find_table(t))
        each([&](std::size_t i) {
          return (*s)->find(*table, key_at(i), key_hash(key_at(i)), [&](table_row const& row) {
            if (row.there) found(i, row);
          });
        });
  }
  std::optional<row_change> find(table_key const& t, std::string_view key) const {
    std::optional<row_change> answer;
    read(
        t, {0}, [&](std::size_t) { return key; },
        [&](std::size_t, table_row const& row) { answer = row_change{std::string{row.value}, row.due, true}; });
    return answer;
  }

  /// Rows that are there, in the order of their keys, from the first that is not before `from`, until f(row) answers false.
  template <class F>
  void each(table_key const& t, F f, std::string_view from = {}) const {
    merged_rows rows;
    for (auto const* layer : changes_)
      if (auto const table = layer->find(t); table != layer->end())
        rows.add(std::make_unique<changes_cursor>(table->second, from));
    auto const& segments = segments_.all();
    for (auto s = segments.rbegin(); s != segments.rend(); ++s)
      if (auto const* table = (*s)->find_table(t)) rows.add(std::make_unique<segment_cursor>(*s, *table, from, true));
    for (rows.start(); rows.good(); rows.next())
      if (rows.row().there && !f(rows.row())) return;
  }

  /// Of all tables.
  std::vector<table_key> tables() const {
    std::vector<table_key> all;
    for (auto const* layer : changes_)
      for (auto const& [key, changes] : *layer) all.push_back(key);
    for (auto const& s : segments_.all())
      for (auto const& t : s->tables()) all.push_back(t.key);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }
};

/// Writes changes as a segment. Absent: nobody knows whether it is durable.
inline std::optional<segment_ref> write_segment(segment_sink& to, row_changes const& changes) {
  segment_writer writer{to};
  for (auto const& [key, table] : changes) {
    writer.begin(key);
    for (auto const& one : table) writer.add(as_row(one));
  }
  return writer.finish(0);
}

/// `from` on top of `to`.
inline void merge_changes(row_changes& to, row_changes&& from) {
  for (auto& [key, table] : from) {
    auto& there = to[key];
    if (there.empty())
      there.swap(table);
    else
      for (auto& [row, change] : table) there.insert_or_assign(row, std::move(change));
  }
  from.clear();
}

}}}  // namespace sluice::v0::detail
