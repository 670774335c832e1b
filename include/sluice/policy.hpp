/// \file policy.hpp  What a policy is: a type that names the one slot it fills.
#pragma once
#include <sluice/access_token.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 {

struct delivery_slot;      // what is promised: at_most_once, at_least_once, idempotent, transactional
struct offset_store_slot;  // where progress is remembered
struct rate_limit_slot;    // how fast records may enter
struct batching_slot;      // how a batch is cut
struct source_slot;        // where records come from
struct on_failure_slot;    // what happens when a handler throws
struct observer_slot;      // who is told
struct clock_slot;         // whose time it is

/// A policy says which slot it fills; nothing is inherited and order never matters. It is configuration only: an
/// aggregate whose members all have initialisers. What runs is `P::runtime`, built from `P::open(policy, context)`.
template <class P>
concept policy = requires { typename P::slot; };

template <class P, class Slot>
concept policy_for = policy<P> && std::same_as<typename P::slot, Slot>;

/// A policy whose constructor argument can't be left out.
template <class P>
concept must_be_configured = requires { typename P::must_be_configured; };

/// What a policy's runtime may know besides its own configuration. Copied from the source's configuration and the
/// batching; valid during open() only.
struct context {
  std::string brokers{};
  std::string group{};
  std::map<std::string, std::string> properties{};  ///< librdkafka's, as the user gave them
  bool keeps_in_group = true;                       ///< offsets, or copies of them, are kept in the source's group
  bool transactional_group = false;                 ///< results and offsets are one transaction of the group's cluster
  std::chrono::milliseconds batch_interval{0};      ///< 0: a batch is what has arrived
  std::function<void(int level, std::string_view line)> log{};  ///< any thread; syslog's levels, 7 is debug
  token_source token{};                                         ///< the source's
  bool stores_first = false;                                    ///< at_most_once: before the handler runs
};

}}  // namespace sluice::v0
