/// \file detail/handler.hpp  A handler, its type forgotten once a batch; and the sentences for those that don't fit.
#pragma once
#include <sluice/delivery/each.hpp>
#include <sluice/delivery/idempotent.hpp>
#include <sluice/delivery/transactional.hpp>
#include <sluice/detail/hand.hpp>
#include <sluice/state/store.hpp>

namespace sluice { inline namespace v0 {

/// The transaction of deliveries that have none.
struct no_transaction {};

namespace detail {

/// Borrowed for one step(). `whole` or `each`, and `one` beside `each`.
template <class Transaction>
struct handler_ref {
  void* handler = nullptr;
  void (*whole)(void*, batch const&, Transaction*) = nullptr;
  void (*each)(void*, std::span<part const>, Transaction*, cursor&) = nullptr;
  void (*one)(void*, record, Transaction*) = nullptr;
  bool wants_empty_batches = false;
};

template <bool WithTransaction, class Transaction, class H>
handler_ref<Transaction> refer_to(H& handler) {
  handler_ref<Transaction> ref{.handler = const_cast<void*>(static_cast<void const*>(std::addressof(handler)))};
  if constexpr (requires { static_cast<bool>(handler.wants_empty_batches); })
    ref.wants_empty_batches = static_cast<bool>(handler.wants_empty_batches);
  if constexpr (is_each<std::remove_cv_t<H>>) {
    ref.each = [](void* h, std::span<part const> parts, [[maybe_unused]] Transaction* tx, cursor& at) {
      auto& f = static_cast<H*>(h)->function();
      for (; at.part < parts.size(); ++at.part, at.index = 0) {
        auto const& p = parts[at.part];
        auto const n = static_cast<std::size_t>(p.end - p.begin);
        for (; at.index < n; ++at.index) {
          if constexpr (WithTransaction)
            f(record{p.begin + at.index, &p}, *tx);
          else
            f(record{p.begin + at.index, &p});
        }
      }
    };
    ref.one = [](void* h, record r, [[maybe_unused]] Transaction* tx) {
      auto& f = static_cast<H*>(h)->function();
      if constexpr (WithTransaction)
        f(r, *tx);
      else
        f(r);
    };
  } else {
    ref.whole = [](void* h, batch const& b, [[maybe_unused]] Transaction* tx) {
      if constexpr (WithTransaction)
        (*static_cast<H*>(h))(b, *tx);
      else
        (*static_cast<H*>(h))(b);
    };
  }
  return ref;
}

/// Answers anything: only to find out which arity a generic handler has.
struct any_transaction {
  template <class... A>
  void execute(A const&...) {}
};

template <class F>
concept one_signature = std::is_function_v<std::remove_pointer_t<F>> || requires { &F::operator(); };

/// A handler that can't be given one: it says so of itself.
template <class F>
concept without_transaction = requires { typename F::has_no_transaction; };

enum class handler_fault {
  none,
  wants_batch,
  wants_transaction,
  returns,
  unclear,
  not_idempotent,
  has_no_transaction,
  state_alone,
  state_elsewhere
};

/// A handler made by an operator that keeps state.
template <class F>
concept keeps_state = requires { typename F::keeps_state; };

/// With what it is called with a batch, or through `each` with a record.
template <class H, class... Transaction>
consteval bool returns_nothing() {
  if constexpr (is_each<std::remove_cvref_t<H>>)
    return std::is_void_v<std::invoke_result_t<decltype(std::declval<H>().function()), record, Transaction...>>;
  else
    return std::is_void_v<std::invoke_result_t<H, batch const&, Transaction...>>;
}

/// A sentence only where it is certain: a named signature, or the other arity fits. Else the body of a generic handler has
/// failed to compile by itself, and the compiler's own error is the right one.
template <class H, class Delivery, class Transaction>
consteval handler_fault fault_of() {
  using F = std::remove_cvref_t<H>;
  if constexpr (keeps_state<F> && !std::is_same_v<Delivery, transactional>)
    return handler_fault::state_alone;
  else if constexpr (keeps_state<F> && !can_hold_state<Transaction>)
    return handler_fault::state_elsewhere;
  else if constexpr (std::is_same_v<Delivery, idempotent> && !idempotent_output<H>)
    return handler_fault::not_idempotent;
  else if constexpr (std::is_same_v<Delivery, transactional>) {
    if constexpr (without_transaction<F>)
      return handler_fault::has_no_transaction;
    else if constexpr (std::is_invocable_v<H, batch const&, Transaction&>)
      return returns_nothing<H, Transaction&>() ? handler_fault::none : handler_fault::returns;
    else if constexpr (one_signature<F>)
      return handler_fault::wants_transaction;
    else
      return std::is_invocable_v<H, batch const&> ? handler_fault::wants_transaction : handler_fault::unclear;
  } else {
    if constexpr (std::is_invocable_v<H, batch const&>)
      return returns_nothing<H>() ? handler_fault::none : handler_fault::returns;
    else if constexpr (one_signature<F>)
      return handler_fault::wants_batch;
    else
      return std::is_invocable_v<H, batch const&, any_transaction&> ? handler_fault::wants_batch
                                                                    : handler_fault::unclear;
  }
}

/// One of these speaks, or none; for each handler, or the second that is wrong would stay silent.
template <handler_fault F, class Handler>
consteval bool handler_fits() {
  static_assert(F != handler_fault::wants_batch,
                "sluice: this delivery's handler is void(batch const&); wrap a handler of one record in each(...); a "
                "transaction comes with transactional only");
  static_assert(F != handler_fault::wants_transaction,
                "sluice: a transactional handler is void(batch const&, transaction&) with the transaction of the "
                "consumer's own store");
  static_assert(F != handler_fault::returns,
                "sluice: a handler returns void, what it returned would be dropped; throw to say that it failed");
  static_assert(
      F != handler_fault::unclear,
      "sluice: this handler can't be called with what its delivery gives it: a batch const&, inside each(...) a "
      "record, and behind it with transactional the store's transaction&; where an error above points into "
      "the handler, mend that one");
  static_assert(F != handler_fault::not_idempotent,
                "sluice: idempotent takes an output that repetition can't harm, such as sqlite_upsert, sqlite_insert "
                "or files_by_range; where your handler is one, write assume_idempotent(handler); inside all_of "
                "too");
  static_assert(F != handler_fault::has_no_transaction,
                "sluice: parallel calls its handler on several threads, and a transaction is one connection for one "
                "thread; with transactional leave parallel out, or use at_least_once");
  static_assert(F != handler_fault::state_alone,
                "sluice: state and windows are one with the offsets, so they need transactional; use it with "
                "sqlite_offsets, postgres_offsets, mysql_offsets, redis_offsets or checkpoint");
  static_assert(
      F != handler_fault::state_elsewhere,
      "sluice: this consumer's store can't hold state, or the header that lets it does not stand in front; use "
      "sqlite_offsets with <sluice/state/sqlite.hpp>, or postgres, mysql, redis, checkpoint likewise");
  return F == handler_fault::none;
}

}  // namespace detail
}}  // namespace sluice::v0
