/// \file legality.hpp  Every rule about which policies go together, as one ordered table.
///
/// A rule is a predicate and a sentence: the culprit and what to write instead. The first broken rule, and only that one,
/// speaks; `legal<Ps...>` asks the same question without an error.
#pragma once
#include <sluice/clock.hpp>
#include <sluice/delivery/at_least_once.hpp>
#include <sluice/delivery/at_most_once.hpp>
#include <sluice/delivery/idempotent.hpp>
#include <sluice/delivery/transactional.hpp>
#include <sluice/detail/slots.hpp>
#include <sluice/micro_batch.hpp>
#include <sluice/offset_store/none.hpp>
#include <sluice/on_failure/dead_letter.hpp>
#include <sluice/on_failure/retry.hpp>
#include <sluice/on_failure/skip.hpp>
#include <sluice/on_failure/stop.hpp>
#include <sluice/rate_limit/unlimited.hpp>
#include <sluice/source/kafka_config.hpp>

namespace sluice { inline namespace v0 {

struct no_observer;

namespace detail {
// The vocabulary of the rules: what policies say of themselves. Total: a type that says nothing simply does not satisfy.
template <class S>
concept forgets = requires { requires S::forgets; };
template <class S>
concept stores_after_handling = requires { requires S::stores_after_handling; };
template <class S>
concept commits_with_results = requires { typename S::transaction; };
template <class S>
concept fenced_by_group = requires { requires S::fenced_by_group; };
template <class S>
concept records_skips = requires { requires S::records_skips; };
template <class S>
concept keeps_tables = requires { requires S::keeps_tables; };
template <class S>
concept keeps_files = requires { requires S::keeps_files; };
template <class S>
concept may_lose_offsets = requires { requires S::may_lose_offsets; };
template <class S>
concept assigned_by_hand = requires { requires S::assigned_by_hand; };
template <class S>
concept lives_in_group = requires { requires S::lives_in_group; };
template <class S>
concept has_no_group = requires { requires !S::has_group; };
template <class S>
concept cannot_replay = requires { requires !S::can_replay; };
template <class S>
concept discards_what_is_stored = requires { requires S::discards_what_is_stored; };
template <class R>
concept drops_records = requires { requires R::drops_records; };
template <class F>
concept calls_again = requires { requires F::calls_again; };
template <class F>
concept skips = requires { requires F::skips; };
template <class F>
concept into_table = requires { requires F::into_table; };
template <class F>
concept into_file = requires { requires F::into_file; };
template <class F>
concept into_topic = requires { requires F::into_topic; };

/// Where a failure ends: `then` of a retry, else the policy itself.
template <class F>
struct last_resort {
  using type = F;
};
template <class F>
  requires requires { typename F::then_policy; }
struct last_resort<F> {
  using type = typename F::then_policy;
};

template <class S>
inline constexpr bool forgets_to(from) {
  return false;
}
template <class S>
  requires requires { S::where; }
inline constexpr bool forgets_to(from where) {
  return S::where == where;
}
}  // namespace detail

/// The policies of one consumer, sorted into their slots: the same type whatever order they came in.
template <class Delivery, class Store, class Rate, class Batching, class Source, class OnFailure, class Observer,
          class Clock>
struct slots {
  using delivery = Delivery;
  using store = Store;
  using rate = Rate;
  using batching = Batching;
  using source = Source;
  using on_failure = OnFailure;
  using observer = Observer;
  using clock = Clock;
  using last_resort = typename detail::last_resort<OnFailure>::type;
  template <class D>
  static constexpr bool promises = std::same_as<delivery, D>;
};

template <class... Ps>
using slots_of = slots<typename detail::pick<delivery_slot, void, Ps...>::type,
                       typename detail::pick<offset_store_slot, void, Ps...>::type,
                       typename detail::pick<rate_limit_slot, unlimited, Ps...>::type,
                       typename detail::pick<batching_slot, micro_batch, Ps...>::type,
                       typename detail::pick<source_slot, kafka, Ps...>::type,
                       typename detail::pick<on_failure_slot, stop, Ps...>::type,
                       typename detail::pick<observer_slot, no_observer, Ps...>::type,
                       typename detail::pick<clock_slot, system_clock, Ps...>::type>;

namespace rules {

/// What rules look at: the slots, and how the policies were given.
template <class... Ps>
struct facts : slots_of<Ps...> {
  template <class Slot>
  static constexpr int fill = detail::count_in<Slot, Ps...>;
  static constexpr bool only_policies = (policy<Ps> && ...);
};

#define SLUICE_RULE(name, when, sentence)        \
  struct name {                                  \
    template <class C>                           \
    static constexpr bool broken = (when);       \
    template <class C, bool Holds>               \
    struct demand {                              \
      static_assert(Holds, "sluice: " sentence); \
    };                                           \
  }

// ---- shape
SLUICE_RULE(only_policies, !C::only_policies,
            "stream_consumer takes policies and configuration objects only, and one argument is neither; give types "
            "such as sl::at_least_once, sl::sqlite_offsets");
SLUICE_RULE(one_delivery, C::template fill<delivery_slot> != 1,
            "name exactly one delivery: at_most_once, at_least_once, idempotent or transactional");
SLUICE_RULE(one_offset_store, C::template fill<offset_store_slot> != 1,
            "name exactly one offset store, such as kafka_offsets, sqlite_offsets or no_offsets<from::earliest>");
SLUICE_RULE(one_rate_limit, C::template fill<rate_limit_slot> > 1, "name at most one rate limit");
SLUICE_RULE(one_batching, C::template fill<batching_slot> > 1, "give micro_batch at most once");
SLUICE_RULE(one_source, C::template fill<source_slot> > 1,
            "name at most one source: kafka or kafka_partitions, or several of them in a union_of");
SLUICE_RULE(one_on_failure, C::template fill<on_failure_slot> > 1,
            "name at most one on_failure policy; retry<Then> says what comes after the retries");
SLUICE_RULE(one_observer, C::template fill<observer_slot> > 1, "name at most one observer");
SLUICE_RULE(one_clock, C::template fill<clock_slot> > 1, "name at most one clock");

// ---- source
SLUICE_RULE(
    read_only_once, detail::cannot_replay<typename C::source> && !C::template promises<at_most_once>,
    "this source can't be read again, so what was in hand at a crash is lost; use at_most_once, or put it into a "
    "write_ahead_log<...>");
SLUICE_RULE(
    group_of_kafka, detail::has_no_group<typename C::source>&& detail::lives_in_group<typename C::store>,
    "kafka_offsets and periodic_kafka_offsets keep offsets in a group of Kafka's, which this source has not; use "
    "sqlite_offsets or file_offsets");
SLUICE_RULE(discarded_too_early,
            detail::discards_what_is_stored<typename C::source> &&
                (detail::forgets<typename C::store> || detail::may_lose_offsets<typename C::store>),
            "write_ahead_log discards what is stored, and this store forgets or may lose it; use sqlite_offsets or "
            "file_offsets");
SLUICE_RULE(topic_of_the_source, detail::has_no_group<typename C::source>&& detail::into_topic<typename C::last_resort>,
            "dead_letter_topic is on the source's brokers, and this source has none; use dead_letter_table or "
            "dead_letter_file");

// ---- delivery and store
SLUICE_RULE(latest_forgets, detail::forgets_to<typename C::store>(from::latest) && !C::template promises<at_most_once>,
            "no_offsets<from::latest> forgets where it was, so records are lost at each start; use kafka_offsets, or "
            "at_most_once with kafka_partitions");
SLUICE_RULE(latest_in_a_group,
            detail::forgets_to<typename C::store>(from::latest) && !detail::assigned_by_hand<typename C::source>,
            "no_offsets<from::latest> has no fence, so in a group two members may handle one record; use "
            "kafka_partitions, or kafka_offsets");
SLUICE_RULE(earliest_replays,
            detail::forgets_to<typename C::store>(from::earliest) && C::template promises<at_most_once>,
            "no_offsets<from::earliest> replays everything at each start, so at_most_once can't be kept; use "
            "kafka_offsets or sqlite_offsets");
SLUICE_RULE(lossy_store, detail::may_lose_offsets<typename C::store>&& C::template promises<at_most_once>,
            "this store may lose an offset, so at_most_once would handle a record twice; use a durable store");
SLUICE_RULE(
    stored_too_late, detail::stores_after_handling<typename C::store>&& C::template promises<at_most_once>,
    "at_most_once stores before it handles, periodic_kafka_offsets only stores what was handled; use kafka_offsets");
SLUICE_RULE(commits_together, C::template promises<transactional> && !detail::commits_with_results<typename C::store>,
            "transactional needs a store that commits offsets with the results, and this one can't; use sqlite_offsets "
            "or file_offsets, or kafka_offsets for Kafka to Kafka");
SLUICE_RULE(no_fence_by_hand,
            detail::fenced_by_group<typename C::store>&& C::template promises<at_most_once>&&
                detail::assigned_by_hand<typename C::source>,
            "kafka_offsets is fenced by the group's membership, which kafka_partitions has not, so at_most_once can't "
            "be kept; use kafka, or sqlite_offsets");

// ---- rate
SLUICE_RULE(
    shedding_loses, detail::drops_records<typename C::rate> && !C::template promises<at_most_once>,
    "shed_load drops records, so it goes with at_most_once only; use pid_backpressure or max_rate_per_partition");

// ---- on_failure
SLUICE_RULE(
    retry_repeats, detail::calls_again<typename C::on_failure>&& C::template promises<at_most_once>,
    "retry calls the handler again, so it does not go with at_most_once; use skip or a dead letter, or at_least_once");
SLUICE_RULE(retry_once, detail::calls_again<typename C::last_resort>,
            "retry<Then> ends in stop, skip or a dead letter, not in another retry; give .times once");
SLUICE_RULE(skips_are_recorded,
            detail::skips<typename C::last_resort> && !C::template promises<at_most_once> &&
                !detail::records_skips<typename C::store>,
            "skip needs a store that records what was skipped, and this one can't; use sqlite_offsets or file_offsets, "
            "or dead_letter_topic");
SLUICE_RULE(table_needs_sql, detail::into_table<typename C::last_resort> && !detail::keeps_tables<typename C::store>,
            "dead_letter_table is a table in the offset store's database, and this store has none; use sqlite_offsets, "
            "or dead_letter_topic");
SLUICE_RULE(file_in_the_transaction,
            detail::into_file<typename C::last_resort>&& C::template promises<transactional> &&
                !detail::keeps_files<typename C::store>,
            "with transactional a dead letter is part of the transaction, so dead_letter_file goes with file_offsets "
            "and checkpoint only; use dead_letter_table with sqlite_offsets, dead_letter_topic with kafka_offsets");
SLUICE_RULE(topic_in_the_transaction,
            detail::into_topic<typename C::last_resort>&& C::template promises<transactional> &&
                !detail::fenced_by_group<typename C::store>,
            "with transactional a dead letter is part of the transaction, so dead_letter_topic goes with kafka_offsets "
            "only; use dead_letter_table with sqlite_offsets, dead_letter_file with file_offsets");

#undef SLUICE_RULE

/// The first broken rule, or detail::no_rule_broken. Shape first, meaning second: later rules may rely on earlier ones.
template <class... Ps>
using first_broken =
    typename detail::first_broken<facts<Ps...>, only_policies, one_delivery, one_offset_store, one_rate_limit,
                                  one_batching, one_source, one_on_failure, one_observer, one_clock, read_only_once,
                                  group_of_kafka, discarded_too_early, topic_of_the_source, latest_forgets,
                                  latest_in_a_group, earliest_replays, lossy_store, stored_too_late, commits_together,
                                  no_fence_by_hand, shedding_loses, retry_repeats, retry_once, skips_are_recorded,
                                  table_needs_sql, file_in_the_transaction, topic_in_the_transaction>::type;

}  // namespace rules

/// Do these policies go together? For `requires`, `if constexpr` and tests.
template <class... Ps>
concept legal = std::same_as<rules::first_broken<Ps...>, detail::no_rule_broken>;

}}  // namespace sluice::v0
