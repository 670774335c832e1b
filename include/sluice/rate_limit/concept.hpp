/// \file rate_limit/concept.hpp  What a rate limit must do: say how many records of each partition a batch may take.
#pragma once
#include <sluice/offset.hpp>
#include <sluice/policy.hpp>

#include <cstddef>
#include <optional>
#include <span>

namespace sluice { inline namespace v0 {

/// A partition that is ours, as a rate limit sees it. `assignment` changes with each claim: with (of, assignment) a
/// limit may keep what it carries from batch to batch.
struct load {
  topic_partition const* of = nullptr;
  std::uint64_t assignment = 0;
  std::optional<std::int64_t> lag{};  ///< records behind the end; absent: not known
};

/// What became of a batch: what a controller learns from.
struct batch_figures {
  wall_time time{};  ///< batch::time()
  std::size_t records = 0;
  std::chrono::nanoseconds processing_delay{0};  ///< handle and advance
  std::chrono::nanoseconds scheduling_delay{0};  ///< how late it began
};

inline constexpr std::size_t no_limit = static_cast<std::size_t>(-1);

/// `allow` fills in, for each load, how many records of it the next batch may take; `taken` says how many it took
/// (same loads, same order), before the handler runs; `completed` how long it took.
/// A quota is for one interval, where batches have one: a batch that its bounds cut short is followed at once by another
/// from what is left of the quota, of which `taken` hears nothing more.
///
/// A policy may have `wanted_interval(policy)`, the length of batches where micro_batch gives none; `drops_records`, whose
/// runtime then has `keep(now, load, took)`: how many of the newest to keep; and a runtime `rate()`: records a second.
template <class R>
concept rate_limit = requires(R& r, time_point now, std::span<load const> loads, std::span<std::size_t> quota,
                              std::span<std::size_t const> took, batch_figures const& figures) {
  r.allow(now, loads, quota);
  r.taken(now, loads, took);
  r.completed(figures);
};

}}  // namespace sluice::v0
