/// \file detail/failure.hpp  What on_failure decides about a handler's exception, and where dead letters go.
#pragma once
#include <sluice/legality.hpp>
#include <sluice/on_failure/concept.hpp>

#include <algorithm>
#include <optional>

namespace sluice { inline namespace v0 { namespace detail {

enum class verdict { stop, again, aside };

/// The on_failure policy at run time. `InTransaction`: dead letters are part of the store's transaction.
template <class Policy, bool InTransaction>
class failure {
  using resort = typename last_resort<Policy>::type;
  static constexpr bool by_store = skips<resort> || into_table<resort> || InTransaction;
  static constexpr bool has_home = (into_file<resort> || into_topic<resort>) && !by_store;

  template <class P>
  struct home_of {
    using type = typename P::runtime;
  };
  struct nowhere {};
  using home = typename std::conditional_t<has_home, home_of<resort>, std::type_identity<nowhere>>::type;

  static_assert(by_store || has_home || std::is_same_v<resort, stop>, "what is set aside must go somewhere");

  Policy policy_;
  home home_;  // not [[no_unique_address]]: g++ 14 would want to move it there

  static resort const& last(Policy const& p) {
    if constexpr (calls_again<Policy>)
      return p.then;
    else
      return p;
  }
  static home open(Policy const& p, context const& c) {
    if constexpr (has_home)
      return resort::open(last(p), c);
    else
      return {};
  }

 public:
  static constexpr bool ends_in_stop = std::is_same_v<resort, stop>;
  static constexpr bool skipping = skips<resort>;
  static constexpr bool store_keeps = by_store && !ends_in_stop;
  static constexpr bool keeps_table = into_table<resort>;

  failure(Policy p, context const& c) : policy_(std::move(p)), home_(open(policy_, c)) {}

  verdict judge(unsigned failed_attempts) const {
    if constexpr (calls_again<Policy>)
      if (failed_attempts <= policy_.times) return verdict::again;
    return ends_in_stop ? verdict::stop : verdict::aside;
  }
  std::chrono::milliseconds wait_after(unsigned failed_attempts) const {
    if constexpr (calls_again<Policy>) {
      auto wait = std::max(policy_.backoff, std::chrono::milliseconds{0});
      for (unsigned i = 1; i < failed_attempts && wait < policy_.ceiling; ++i) wait *= 2;
      return std::min(wait, policy_.ceiling);
    } else
      return std::chrono::milliseconds{0};
  }

  /// The name under which the store keeps a letter: empty for its list of skipped records.
  std::string const& place() const {
    static std::string const none;
    if constexpr (into_table<resort>)
      return last(policy_).table;
    else if constexpr (into_file<resort>)
      return last(policy_).path;
    else if constexpr (into_topic<resort>)
      return last(policy_).topic;
    else
      return none;
  }

  void keep(dead_letter const& letter, time_point by) {
    if constexpr (has_home) home_.keep(letter, by);
  }
  void flush(time_point by) {
    if constexpr (has_home) home_.flush(by);
  }
};

}}}  // namespace sluice::v0::detail
