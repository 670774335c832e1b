/// \file micro_batch.hpp  How a batch is cut: by time, by records, by bytes.
#pragma once
#include <sluice/policy.hpp>

#include <cstddef>

namespace sluice { inline namespace v0 {

/// `interval` 0: a batch is what has arrived, so an idle stream has the latency of one wake-up and a busy one makes
/// large batches by itself. Otherwise a batch ends at each multiple of the interval (of Unix time); one that takes
/// longer makes the next late, never two at once. A batch ends early at `max_records`, or soon after `max_bytes`
/// (keys and values; at most one fetch of one partition above it).
struct micro_batch {
  using slot = batching_slot;
  std::chrono::milliseconds interval{0};
  std::size_t max_records = 10'000;
  std::size_t max_bytes = 16 << 20;

  using runtime = micro_batch;
  static runtime open(micro_batch const& self, context const&) { return self; }
};

}}  // namespace sluice::v0
