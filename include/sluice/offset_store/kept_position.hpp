/// \file offset_store/kept_position.hpp  A group's position as a store keeps it, for those who only look: monitors, tools.
///
/// Each store has a header `STORE_read.hpp` with one function of this form:
///
///     std::vector<kept_position> read_positions(POLICY const&, context const&, time_point by);
///
/// It reads all positions of `context.group`, sorted; it claims nothing and stores nothing, so no consumer notices. POLICY is
/// what a consumer would be given; of the context `group` counts, and for Kafka `brokers` and `properties`. A store that nobody
/// has made yet keeps no positions. Throws error(bad_configuration), and store_error where what is there can't be read.
///
///     for (auto const& p : sl::read_positions(sl::sqlite_offsets{"billing.db"}, {.group = "billing"}, in_5_seconds))
///       std::cout << to_string(p.of) << ' ' << p.next.value() << '\n';
#pragma once
#include <sluice/offset_store/concept.hpp>

#include <algorithm>

namespace sluice { inline namespace v0 {

struct kept_position {
  topic_partition of{};
  offset next{};
  log_state log{};    ///< incarnation 0: the store doesn't know it
  bool held = false;  ///< claimed, and not given back: its owner lives, or was killed. Kafka: see group_members()
  std::string
      store_id{};  ///< the local store that it is kept in, or is a copy of; empty: a store that every host reaches
  friend bool operator==(kept_position const&, kept_position const&) = default;
};

namespace detail {

template <class Positions>
Positions in_order(Positions all) {
  std::sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.of < b.of; });
  return all;
}

}  // namespace detail
}}  // namespace sluice::v0
