/// \file offset_store/state_store.hpp  A store whose medium keeps all positions of a group as one state, replaced as a whole.
#pragma once
#include <sluice/detail/crash_point.hpp>
#include <sluice/offset_store/file_claims.hpp>
#include <sluice/policy.hpp>

#include <functional>
#include <optional>
#include <span>
#include <utility>

namespace sluice { inline namespace v0 {
namespace detail {

/// `select`: which group's state. `newest`: reads it, unless what is in memory was published or read last and nobody said
///   doubt(): `current`; throws store_error. `publish`: replaces what was read by what is in memory, only if it is still the newest;
///   throws store_error where it is certain that nothing was published. `unchanged`: the state in memory is what was read,
///   after all. `durable`: what was read can't be lost any more.
template <class M>
concept state_medium = requires(M& m, std::string const& group, time_point by) {
  { m.select(group) };
  { m.newest(by) } -> std::same_as<file_generation&>;
  { m.publish(by) } -> std::same_as<publication>;
  { m.current() } -> std::convertible_to<bool>;
  { m.doubt() };
  { m.unchanged() };
  { m.durable() } -> std::convertible_to<bool>;
  { m.name() } -> std::convertible_to<std::string>;
};

}  // namespace detail

/// Nothing is asked for each partition: an advance of a thousand is one change of the state. An advance is made on top of
/// the state that is in memory, and read again only where that turns out not to be the newest.
template <class Medium>
class basic_state_store {
  using state = detail::late<file_generation, Medium>;

  Medium medium_;
  std::function<void(int, std::string_view)> log_;
  bool mirror_;
  detail::known_groups<state> groups_;
  detail::late<std::vector<outcome>, Medium> outcomes_{};

  static constexpr unsigned most_races = 1000;

  void select(std::string const& group) {
    medium_.select(group);
    groups_.add(group);
  }
  void log(store_error const& e) const {
    if (log_) log_(5, e.what());
  }

  /// Edits the newest state and publishes it, again while others are quicker. `edit(state)` says whether it changed it, and
  /// is called anew on each state that turns out to be the newest. Answers yes or unknown.
  template <class Edit>
  detail::publication change(time_point by, Edit edit) {
    for (unsigned races = 0;; ++races) {
      if (races == most_races || (races > 0 && std::chrono::steady_clock::now() > by))
        throw store_error{errc::store_unavailable,
                          "other consumers kept storing in " + medium_.name() + " all the time"};
      bool const from_memory = medium_.current();
      auto& newest = medium_.newest(by);
      medium_.doubt();
      if (std::optional<bool> const changed = edit(newest); !changed.value_or(false)) {
        if (from_memory) continue;  // nothing is published that would show whether it is still the newest
        if (medium_.durable()) {
          medium_.unchanged();
          return detail::publication::yes;
        }
      }
      SLUICE_CRASH_POINT("publish a state");
      auto const how = medium_.publish(by);
      SLUICE_CRASH_POINT("state published");
      if (how == detail::publication::yes || how == detail::publication::unknown) return how;
    }
  }

  std::string not_known() const { return medium_.name() + ": no answer came; whether it was stored is not known"; }

 protected:
  /// For stores that do something beside.
  Medium& medium() { return medium_; }

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr sluice::fencing fencing = sluice::fencing::compare_and_set;

  basic_state_store(Medium medium, std::string const& group, bool mirror,
                    std::function<void(int, std::string_view)> log)
      : medium_(std::move(medium)), log_(std::move(log)), mirror_(mirror), groups_(group) {
    medium_.select(group);
  }
  basic_state_store(basic_state_store const&) = delete;
  basic_state_store& operator=(basic_state_store const&) = delete;
  ~basic_state_store() = default;

  bool mirror() const { return mirror_; }
  std::optional<std::string> local_id() const { return std::nullopt; }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    if (set.empty()) return {};
    select(group);
    medium_.doubt();
    detail::file_claim<state> claim{group, set, resolve, by};
    if (change(by, std::ref(claim)) == detail::publication::yes) return std::move(claim.answers);
    return claim.failed(not_known());
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    outcomes_.clear();
    if (moves.empty()) return outcomes_;
    auto how = detail::publication::unknown;
    try {
      how = change(by, detail::file_moves<state>{groups_, moves, outcomes_});
    } catch (store_error const& e) {
      if (e.code() != errc::store_unavailable) throw;
      log(e);
    }
    if (how != detail::publication::yes) outcomes_.assign(moves.size(), outcome::unknown);
    return outcomes_;
  }

  /// Stores what isn't there. After an advance without an answer the state is read anew.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    try {
      return advance(moves, by);
    } catch (store_error const& e) {
      log(e);
      outcomes_.assign(moves.size(), outcome::unknown);
      return outcomes_;
    }
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    detail::file_rewind<state> rewinding{groups_, rewinds};
    if (change(by, std::ref(rewinding)) == detail::publication::yes) return std::move(rewinding.answers);
    return rewinding.failed(not_known());
  }

  /// Nobody owns them then: an advance under the old fence is refused. Best effort.
  void release(std::vector<claimed> const& claims, time_point by) {
    try {
      change(by, detail::file_release<state>{groups_, claims});
    } catch (store_error const& e) {
      medium_.doubt();
      log(e);
    }
  }
};

}}  // namespace sluice::v0
