/// \file window/over_batches.hpp  Windows of several batches, as Spark Streaming has them: size and slide, multiples of the batch interval.
///
/// A record counts for the batch that it comes in, by the batch's time. A window is over what this consumer's partitions hold:
/// of each partition every window is given exactly once, by whoever has the partition then; where partitions have moved, one
/// window's parts may be given by two consumers, or by one in two calls.
#pragma once
#include <sluice/state/parts.hpp>
#include <sluice/window/panes.hpp>
#include <sluice/window/shape.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace sluice { inline namespace v0 {

namespace detail {

/// The panes of one partition: what stands in the store, as long as the stamp is the same.
template <class Key, class Panes>
struct window_part {
  struct one {
    Key key;
    Panes panes;
  };
  std::unordered_map<std::string, one> keys{};
  std::map<std::int64_t, std::vector<std::string const*>> at{};  // which keys have a pane of that time
  std::deque<std::string> gone{};                                // rows of panes that have left, still in the store
  std::int64_t given = 0;                                        // the end of the last window that was given
  std::int64_t shift = 0;                                        // times in the store are less by this
  std::uint64_t stamp = 0;
  bool holds = false;
  std::int64_t seen = 0;  // the time of the last batch that it was in

  std::int64_t newest() const { return at.empty() ? given : std::max(given, at.rbegin()->first); }
};

template <class Key, class Value, class Queue, class KeyOf, class ValueOf, class Combine, class Emit>
class windowed_reducer {
  using panes_of = panes<Value, Queue, Combine>;
  using part = window_part<Key, panes_of>;
  using results = std::vector<std::pair<Key, Value>>;

  batch_window window_;
  std::int64_t size_, slide_;
  KeyOf key_of_;
  ValueOf value_of_;
  Combine combine_;
  Queue queue_;  // empty: what a key begins with
  Emit emit_;
  std::map<topic_partition, part> parts_{};

  // Of one call.
  struct touched_pane {
    std::size_t part;
    std::int64_t time;
    std::string const* key;
  };
  std::vector<part*> here_{};
  std::size_t left_ = 0;  // how many rows may still be removed
  std::vector<state_row> rows_{};
  std::deque<std::string> bytes_{};
  std::string key_bytes_{};

 public:
  using keeps_state = void;
  static constexpr bool wants_empty_batches = true;

  windowed_reducer(batch_window window, KeyOf key_of, ValueOf value_of, Combine combine, Queue queue, Emit emit)
      : window_(checked(std::move(window))),
        size_(window_.size.count()),
        slide_(window_.slide.count()),
        key_of_(std::move(key_of)),
        value_of_(std::move(value_of)),
        combine_(std::move(combine)),
        queue_(std::move(queue)),
        emit_(std::move(emit)) {}

  /// Whose panes are in memory: those of the batches of a window's time.
  std::size_t partitions_in_memory() const { return parts_.size(); }

  template <class F>
  void for_each_state(F f) const {
    f(std::string_view{window_.name}, static_cast<void const*>(this));
  }

  template <class Transaction>
  void operator()(batch const& b, Transaction& tx) {
    check_interval(b);
    auto const now = b.time().time_since_epoch().count();
    auto store = store_of(tx, window_.name, this);
    state_parts<Transaction> marks{window_.name, window_.when_partitions_grow, b, state_kind::batch_window};
    open(store, marks, now);
    left_ = most_leaving<Transaction>();
    for (std::size_t i = 0; i < here_.size(); ++i) {
      clear_away(marks, i);
      if (keep_in_time(*here_[i], now)) marks.changed(i);
    }
    catch_up(marks, now, tx);
    take(b, marks, now);
    if (now % slide_ == 0 && !b.more_follows()) give(marks, now, tx);
    for (std::size_t i = 0; i < here_.size(); ++i) {
      auto& extra = marks.mark(i).extra;
      extra.clear();
      encoder{extra}.put(here_[i]->given);
      encoder{extra}.put(here_[i]->shift);
    }
    marks.finish(rows_);
    if (!rows_.empty()) as_store_failure([&] { store.write(rows_); });
    for (std::size_t i = 0; i < here_.size(); ++i) {
      here_[i]->stamp = marks.stamp(i);
      here_[i]->holds = true;
      here_[i]->seen = now;
    }
    forget_others(now);
  }

 private:
  void check_interval(batch const& b) const {
    auto const interval = b.interval().count();
    if (interval > 0 && size_ % interval == 0 && slide_ % interval == 0) return;
    throw store_error(
        errc::bad_configuration,
        "batch_window \"" + window_.name + "\": .size (" + std::to_string(size_) + " ms) and .slide (" +
            std::to_string(slide_) + " ms) must be multiples of micro_batch.interval, which is " +
            (interval > 0 ? std::to_string(interval) + " ms: change one of them" : "0: set it, to the slide at most"));
  }

  /// A partition that was in no batch for a window's time is another consumer's, or has nothing: its panes are in the store.
  void forget_others(std::int64_t now) {
    auto const far = size_ + slide_;
    std::erase_if(parts_, [&](auto const& p) { return p.second.seen <= now - far || p.second.seen > now + far; });
  }

  /// Reads what is not known, or was changed by another.
  template <class Store, class Marks>
  void open(Store& store, Marks& marks, std::int64_t now) {
    here_.clear();
    rows_.clear();
    bytes_.clear();
    marks.ask(rows_);
    as_store_failure([&] {
      store.read(rows_, [&](std::size_t i, std::string_view value, std::int64_t) { marks.found(i, value); });
      marks.check(store);
    });
    rows_.clear();
    for (std::size_t i = 0; i < marks.size(); ++i) {
      auto& p = parts_[marks.of(i)];
      here_.push_back(&p);
      auto const& mark = marks.mark(i);
      // What was never stored is not known: another process would not know it either.
      bool const held = std::exchange(p.holds, false) && p.stamp == mark.stamp && mark.stamp != 0;
      if (held) continue;
      p = {};
      if (mark.stamp == 0) {
        p.given = floor_to(now - 1, slide_);
        continue;
      }
      read_extra(p, mark, marks.of(i));
      load(store, p, marks.of(i));
    }
  }
  void read_extra(part& p, state_mark const& mark, topic_partition const& of) const {
    std::tie(p.given, p.shift) =
        read_stored<std::tuple<std::int64_t, std::int64_t>>(window_.name, "the window's times", 0, of, mark.extra);
  }
  /// All panes of a partition, in the order of time.
  template <class Store>
  void load(Store& store, part& p, topic_partition const& of) {
    struct found {
      std::int64_t time;
      std::string key;
      std::string value;
    };
    std::vector<found> all;
    as_store_failure([&] {
      store.all(of, [&](std::string_view key, std::string_view value, std::int64_t) {
        if (key.empty() || key[0] != user_key) return;
        decoder from{key.substr(1)};
        auto const time = from.get<std::int64_t>() + p.shift;
        if (time <= p.given - size_)
          p.gone.emplace_back(key);
        else
          all.push_back({time, std::string{key.substr(9)}, std::string{value}});
      });
    });
    std::sort(all.begin(), all.end(), [](found const& a, found const& b) { return a.time < b.time; });
    for (auto const& f : all)
      put(
          p, f.time, f.key, [&] { return read_stored<Key>(window_.name, "the key", f.key.size(), of, f.key); },
          read_stored<Value>(window_.name, "the value", f.key.size(), of, f.value));
  }
  /// Answers the key as it is kept.
  template <class MakeKey>
  std::string const* put(part& p, std::int64_t time, std::string const& data, MakeKey make_key, Value value) {
    auto at = p.keys.find(data);
    if (at == p.keys.end()) at = p.keys.emplace(data, typename part::one{make_key(), panes_of{queue_, combine_}}).first;
    if (at->second.panes.add(time, std::move(value))) p.at[time].push_back(&at->first);
    return &at->first;
  }

  /// What an earlier batch had no room for.
  template <class Marks>
  void clear_away(Marks& marks, std::size_t i) {
    for (auto& left_over = here_[i]->gone; !left_over.empty() && left_ > 0; --left_, left_over.pop_front()) {
      rows_.push_back({.of = &marks.of(i), .key = bytes_.emplace_back(std::move(left_over.front())), .there = false});
      marks.changed(i);
    }
  }

  /// A clock that goes back by less than a window is waited for. By more: what is there moves with it, and so keeps its order.
  /// Answers whether it did, which is to be stored: memory must not be taken for what stands there.
  bool keep_in_time(part& p, std::int64_t now) const {
    auto const by = now - p.newest();
    if (by >= -size_) return false;
    std::map<std::int64_t, std::vector<std::string const*>> moved;
    for (auto& [time, keys] : p.at) moved.emplace(time + by, std::move(keys));
    p.at = std::move(moved);
    for (auto& [data, one] : p.keys) one.panes.shift(by);
    p.shift += by;
    p.given = floor_to(now - 1, slide_);
    return true;
  }

  /// Windows whose time has passed without a batch: it was late, or nobody was there. Empty ones are passed over.
  template <class Marks, class Transaction>
  void catch_up(Marks& marks, std::int64_t now, Transaction& tx) {
    for (;;) {
      std::int64_t end = never;
      for (auto const* p : here_) end = std::min(end, floor_to(p->given, slide_) + slide_);
      if (end >= now) return;
      bool something = false;
      for (auto const* p : here_) something = something || (p->given < end && !p->at.empty());
      if (something) {
        give(marks, end, tx);
        continue;
      }
      for (std::size_t i = 0; i < here_.size(); ++i)
        if (here_[i]->given < end) {
          here_[i]->given = floor_to(now - 1, slide_);
          marks.changed(i);
        }
    }
  }

  template <class Marks>
  void take(batch const& b, Marks& marks, std::int64_t now) {
    std::vector<touched_pane> touched;
    std::size_t i = 0;
    for (auto const one : b.partitions()) {
      auto& p = *here_[i];
      auto const time = std::max({now, p.given + b.interval().count(), p.newest()});
      std::set<std::string const*> seen;
      for (record r : one) {
        each_key(key_of_, r, [&](auto&& given) {
          Key key(std::forward<decltype(given)>(given));
          write_key(window_.name, key_bytes_, key);
          key_bytes_.erase(0, 1);
          auto const* kept = put(p, time, key_bytes_, [&] { return key; }, Value(std::invoke(value_of_, r)));
          if (seen.insert(kept).second) touched.push_back({i, time, kept});
        });
      }
      ++i;
    }
    for (auto const& t : touched) {
      auto& value = bytes_.emplace_back(encoded(*here_[t.part]->keys.find(*t.key)->second.panes.youngest()));
      rows_.push_back({.of = &marks.of(t.part), .key = row_key(*here_[t.part], t.time, *t.key), .value = value});
      marks.changed(t.part);
    }
  }
  std::string_view row_key(part const& p, std::int64_t time, std::string const& key) {
    auto& data = bytes_.emplace_back(1, user_key);
    encoder{data}.put(time - p.shift);
    return data += key;
  }

  template <class Marks, class Transaction>
  void give(Marks& marks, std::int64_t end, Transaction& tx) {
    results all;
    std::unordered_map<std::string_view, std::size_t> places;
    bool any = false;
    for (std::size_t i = 0; i < here_.size(); ++i) {
      auto& p = *here_[i];
      if (p.given >= end) continue;
      any = true;
      leave(p, marks.of(i), end - size_);
      for (auto const& [data, one] : p.keys) {
        auto value = one.panes.total();
        if (!value) continue;
        auto const [at, fresh] = places.try_emplace(data, all.size());
        if (fresh)
          all.emplace_back(one.key, std::move(*value));
        else
          all[at->second].second = std::invoke(combine_, std::move(all[at->second].second), std::move(*value));
      }
      p.given = end;
      marks.changed(i);
    }
    if (!any) return;
    window_span const span{wall_time{std::chrono::milliseconds{end - size_}},
                           wall_time{std::chrono::milliseconds{end}}};
    emit_window("batch_window", window_.name, end, [&] {
      if constexpr (std::is_invocable_v<Emit&, window_span const&, results const&, Transaction&>)
        std::invoke(emit_, span, std::as_const(all), tx);
      else
        std::invoke(emit_, span, std::as_const(all));
    });
  }
  /// Panes of `until` and before leave, here and in the store.
  void leave(part& p, topic_partition const& of, std::int64_t until) {
    while (!p.at.empty() && p.at.begin()->first <= until) {
      auto const [time, keys] = std::move(*p.at.begin());
      p.at.erase(p.at.begin());
      for (auto const* key : keys) {
        auto const row = row_key(p, time, *key);
        if (left_ == 0) {
          p.gone.emplace_back(row);
        } else {
          rows_.push_back({.of = &of, .key = row, .there = false});
          --left_;
        }
        auto const at = p.keys.find(*key);
        at->second.panes.leave(time);
        if (at->second.panes.empty()) p.keys.erase(at);
      }
    }
  }
};

}  // namespace detail

/// A handler: of each window, for each key, the values `value_of(record)` combined by `combine`, older ones left. At each end
/// `emit(span, results, tx)` or `emit(span, results)`, where results is a vector of pairs of key and value, unsorted; empty where
/// the window is. It is called within the transaction: what it writes is there exactly once.
///
/// Nothing is computed again when a window moves (two stacks); all panes of all keys are in memory, and in the store, so that
/// they outlive the process. Those of a partition that another consumer has are forgotten a window later. `consumer.run` must
/// be given the same object from batch to batch, or the panes are read anew each time. Windows that no batch came for (a late
/// batch, a pause) are given with the next one, as long as they hold anything.
///
/// What `emit` throws is thrown as error(handler_failed), which names the window; the exception itself is nested in it
/// (std::rethrow_if_nested). The window is still to be given, so the next batch fails on it too: with `skip` or dead letters all
/// records are set aside until `emit` works again, and count for no window. Where that is not wanted use `stop`, or `retry`,
/// or let `emit` catch what it can. A store_error passes as it is.
///
/// The constructor throws error(bad_configuration); a size or slide that is no multiple of the interval throws store_error from the first
/// batch, since no record is to blame.
template <class KeyOf, class ValueOf, class Combine, class Emit>
auto reduce_by_key_and_window(batch_window window, KeyOf key_of, ValueOf value_of, Combine combine, Emit emit) {
  using key = detail::owned<detail::key_given<KeyOf>>;
  using value = detail::owned<detail::key_from<ValueOf>>;
  using queue = aggregate_queue<value, Combine>;
  return detail::windowed_reducer<key, value, queue, KeyOf, ValueOf, Combine, Emit>{
      std::move(window), std::move(key_of), std::move(value_of), combine, queue{combine}, std::move(emit)};
}
/// The same with an inverse: `inverse(total, oldest)` takes a pane that leaves out of the total. Keys of which nothing is left
/// in the window are not in the results, unlike in Spark, where they stay with what is left of their values.
template <class KeyOf, class ValueOf, class Combine, class Inverse, class Emit>
auto reduce_by_key_and_window(batch_window window, KeyOf key_of, ValueOf value_of, Combine combine, Inverse inverse,
                              Emit emit) {
  using key = detail::owned<detail::key_given<KeyOf>>;
  using value = detail::owned<detail::key_from<ValueOf>>;
  using queue = subtracting_queue<value, Combine, Inverse>;
  return detail::windowed_reducer<key, value, queue, KeyOf, ValueOf, Combine, Emit>{
      std::move(window), std::move(key_of), std::move(value_of), combine, queue{combine, inverse}, std::move(emit)};
}
/// Of all records of a window: `emit(span, value, tx)` or `emit(span, value)` with a std::optional, empty where there were none.
template <class ValueOf, class Combine, class Emit>
auto reduce_by_window(batch_window window, ValueOf value_of, Combine combine, Emit emit) {
  using value = detail::owned<detail::key_from<ValueOf>>;
  return reduce_by_key_and_window(
      std::move(window), [](record) { return detail::whole_stream{}; }, std::move(value_of), std::move(combine),
      detail::whole_result<value, Emit>{std::move(emit)});
}
/// How often each key is there.
template <class KeyOf, class Emit>
auto count_by_key_and_window(batch_window window, KeyOf key_of, Emit emit) {
  return reduce_by_key_and_window(
      std::move(window), std::move(key_of), [](record) { return std::int64_t{1}; }, std::plus<std::int64_t>{},
      std::minus<std::int64_t>{}, std::move(emit));
}
/// How many records there were: `emit(span, count, tx)` or `emit(span, count)`.
template <class Emit>
auto count_by_window(batch_window window, Emit emit) {
  return reduce_by_key_and_window(
      std::move(window), [](record) { return detail::whole_stream{}; }, [](record) { return std::int64_t{1}; },
      std::plus<std::int64_t>{}, std::minus<std::int64_t>{}, detail::whole_count<Emit>{std::move(emit)});
}

}}  // namespace sluice::v0
