/// \file detail/late.hpp  Types that a template's member has, and that cost nothing until the template is used.
#pragma once

namespace sluice { inline namespace v0 { namespace detail {

template <class T, class>
struct late_type {
  using type = T;
};

/// T itself, but unknown to the compiler until `Late` is: of a container it instantiates nothing where the template
/// around it is only read. Why runtimes are such templates: DESIGN.md, "What is not obvious".
template <class T, class Late>
using late = typename late_type<T, Late>::type;

}}}  // namespace sluice::v0::detail
