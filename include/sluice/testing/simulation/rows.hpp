/// \file testing/simulation/rows.hpp  Rows of state, and texts, that a simulated transaction writes beside its offsets.
#pragma once
#include <sluice/testing/simulation/memory.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sluice { inline namespace v0 { namespace testing {

/// One row of a state. Of partition -1: what belongs to the topic.
template <class Text>
struct basic_state_row {
  Text state{};
  std::int32_t partition = -1;
  Text key{}, value{};
  std::int64_t due = std::numeric_limits<std::int64_t>::max();  ///< ms since 1970
  bool there = true;                                            ///< false, in what is written: it is removed

  std::tuple<std::string_view, std::int32_t, std::string_view> place() const { return {state, partition, key}; }
};
/// What a transaction has written for a partition, to be there once it is committed.
template <class Text>
struct basic_output {
  std::int32_t partition = -1;
  Text text{};
};

namespace simulated {

using state_row = basic_state_row<text>;
using output = basic_output<text>;

/// Rows in the order of their places.
template <class Rows>
auto place_in(Rows& rows, std::string_view state, std::int32_t partition, std::string_view key) {
  return std::lower_bound(rows.begin(), rows.end(), std::tuple{state, partition, key},
                          [](auto const& row, auto const& place) { return row.place() < place; });
}
template <class Rows>
auto* find_in(Rows& rows, std::string_view state, std::int32_t partition, std::string_view key) {
  auto const at = place_in(rows, state, partition, key);
  return at != rows.end() && at->place() == std::tuple{state, partition, key} ? &*at : nullptr;
}
/// `keep_removed`: a row that is not there takes a place, too, over one that is.
template <class Rows, class Row>
void put_in(Rows& rows, Row const& row, bool keep_removed) {
  using own = typename Rows::value_type;
  auto const at = place_in(rows, row.state, row.partition, row.key);
  bool const known = at != rows.end() && at->place() == row.place();
  if (!row.there && !keep_removed) {
    if (known) rows.erase(at);
    return;
  }
  own copy;
  copy.state.assign(row.state.data(), row.state.size());
  copy.partition = row.partition;
  copy.key.assign(row.key.data(), row.key.size());
  copy.value.assign(row.value.data(), row.value.size());
  copy.due = row.due;
  copy.there = row.there;
  if (known)
    *at = std::move(copy);
  else
    rows.insert(at, std::move(copy));
}

}  // namespace simulated
}}}  // namespace sluice::v0::testing
