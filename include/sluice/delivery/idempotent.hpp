/// \file delivery/idempotent.hpp  Handle; then advance, into an output that repetition and late writes can't harm.
#pragma once
#include <sluice/delivery/concept.hpp>

#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

/// As at_least_once, and the output ends as if each record had been applied once. Plain functions are refused: the
/// handler is an output that says so of itself, or somebody answers for it (assume_idempotent).
struct idempotent {
  using slot = delivery_slot;

  static void deliver(turn auto& batch) {
    if (batch.handle()) batch.advance();
  }
};

/// A handler whose effects may be repeated, in part, in full, and late: a versioned upsert, an insert keyed by position,
/// a replaced output. A plain upsert is none: a late write would put an older value over a newer one.
template <class H>
concept idempotent_output = requires { typename std::remove_cvref_t<H>::idempotent_output; };

/// You answer for it: `f` may be called again with records that it has seen, and by a process that was thought dead.
template <class F>
struct assume_idempotent {
  using idempotent_output = void;
  F f;

  explicit assume_idempotent(F handler) : f(std::move(handler)) {}
  template <class Batch>
    requires std::is_invocable_v<F&, Batch const&>
  auto operator()(Batch const& b) {
    return f(b);
  }
};

}}  // namespace sluice::v0
