/// \file on_failure/dead_letter.hpp  Dead letters into a table of the offset store's own database.
#pragma once
#include <sluice/policy.hpp>

#include <string>

namespace sluice { inline namespace v0 {

/// A row for each record that could not be handled, in the transaction that advances over it. The table is created where
/// it is not there: topic, partition, offset, incarnation, timestamp, key, value, headers (JSON:
/// `[["name","base64"],…]`; null where there are none), error, attempts, first. `sluice-letters` puts them back.
/// With at_most_once it is written after the fact, with the next advance of its partition: best effort.
///
///     sl::stream_consumer consumer{sl::transactional{}, sl::sqlite_offsets{"/var/lib/app/app.db"},
///                                  sl::dead_letter_table{.table = "dead_orders"}, sl::kafka{…}};
///
/// For sqlite_offsets, postgres_offsets and mysql_offsets. With `each` one record is set aside, else the whole batch.
struct dead_letter_table {
  using slot = on_failure_slot;
  static constexpr bool into_table = true;
  std::string table = "sluice_dead_letters";
};

}}  // namespace sluice::v0
