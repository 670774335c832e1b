/// \file detail/sql_values.hpp  What the SQL stores share of values: numbers as text, optional ones, rows as tuples.
#pragma once
#include <sluice/record.hpp>

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
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

/// A number as SQL takes it for a text: integers, floating point, offsets, times in ms since 1970.
template <class T>
concept sql_number =
    std::integral<T> || std::floating_point<T> || std::same_as<T, offset> || std::same_as<T, wall_time>;
template <sql_number T>
std::string number_text(T v) {
  if constexpr (std::floating_point<T>) {
    char text[64];
    return {text, std::to_chars(text, text + sizeof text, v).ptr};
  } else if constexpr (std::same_as<T, offset>) {
    return std::to_string(v.value());
  } else if constexpr (std::same_as<T, wall_time>) {
    return std::to_string(v.time_since_epoch().count());
  } else {
    return std::to_string(v);
  }
}

}}}  // namespace sluice::v0::detail
