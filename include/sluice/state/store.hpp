/// \file state/store.hpp  What a store's transaction must do to hold state: read, write, ask what is due, in bulk.
///
/// A state is a table of rows: (state's name, topic, partition, key) has a value, and may have a due time. Rows of one
/// partition change only in transactions that advance that partition under its fence, so they and the offset are one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace sluice { inline namespace v0 {

struct topic_partition;

namespace detail {

inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
/// What every store takes as a key: MariaDB's indexes hold no more.
inline constexpr std::size_t longest_state_key = 700;

/// One row, borrowed for a call.
struct state_row {
  topic_partition const* of = nullptr;
  std::string_view key{};
  std::string_view value{};
  std::int64_t due = never;  ///< ms since 1970
  bool there = true;         ///< in a write: false removes the row
};

/// Specialised for each transaction that can hold state, in state/STORE.hpp. An object lives for one call of a state's;
/// `name` has been checked (is_sql_name).
///
///     state_store(Transaction&, std::string_view name);  // sees to it that there are tables; may throw store_conflict
///     void read(std::span<state_row const> keys, found);  // found(index, value, due) for those that are there
///     void write(std::span<state_row const>);             // puts or removes each; no key comes twice
///     void due(topic_partition const&, ms until, most, found);  // found(key, value, due), by due and key
///     void all(topic_partition const&, found);            // found(key, value, due), in any order
///     std::int32_t partitions(std::string const& topic);  // of the topic, as the store knows it; 0: it doesn't
///
/// Where a commit takes only so much: `most_leaving`, how many rows that nobody's records are about, those that are due or
/// leave a window, may be changed in it. The others wait for the next ones.
///
/// What was written in this transaction is seen by its later reads. read and write are one round trip each where the store
/// can, whatever the number of partitions. Views that found() gets die with its call.
template <class Transaction>
class state_store {
 public:
  using is_missing = void;
};

template <class Transaction>
concept can_hold_state = !requires { typename state_store<Transaction>::is_missing; };

template <class Transaction>
constexpr std::size_t most_leaving() {
  if constexpr (requires { state_store<Transaction>::most_leaving; })
    return state_store<Transaction>::most_leaving;
  else
    return std::numeric_limits<std::size_t>::max();
}

}  // namespace detail
}}  // namespace sluice::v0
