/// \file delivery/each.hpp  A batch handler made out of a handler of one record.
#pragma once
#include <sluice/batch.hpp>

#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

/// `each(f)`: calls `f(record)`, or `f(record, transaction&)`, for every record in order. Only with it is it known which
/// record failed: retry, skip and dead letters are then about that record alone.
template <class F>
class each {
  F f_;

 public:
  explicit each(F f) : f_(std::move(f)) {}

  F& function() { return f_; }
  void operator()(batch const& b)
    requires std::is_invocable_v<F&, record>
  {
    static_assert(std::is_void_v<std::invoke_result_t<F&, record>>,
                  "sluice: a handler returns void, what it returned would be dropped; throw to say that it failed");
    for (record r : b) f_(r);
  }
  template <class Transaction>
    requires std::is_invocable_v<F&, record, Transaction&>
  void operator()(batch const& b, Transaction& tx) {
    static_assert(std::is_void_v<std::invoke_result_t<F&, record, Transaction&>>,
                  "sluice: a handler returns void, what it returned would be dropped; throw to say that it failed");
    for (record r : b) f_(r, tx);
  }
};

namespace detail {
template <class H>
inline constexpr bool is_each = false;
template <class F>
inline constexpr bool is_each<each<F>> = true;
}  // namespace detail

}}  // namespace sluice::v0
