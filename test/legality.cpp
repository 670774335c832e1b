#include <sluice/legality.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {

/// A store of somebody else's: it says of itself what the rules ask, and nothing else is known of it.
struct forgetful {
  using slot = sl::offset_store_slot;
  static constexpr bool may_lose_offsets = true;
};
struct says_no {
  using slot = sl::offset_store_slot;
  static constexpr bool may_lose_offsets = false;
  static constexpr bool stores_after_handling = false;
};
template <class... Ps>
using broken = sl::rules::first_broken<Ps...>;
namespace r = sl::rules;

}  // namespace

TEST_CASE("the first broken rule speaks, shape before meaning") {
  static_assert(std::same_as<broken<>, r::one_delivery>);
  static_assert(std::same_as<broken<int>, r::only_policies>);
  static_assert(std::same_as<broken<sl::at_least_once>, r::one_offset_store>);
  static_assert(std::same_as<broken<sl::at_least_once, sl::at_least_once, forgetful>, r::one_delivery>);
  static_assert(std::same_as<broken<sl::at_least_once, forgetful, says_no>, r::one_offset_store>);
  static_assert(std::same_as<broken<sl::at_least_once, forgetful, sl::unlimited, sl::unlimited>, r::one_rate_limit>);
  static_assert(std::same_as<broken<sl::at_most_once, sl::at_most_once, forgetful, int>, r::only_policies>);
}

TEST_CASE("policies of users are judged by what they say of themselves") {
  static_assert(std::same_as<broken<sl::at_most_once, forgetful>, r::lossy_store>);
  static_assert(sl::legal<sl::at_least_once, forgetful>);
  static_assert(sl::legal<sl::at_most_once, says_no>);
  static_assert(std::same_as<broken<sl::transactional, says_no>, r::commits_together>);
  static_assert(std::same_as<broken<sl::at_least_once, says_no, sl::skip>, r::skips_are_recorded>);
  static_assert(sl::legal<sl::at_most_once, says_no, sl::skip>);
}

TEST_CASE("defaults, and any order") {
  using s = sl::slots_of<says_no, sl::at_most_once>;
  static_assert(std::same_as<s, sl::slots_of<sl::at_most_once, says_no>>);
  static_assert(std::same_as<s::rate, sl::unlimited> && std::same_as<s::on_failure, sl::stop> &&
                std::same_as<s::source, sl::kafka> && std::same_as<s::clock, sl::system_clock> &&
                std::same_as<s::observer, sl::no_observer> && std::same_as<s::batching, sl::micro_batch>);
}
