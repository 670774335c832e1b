/// \file state/operators.hpp  Handlers made of a keyed_state and a function: update_state_by_key, map_with_state.
///
/// They borrow the state, which must outlive them. With a .timeout they want empty batches, so that keys expire where nothing
/// arrives. Those come with micro_batch{.interval} only: without it a key waits for its partition's next record.
#pragma once
#include <sluice/state/keyed_state.hpp>

#include <utility>

namespace sluice { inline namespace v0 {

namespace detail {

struct nobody {
  template <class... A>
  void operator()(A const&...) const {}
};

template <class State, class KeyOf, class Change, class Expired>
class state_updater {
  using key = typename State::key_type;
  using value = typename State::value_type;

  State* state_;
  KeyOf key_of_;
  Change change_;
  Expired expired_;

 public:
  using keeps_state = void;
  bool wants_empty_batches;

  state_updater(State& state, KeyOf key_of, Change change, Expired expired)
      : state_(&state),
        key_of_(std::move(key_of)),
        change_(std::move(change)),
        expired_(std::move(expired)),
        wants_empty_batches(state.timeout.count() > 0) {}

  template <class F>
  void for_each_state(F f) const {
    f(std::string_view{state_->name}, static_cast<void const*>(state_));
  }

  template <class Transaction>
  void operator()(batch const& b, Transaction& tx) {
    using records = std::span<record const>;
    state_->update(
        b, tx, key_of_,
        [&](key const& k, records news, std::optional<value>& v) {
          if constexpr (std::is_invocable_v<Change&, key const&, records, std::optional<value>&, Transaction&>)
            change_(k, news, v, tx);
          else if constexpr (std::is_invocable_v<Change&, key const&, records, std::optional<value>&>)
            change_(k, news, v);
          else {
            static_assert(std::is_invocable_v<Change&, records, std::optional<value>&>,
                          "sluice: update_state_by_key takes (state, key_of(record), change(key, "
                          "std::span<record const>, std::optional<Value>&, transaction&)); change may leave out the "
                          "transaction, then the key too");
            if constexpr (std::is_invocable_v<Change&, records, std::optional<value>&>) change_(news, v);
          }
        },
        [&](key const& k, value& v) {
          if constexpr (std::is_invocable_v<Expired&, key const&, value&, Transaction&>)
            expired_(k, v, tx);
          else {
            static_assert(std::is_invocable_v<Expired&, key const&, value&>,
                          "sluice: update_state_by_key's last function is called for keys whose time is over: "
                          "expired(key, Value&, transaction&), or without the transaction");
            if constexpr (std::is_invocable_v<Expired&, key const&, value&>) expired_(k, v);
          }
        });
  }
};

template <class State, class KeyOf, class Map, class Emit>
class state_mapper {
  using key = typename State::key_type;
  using value = typename State::value_type;

  State* state_;
  KeyOf key_of_;
  Map map_;
  Emit emit_;

 public:
  using keeps_state = void;
  bool wants_empty_batches;

  state_mapper(State& state, KeyOf key_of, Map map, Emit emit)
      : state_(&state),
        key_of_(std::move(key_of)),
        map_(std::move(map)),
        emit_(std::move(emit)),
        wants_empty_batches(state.timeout.count() > 0) {}

  template <class F>
  void for_each_state(F f) const {
    f(std::string_view{state_->name}, static_cast<void const*>(state_));
  }

  template <class Transaction>
  void operator()(batch const& b, Transaction& tx) {
    constexpr bool maps = std::is_invocable_v<Map&, key const&, record const*, std::optional<value>&>;
    static_assert(maps,
                  "sluice: map_with_state takes (state, key_of(record), map(key, record const*, "
                  "std::optional<Value>&), emit(what map returned, transaction&))");
    if constexpr (maps)
      state_->update(
          b, tx, key_of_,
          [&](key const& k, std::span<record const> news, std::optional<value>& v) {
            for (record const& r : news) give(map_(k, &r, v), tx);
          },
          [&](key const& k, value& was) {
            std::optional<value> v{std::move(was)};
            give(map_(k, static_cast<record const*>(nullptr), v), tx);
          });
  }

 private:
  template <class Result, class Transaction>
  void give(Result&& result, Transaction& tx) {
    if constexpr (std::is_invocable_v<Emit&, Result&&, Transaction&>)
      emit_(std::forward<Result>(result), tx);
    else
      emit_(std::forward<Result>(result));
  }
};

}  // namespace detail

/// A handler: for each key that has records in the batch, `change(key, records, value, tx)`, or without tx, or without key
/// and tx, as keyed_state::update. `expired(key, value)` or `expired(key, value, tx)` for keys whose time is over; they are removed.
///
/// Spark's updateStateByKey calls its function for every key that it knows, in each batch, and writes all of the state
/// with every checkpoint. Here keys without news are left alone: a .timeout takes the place of counting empty turns.
template <class Key, class Value, class KeyOf, class Change, class Expired = detail::nobody>
auto update_state_by_key(keyed_state<Key, Value>& state, KeyOf key_of, Change change, Expired expired = {}) {
  return detail::state_updater<keyed_state<Key, Value>, KeyOf, Change, Expired>{state, std::move(key_of),
                                                                                std::move(change), std::move(expired)};
}

/// A handler: for each record, by key, `map(key, record, value)` gives something, which goes to `emit(that)` or
/// `emit(that, tx)`. `record` is a pointer: null where the key's time is over, and then what `map` leaves in `value` is not
/// kept. value.reset() removes the key.
template <class Key, class Value, class KeyOf, class Map, class Emit>
auto map_with_state(keyed_state<Key, Value>& state, KeyOf key_of, Map map, Emit emit) {
  return detail::state_mapper<keyed_state<Key, Value>, KeyOf, Map, Emit>{state, std::move(key_of), std::move(map),
                                                                         std::move(emit)};
}

}}  // namespace sluice::v0
