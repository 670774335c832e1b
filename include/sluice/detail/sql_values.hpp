/// \file detail/sql_values.hpp  What the SQL stores share of values: how optional ones are told, and rows read as tuples.
#pragma once
#include <optional>
#include <tuple>
#include <utility>

namespace sluice { inline namespace v0 { namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// For a static_assert that fails in the branch that no type belongs into.
template <class>
inline constexpr bool dependent_false = false;

/// The first columns of a row, each as one of `T`.
template <class... T, class Row>
std::tuple<T...> row_as(Row const& row) {
  return [&row]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple<T...>{row.template get<T>(static_cast<int>(I))...};
  }(std::index_sequence_for<T...>{});
}

}}}  // namespace sluice::v0::detail
