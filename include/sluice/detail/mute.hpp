/// \file detail/mute.hpp  The body of an illegal consumer: every member is there and silent, since the rule has spoken.
#pragma once
#include <sluice/detail/engine.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// Takes whatever a handler does with a transaction.
struct silent_transaction {
  template <class... A>
  silent_transaction execute(A const&...) {
    return {};
  }
  template <class... A>
  silent_transaction query(A const&...) {
    return {};
  }
  template <class... A>
  silent_transaction prepare(A const&...) {
    return {};
  }
  template <class... A>
  void put(A const&...) {}
  template <class... A>
  void append(A const&...) {}
  template <class... A>
  void produce(A const&...) {}
  int* begin() const { return nullptr; }
  int* end() const { return nullptr; }
};

struct mute {
  using transaction = silent_transaction;
  struct nothing {};

  explicit mute(nothing) {}
  template <class Handler>
  step_result step(Handler const&, std::chrono::milliseconds) {
    return {};
  }
  void must_be_open(char const*) const {}
  bool in_hand() const { return false; }
  close_result drain(std::chrono::milliseconds) { return close_result::drained; }
  void close(std::chrono::milliseconds) noexcept {}
  void seek(topic_partition const&, offset) {}
  std::vector<position> positions() const { return {}; }
  std::vector<lag_of> lag() const { return {}; }
  void wake_on(int) {}
  stats statistics() const noexcept { return {}; }
  void wake() noexcept {}
};

/// Dependent on the slots, so that each illegal consumer speaks.
template <class Slots, class Rule>
struct speak : Rule::template demand<Slots, false> {};
template <class Slots>
struct speak<Slots, no_rule_broken> {};

}}}  // namespace sluice::v0::detail
