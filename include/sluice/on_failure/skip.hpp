/// \file on_failure/skip.hpp  A record that can't be handled is left out, and that it was is recorded.
#pragma once
#include <sluice/policy.hpp>

namespace sluice { inline namespace v0 {

/// What the handler throws takes its record out of the stream: the consumer goes on behind it. For records that nobody will miss,
/// since no more is kept of them than where they were.
///
///     sl::stream_consumer consumer{sl::at_least_once{}, sl::sqlite_offsets{"/var/lib/app/offsets.db"}, sl::skip{},
///                                  sl::kafka{…}};
///     consumer.run(stop, sl::each([](sl::record r) { take(parsed(r.text())); }));  // what can't be parsed is skipped
///
/// With `each` one record is left out; a handler of batches loses the whole batch, as it can't be told which record failed. With
/// at_most_once it is only counted. Otherwise a row in the store's own list (`<table>_skipped`; see the store), in the transaction
/// that advances over it: topic, partition, offset, error, attempts. The observer hears of each (on_dead_letter, `skipped`),
/// statistics().skipped counts them. Failures of the store (store_error) are never skipped: they are tried again, or thrown.
///
/// To try a few times first: retry<skip>{.times = 3}. To keep the records: dead_letter_table, dead_letter_topic, dead_letter_file.
struct skip {
  using slot = on_failure_slot;
  static constexpr bool skips = true;
};

}}  // namespace sluice::v0
