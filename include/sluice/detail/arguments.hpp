/// \file detail/arguments.hpp  Constructor arguments in any order, each to its slot; a sentence where one is wrong.
#pragma once
#include <sluice/detail/engine.hpp>
#include <sluice/detail/mute.hpp>

namespace sluice { inline namespace v0 { namespace detail {

template <class T, class... A>
inline constexpr int times_given = (0 + ... + int(std::same_as<T, A>));

/// The argument of type T, or a default one.
template <class T>
T pick_argument() {
  return T{};
}
template <class T, class First, class... Rest>
T pick_argument(First&& first, Rest&&... rest) {
  if constexpr (std::same_as<T, std::remove_cvref_t<First>>)
    return std::forward<First>(first);
  else
    return pick_argument<T>(std::forward<Rest>(rest)...);
}

template <class Slots, bool Legal>
struct arguments {
  using configuration = typename engine<Slots>::configuration;

  template <class T>
  static constexpr bool fills_a_slot =
      std::same_as<T, typename Slots::delivery> || std::same_as<T, typename Slots::source> ||
      std::same_as<T, typename Slots::store> || std::same_as<T, typename Slots::rate> ||
      std::same_as<T, typename Slots::batching> || std::same_as<T, typename Slots::on_failure> ||
      std::same_as<T, typename Slots::observer> || std::same_as<T, typename Slots::clock>;

  template <class T, class... A>
  static constexpr bool left_out = must_be_configured<T> && times_given<T, A...> == 0;

  template <class... A>
  static constexpr int first_fault() {
    if (!(fills_a_slot<A> && ...)) return 1;
    if (((times_given<A, A...> > 1) || ...)) return 2;
    if (left_out<typename Slots::source, A...>) return 3;
    if (left_out<typename Slots::store, A...>) return 4;
    if (left_out<typename Slots::rate, A...> || left_out<typename Slots::on_failure, A...> ||
        left_out<typename Slots::observer, A...>)
      return 5;
    return 0;
  }

  template <class... A>
  static configuration collect(A&&... a) {
    constexpr int fault = first_fault<std::remove_cvref_t<A>...>();
    static_assert(fault != 1,
                  "sluice: the constructor takes configuration objects only, each of one of this consumer's own "
                  "policies or of its source; name its type in stream_consumer<...> too");
    static_assert(fault != 2, "sluice: one policy is configured twice; give each configuration object once");
    static_assert(
        fault != 3,
        "sluice: the source has no configuration; pass sl::kafka{.brokers = ..., .group = ..., .topics = {...}}");
    static_assert(fault != 4,
                  "sluice: the offset store has no configuration; pass it to the constructor, as in "
                  "sl::sqlite_offsets{\"a.db\"}");
    static_assert(fault != 5,
                  "sluice: a rate limit, on_failure policy or observer of this consumer has no configuration; pass it "
                  "to the constructor");
    // Each takes its own argument and leaves the others alone.
    return {.source = pick_argument<typename Slots::source>(static_cast<A&&>(a)...),
            .store = pick_argument<typename Slots::store>(static_cast<A&&>(a)...),
            .rate = pick_argument<typename Slots::rate>(static_cast<A&&>(a)...),
            .batching = pick_argument<typename Slots::batching>(static_cast<A&&>(a)...),
            .on_failure = pick_argument<typename Slots::on_failure>(static_cast<A&&>(a)...),
            .observer = pick_argument<typename Slots::observer>(static_cast<A&&>(a)...),
            .clock = pick_argument<typename Slots::clock>(static_cast<A&&>(a)...)};
  }
};

template <class Slots>
struct arguments<Slots, false> {
  template <class... A>
  static mute::nothing collect(A&&...) {
    return {};
  }
};

}}}  // namespace sluice::v0::detail
