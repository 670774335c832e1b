/// \file detail/slots.hpp  The two searches of the library, said with Boost.Hana: which policy fills a slot, which rule is broken.
#pragma once
#include <sluice/policy.hpp>

#include <boost/hana/bool.hpp>
#include <boost/hana/count_if.hpp>
#include <boost/hana/find_if.hpp>
#include <boost/hana/optional.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <type_traits>

namespace sluice { inline namespace v0 { namespace detail {
namespace hana = boost::hana;

template <class Slot>
inline constexpr auto fills = [](auto p) { return hana::bool_c<policy_for<typename decltype(p)::type, Slot>>; };

template <class Slot, class... Ps>
inline constexpr int count_in = int(decltype(hana::count_if(hana::tuple_t<Ps...>, fills<Slot>))::value);

template <class Slot, class Default, class... Ps>
struct pick
    : std::remove_cvref_t<decltype(hana::find_if(hana::tuple_t<Ps...>, fills<Slot>).value_or(hana::type_c<Default>))> {
};

struct no_rule_broken {};
template <class Slots>
inline constexpr auto is_broken = [](auto r) { return hana::bool_c<decltype(r)::type::template broken<Slots>>; };

template <class Slots, class... Rules>
struct first_broken
    : std::remove_cvref_t<
          decltype(hana::find_if(hana::tuple_t<Rules...>, is_broken<Slots>).value_or(hana::type_c<no_rule_broken>))> {};

}}}  // namespace sluice::v0::detail
