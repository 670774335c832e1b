/// \file window/over_event_time.hpp  Windows by the time that stands in a record: watermark, lateness, late records.
///
/// Each partition has a watermark of its own: the greatest time seen in it, less `.out_of_order`. It moves at the end of a batch,
/// never back, and lives with the partition's state. A window of a key is given when the watermark of the partition has
/// reached its end: so a key's records belong into one partition, and nothing hangs on which consumer has which.
#pragma once
#include <sluice/window/shape.hpp>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace sluice { inline namespace v0 {

/// Windows begin at the multiples of `slide` since 1970, in UTC, before it too.
struct event_window {
  std::string name{};                         ///< of its state: letters, digits, underscores
  std::chrono::milliseconds size{0};          ///< how much time a window spans
  std::chrono::milliseconds slide{0};         ///< from one window's begin to the next; 0: the size
  std::chrono::milliseconds out_of_order{0};  ///< how much older than the newest one a record may be
  std::chrono::milliseconds allowed_lateness{
      0};  ///< a window that was given is kept for so long, and given again when a record comes
  std::chrono::milliseconds ahead{
      0};  ///< a record this far ahead of the batch's time moves no watermark, and goes to `late`; 0: none is
  bool sampling = false;  ///< a slide above the size is meant: records between the windows are in none
  partition_growth when_partitions_grow = partition_growth::error;
};

namespace detail {

/// For records that nobody wants to see.
struct dropped {
  void operator()(record) const {}
};

inline constexpr std::int64_t latest_event = std::int64_t{1} << 60;  // some 36 million years off 1970, either way
inline constexpr std::int64_t most_windows = 10'000;

/// Throws error(bad_configuration).
inline event_window checked(event_window w) {
  auto const wrong = [&](std::string const& why) {
    throw error(errc::bad_configuration, "event_window \"" + w.name + "\": " + why);
  };
  auto const shape = checked(batch_window{.name = w.name, .size = w.size, .slide = w.slide, .sampling = w.sampling});
  w.slide = shape.slide;
  if (w.out_of_order.count() < 0 || w.allowed_lateness.count() < 0 || w.ahead.count() < 0)
    wrong(".out_of_order, .allowed_lateness and .ahead must not be negative");
  if (w.size / w.slide > most_windows)
    wrong("each record would count for " + std::to_string(w.size / w.slide) + " windows; make .slide longer");
  if (w.size.count() > latest_event || w.slide.count() > latest_event || w.allowed_lateness.count() > latest_event ||
      w.out_of_order.count() > latest_event)
    wrong("its times are too long");
  return w;
}

template <class Key, class Value, class TimeOf, class KeyOf, class ValueOf, class Combine, class Emit, class Late>
class event_reducer {
  struct kept {
    bool given = false;
    Value value{};
  };
  struct slot {
    std::size_t part;
    std::int64_t begin;
    Key key;
    std::string const* data;
    std::vector<Value> news{};
    kept row{};
    bool there = false;
  };
  struct standing {
    std::int64_t newest = -latest_event;
    std::uint64_t late = 0;
  };

  event_window window_;
  std::int64_t size_, slide_, lateness_;
  TimeOf time_of_;
  KeyOf key_of_;
  ValueOf value_of_;
  Combine combine_;
  Emit emit_;
  Late late_;
  std::map<topic_partition, std::uint64_t> late_records_{};

  static constexpr std::size_t at_once = 4096;

 public:
  using keeps_state = void;

  event_reducer(event_window window, TimeOf time_of, KeyOf key_of, ValueOf value_of, Combine combine, Emit emit,
                Late late)
      : window_(checked(std::move(window))),
        size_(window_.size.count()),
        slide_(window_.slide.count()),
        lateness_(window_.allowed_lateness.count()),
        time_of_(std::move(time_of)),
        key_of_(std::move(key_of)),
        value_of_(std::move(value_of)),
        combine_(std::move(combine)),
        emit_(std::move(emit)),
        late_(std::move(late)) {}

  /// Records that came too late since ever, in the partitions that this object has seen, as last seen.
  std::uint64_t late_records() const {
    std::uint64_t n = 0;
    for (auto const& [of, late] : late_records_) n += late;
    return n;
  }

  template <class F>
  void for_each_state(F f) const {
    f(std::string_view{window_.name}, static_cast<void const*>(this));
  }

  template <class Transaction>
  void operator()(batch const& b, Transaction& tx) {
    if (b.size() == 0) return;
    auto store = store_of(tx, window_.name, this);
    state_parts<Transaction> marks{window_.name, window_.when_partitions_grow, b, state_kind::event_window};
    auto now = standings(store, marks);
    std::deque<slot> slots;
    std::deque<std::unordered_map<std::string, slot*>> known;
    sort_in(b, marks, now, slots, known, tx);
    for (std::size_t begin = 0; begin < slots.size(); begin += at_once)
      add(store, marks, slots, begin, std::min(slots.size(), begin + at_once), tx);
    auto left = most_leaving<Transaction>();
    for (std::size_t i = 0; i < marks.size(); ++i) give_due(store, marks, i, watermark(now[i]), left, tx);
    finish(store, marks, now);
  }

 private:
  std::int64_t watermark(standing const& s) const {
    return s.newest == -latest_event ? s.newest : s.newest - window_.out_of_order.count();
  }

  template <class Store, class Marks>
  std::vector<standing> standings(Store& store, Marks& marks) {
    std::vector<state_row> rows;
    marks.ask(rows);
    as_store_failure([&] {
      store.read(rows, [&](std::size_t i, std::string_view value, std::int64_t) { marks.found(i, value); });
      marks.check(store);
    });
    std::vector<standing> all(marks.size());
    for (std::size_t i = 0; i < marks.size(); ++i) {
      if (marks.mark(i).stamp == 0) continue;
      std::tie(all[i].newest, all[i].late) = read_stored<std::tuple<std::int64_t, std::uint64_t>>(
          window_.name, "the watermark", 0, marks.of(i), marks.mark(i).extra);
    }
    return all;
  }

  /// Each record into the windows that are still open; too late for all of them: late.
  template <class Marks, class Transaction>
  void sort_in(batch const& b, Marks& marks, std::vector<standing>& now, std::deque<slot>& slots,
               std::deque<std::unordered_map<std::string, slot*>>& known, Transaction& tx) {
    auto const wall = b.time().time_since_epoch().count();
    std::string data;
    std::size_t i = 0;
    for (auto const one : b.partitions()) {
      auto& places = known.emplace_back();
      auto const closed = watermark(now[i]);
      auto newest = now[i].newest;
      for (record r : one) {
        std::int64_t const at =
            std::chrono::floor<std::chrono::milliseconds>(std::invoke(time_of_, r)).time_since_epoch().count();
        bool const plausible = at > -latest_event && at < latest_event &&
                               (window_.ahead.count() == 0 || at - wall <= window_.ahead.count());
        bool in_time = false, in_any = false;
        if (plausible) {
          newest = std::max(newest, at);
          for (auto begin = floor_to(at, slide_); begin > at - size_; begin -= slide_) {
            in_any = true;
            if (begin + size_ + lateness_ <= closed) continue;
            in_time = true;
            each_key(key_of_, r, [&](auto&& given) {
              data.assign(1, user_key);
              Key key(std::forward<decltype(given)>(given));
              encoder{data}.put(begin);
              encoder{data}.put(key);
              check_key(data);
              auto& place = places[data];
              if (!place) {
                place = &slots.emplace_back(slot{i, begin, std::move(key), nullptr});
                place->data = &places.find(data)->first;
              }
              place->news.emplace_back(std::invoke(value_of_, r));
            });
          }
        }
        if (in_time || (plausible && !in_any)) continue;
        ++now[i].late;
        marks.changed(i);
        if constexpr (std::is_invocable_v<Late&, record, Transaction&>)
          std::invoke(late_, r, tx);
        else
          std::invoke(late_, r);
      }
      if (newest != now[i].newest) marks.changed(i);
      now[i].newest = newest;
      ++i;
    }
  }
  void check_key(std::string const& data) const {
    if (data.size() > longest_state_key)
      throw error(errc::bad_statement, "event_window \"" + window_.name + "\": a key takes " +
                                           std::to_string(data.size()) + " bytes, and no more than " +
                                           std::to_string(longest_state_key) + " can be stored: use a hash of it");
  }

  template <class Store, class Marks, class Transaction>
  void add(Store& store, Marks& marks, std::deque<slot>& slots, std::size_t first, std::size_t last, Transaction& tx) {
    std::vector<state_row> rows;
    for (auto s = first; s < last; ++s) rows.push_back({.of = &marks.of(slots[s].part), .key = *slots[s].data});
    as_store_failure([&] {
      store.read(rows, [&](std::size_t i, std::string_view value, std::int64_t) {
        auto& s = slots[first + i];
        s.row = row_in(value, s.data->size(), marks.of(s.part));
        s.there = true;
      });
    });
    std::deque<std::string> values;
    for (auto s = first; s < last; ++s) {
      auto& one = slots[s];
      for (auto& v : one.news)
        if (std::exchange(one.there, true))
          one.row.value = std::invoke(combine_, std::move(one.row.value), std::move(v));
        else
          one.row.value = std::move(v);
      auto& row = rows[s - first];
      row.value = values.emplace_back(bytes_of(one.row));
      row.due = one.begin + size_ + (one.row.given ? lateness_ : 0);
      marks.changed(one.part);
    }
    as_store_failure([&] { store.write(rows); });
    for (auto s = first; s < last; ++s)
      if (slots[s].row.given) tell(slots[s].begin, slots[s].key, slots[s].row.value, tx);
  }

  template <class Store, class Marks, class Transaction>
  void give_due(Store& store, Marks& marks, std::size_t part, std::int64_t until, std::size_t& left, Transaction& tx) {
    std::size_t most = 0;
    auto const& of = marks.of(part);
    std::deque<std::string> keys, values;
    std::vector<state_row> rows;
    do {
      most = std::min<std::size_t>(left, 1000);
      rows.clear();
      keys.clear();
      values.clear();
      as_store_failure([&] {
        store.due(of, until, most, [&](std::string_view key, std::string_view value, std::int64_t) {
          keys.emplace_back(key);
          values.emplace_back(value);
        });
      });
      for (std::size_t i = 0; i < keys.size(); ++i) {
        auto row = row_in(values[i], keys[i].size(), of);
        auto const [begin, key] = read_stored<std::pair<std::int64_t, Key>>(window_.name, "the key", keys[i].size(), of,
                                                                            std::string_view{keys[i]}.substr(1));
        if (!row.given)
          emit_window("event_window", window_.name, begin + size_, [&] { tell(begin, key, row.value, tx); });
        auto const leaves = begin + size_ + lateness_;
        bool const stays = !row.given && leaves > until;
        row.given = true;
        if (stays) values[i] = bytes_of(row);
        rows.push_back({.of = &of, .key = keys[i], .value = values[i], .due = stays ? leaves : never, .there = stays});
        marks.changed(part);
      }
      if (!rows.empty()) as_store_failure([&] { store.write(rows); });
      left -= rows.size();
    } while (rows.size() == most && left > 0);
  }

  template <class Store, class Marks>
  void finish(Store& store, Marks& marks, std::vector<standing> const& now) {
    for (std::size_t i = 0; i < marks.size(); ++i) {
      auto& extra = marks.mark(i).extra;
      extra.clear();
      encoder{extra}.put(now[i].newest);
      encoder{extra}.put(now[i].late);
      late_records_[marks.of(i)] = now[i].late;
    }
    std::vector<state_row> rows;
    marks.finish(rows);
    if (!rows.empty()) as_store_failure([&] { store.write(rows); });
  }

  kept row_in(std::string_view data, std::size_t key_size, topic_partition const& of) const {
    auto [given, value] = read_stored<std::pair<bool, Value>>(window_.name, "the value", key_size, of, data);
    return {given, std::move(value)};
  }
  static std::string bytes_of(kept const& row) {
    std::string data;
    encoder{data}.put(row.given);
    encoder{data}.put(row.value);
    return data;
  }
  template <class Transaction>
  void tell(std::int64_t begin, Key const& key, Value const& value, Transaction& tx) {
    window_span const span{wall_time{std::chrono::milliseconds{begin}},
                           wall_time{std::chrono::milliseconds{begin + size_}}};
    if constexpr (std::is_invocable_v<Emit&, window_span const&, Key const&, Value const&, Transaction&>)
      std::invoke(emit_, span, key, value, tx);
    else
      std::invoke(emit_, span, key, value);
  }
};

}  // namespace detail

/// A handler: the values `value_of(record)` of each key and window, by `time_of(record)` (a sys_time), combined by `combine` in
/// the order in which they come. When the partition's watermark has reached a window's end: `emit(span, key, value, tx)`, or without tx, by
/// the end; here span.begin is included and span.end is not. With .allowed_lateness it comes again, whole, in each batch that has
/// late records for it. What is too late for all of its windows goes to `late(record, tx)` or `late(record)`, and is counted.
///
/// Redis takes no more than 20,000 windows and keys that end in one batch; the others are given in the next ones.
///
/// What `emit` throws of a window that ends is thrown as error(handler_failed), which names the window; the exception itself is
/// nested in it (std::rethrow_if_nested). It is still to be given, so the next batch fails on it too: with `skip` or dead
/// letters all records are set aside until `emit` works again, and count for no window. Where that is not wanted use `stop`, or
/// `retry`, or let `emit` catch what it can. A store_error passes as it is.
///
/// What is open lies in the store, and not in memory. The times of the years 1 to 9999 are as good as any. One record with a time far off
/// in the future ends all windows before it: `.ahead` is for that. Throws error(bad_configuration) when it is made.
template <class TimeOf, class KeyOf, class ValueOf, class Combine, class Emit, class Late = detail::dropped>
auto reduce_by_key_and_event_window(event_window window, TimeOf time_of, KeyOf key_of, ValueOf value_of,
                                    Combine combine, Emit emit, Late late = {}) {
  using key = detail::owned<detail::key_given<KeyOf>>;
  using value = detail::owned<detail::key_from<ValueOf>>;
  return detail::event_reducer<key, value, TimeOf, KeyOf, ValueOf, Combine, Emit, Late>{
      std::move(window),  std::move(time_of), std::move(key_of), std::move(value_of),
      std::move(combine), std::move(emit),    std::move(late)};
}

}}  // namespace sluice::v0
