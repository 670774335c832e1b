/// \file on_failure/stop.hpp  A handler's exception leaves step() and run(). The default.
#pragma once
#include <sluice/policy.hpp>

namespace sluice { inline namespace v0 {

/// step() throws what the handler threw; the batch stays in hand, and the next step() offers it again (with
/// at_most_once it is not handled again: the next step() goes on behind it).
///
///     sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets> consumer{…};  // leaves it out: stop
///     try {
///       consumer.run(stop, handler);
///     } catch (std::exception const& e) { … }  // what the handler threw; another start begins with that batch
struct stop {
  using slot = on_failure_slot;
};

}}  // namespace sluice::v0
