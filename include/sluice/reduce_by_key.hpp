/// \file reduce_by_key.hpp  One value for each key of a batch, in one pass, unsorted: for every delivery, without state.
#pragma once
#include <sluice/many.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 {

/// For each key of `records` (a batch, a part of it, or any range): its values, `value_of(record)`, combined from the left by
/// `combine(sum, value)`. `key_of(record)` gives a key, or `many` of them. Keys stand in the order in which they turn up. A key
/// or value that is a view is one of the record's bytes, and valid as long; pieces of a text that `many` brings along are
/// std::string.
///
///     for (auto const& [client, hits] : sl::reduce_by_key(batch, client_of, [](sl::record) { return 1; }, std::plus{})) …
template <class Records, class KeyOf, class ValueOf, class Combine>
auto reduce_by_key(Records const& records, KeyOf key_of, ValueOf value_of, Combine combine) {
  using element = decltype(*std::begin(records));
  using key = detail::key_given<KeyOf, std::remove_cvref_t<element>>;
  using value = std::decay_t<std::invoke_result_t<ValueOf&, element>>;
  std::vector<std::pair<key, value>> all;
  std::unordered_map<key, std::size_t> places;
  for (auto&& r : records) {
    detail::each_key(key_of, r, [&](auto&& given) {
      key k(std::forward<decltype(given)>(given));
      auto const [at, fresh] = places.try_emplace(k, all.size());
      if (fresh) {
        all.emplace_back(std::move(k), value(std::invoke(value_of, r)));
      } else {
        auto& sum = all[at->second].second;
        sum = std::invoke(combine, std::move(sum), std::invoke(value_of, r));
      }
    });
  }
  return all;
}

/// How often each key is there.
template <class Records, class KeyOf>
auto count_by_key(Records const& records, KeyOf key_of) {
  return reduce_by_key(records, std::move(key_of), [](auto const&) { return std::int64_t{1}; }, std::plus<>{});
}

}}  // namespace sluice::v0
