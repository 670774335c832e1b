/// \file many.hpp  A record that counts for several keys.
#pragma once
#include <sluice/record.hpp>

#include <concepts>
#include <functional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

/// What a `key_of(record)` gives where a record has several keys, or none: it counts once for each element of the range, as
/// often as that is there. Elements are keys, or ranges of characters, as std::views::split makes them.
///
///     auto const words = [](sl::record line) { return sl::many{line.text() | std::views::split(' ')}; };
template <std::ranges::input_range Keys>
struct many {
  Keys keys;
};
template <class Keys>
many(Keys) -> many<Keys>;

namespace detail {

template <class T>
inline constexpr bool is_many = false;
template <class Keys>
inline constexpr bool is_many<many<Keys>> = true;

template <class E>
concept characters = std::ranges::contiguous_range<E> && std::same_as<std::ranges::range_value_t<E>, char>;

/// A piece of text that is no string, as one.
template <class E>
decltype(auto) as_key(E&& element) {
  if constexpr (characters<E> && !std::is_convertible_v<E, std::string_view>)
    return std::string_view{std::ranges::data(element), std::ranges::size(element)};
  else
    return std::forward<E>(element);
}

/// Calls `take(key)` for each key that the element has.
template <class KeyOf, class Element, class Take>
void each_key(KeyOf& key_of, Element const& of, Take&& take) {
  using result = std::remove_cvref_t<std::invoke_result_t<KeyOf&, Element const&>>;
  if constexpr (is_many<result>) {
    auto all = std::invoke(key_of, of);
    for (auto&& key : all.keys) take(as_key(std::forward<decltype(key)>(key)));
  } else {
    take(std::invoke(key_of, of));
  }
}

/// A view that brings its text along: what looks at a piece of it is good for as long as the view.
template <class Keys>
concept owns_its_text = requires(Keys&& k) {
  { std::move(k).base() } -> std::ranges::range;
  requires !std::ranges::borrowed_range<decltype(std::move(k).base())>;
};

template <class Result>
struct key_of_result {
  using type = Result;
};
template <class Keys>
struct key_of_result<many<Keys>> {
  using element = std::ranges::range_reference_t<Keys>;
  using given = std::remove_cvref_t<decltype(as_key(std::declval<element>()))>;
  static constexpr bool dies = owns_its_text<Keys> && characters<std::remove_cvref_t<element>> &&
                               !std::is_convertible_v<element, std::string_view>;
  using type = std::conditional_t<dies, std::string, given>;
};
/// Of one key that `KeyOf` gives.
template <class KeyOf, class Element = record>
using key_given = typename key_of_result<std::remove_cvref_t<std::invoke_result_t<KeyOf&, Element const&>>>::type;

}  // namespace detail
}}  // namespace sluice::v0
