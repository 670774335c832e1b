/// \file output/all_of.hpp  Several outputs of one batch, as one handler.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/delivery/idempotent.hpp>
#include <sluice/state/in_use.hpp>

#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

namespace detail {

template <bool All>
struct idempotent_if {};
template <>
struct idempotent_if<true> {
  using idempotent_output = void;
};
template <bool Any>
struct keeps_state_if {};
template <>
struct keeps_state_if<true> {
  using keeps_state = void;
};

template <class Output>
constexpr bool wants_empty(Output const& output) {
  if constexpr (requires { static_cast<bool>(output.wants_empty_batches); })
    return static_cast<bool>(output.wants_empty_batches);
  else
    return false;
}

/// Throws where two states or windows among the outputs have one name.
template <class Output>
void add_states(states_in_use& known, Output const& output) {
  if constexpr (requires { output.for_each_state([](std::string_view, void const*) {}); })
    output.for_each_state([&](std::string_view name, void const* which) { known.add(name, which); });
}

}  // namespace detail

/// A handler that gives each batch to all of these, in their order:
///
///     sl::sqlite_upsert last{…};
///     consumer.run(stop, sl::all_of(last, sl::print{.most = 3}));
///
/// What is given as a variable is borrowed, and outlives it; what is given as a value is kept. For at_most_once and
/// at_least_once; for `idempotent` where all of them are; for `transactional` where all of them take the transaction. What one
/// throws ends the batch for those behind it; where the batch is handled again, it comes to the first ones again, too. One
/// advance follows the last of them. Where one wants empty batches (a window does) they come to all. A handler of records
/// (`each`) is one among them as for any batch, so a record that fails is not known by itself. Throws
/// error(bad_configuration) where two states or windows among them have one name.
template <class... Outputs>
class all_of : public detail::idempotent_if<(idempotent_output<Outputs> && ...)>,
               public detail::keeps_state_if<(requires {
  typename std::remove_cvref_t<Outputs>::keeps_state; } || ...)> {
  static_assert(sizeof...(Outputs) > 0, "sluice: all_of needs an output");
  std::tuple<Outputs...> outputs_;

  template <class... With>
  static constexpr bool takes = (std::is_void_v<std::invoke_result_t<Outputs&, batch const&, With...>> && ...);

 public:
  bool wants_empty_batches;

  template <class... Given>
    requires(sizeof...(Given) == sizeof...(Outputs)) && (std::is_constructible_v<Outputs, Given> && ...)
  explicit all_of(Given && ... outputs)
      : outputs_(std::forward<Given>(outputs)...),
        wants_empty_batches(
            std::apply([](auto const&... output) { return (detail::wants_empty(output) || ...); }, outputs_)) {
    detail::states_in_use known;
    std::apply([&](auto const&... output) { (detail::add_states(known, output), ...); }, outputs_);
  }

  template <class F>
  void for_each_state(F f) const {
    auto const of = [&](auto const& output) {
      if constexpr (requires { output.for_each_state(f); }) output.for_each_state(f);
    };
    std::apply([&](auto const&... output) { (of(output), ...); }, outputs_);
  }

  template <class Batch>
    requires std::is_same_v<Batch, batch> && (std::is_invocable_v<Outputs&, Batch const&> && ...)
  void operator()(Batch const& b) {
    static_assert(takes<>,
                  "sluice: a handler returns void, what it returned would be dropped; throw to say that it failed");
    std::apply([&](auto&... output) { (output(b), ...); }, outputs_);
  }
  template <class Batch, class Transaction>
    requires std::is_same_v<Batch, batch> && (std::is_invocable_v<Outputs&, Batch const&, Transaction&> && ...)
  void operator()(Batch const& b, Transaction& tx) {
    static_assert(takes<Transaction&>,
                  "sluice: a handler returns void, what it returned would be dropped; throw to say that it failed");
    std::apply([&](auto&... output) { (output(b, tx), ...); }, outputs_);
  }
};

template <class... Given>
all_of(Given&&...) -> all_of<Given...>;

}}  // namespace sluice::v0
