/// \file rate_limit/unlimited.hpp  No limit: a batch takes what has arrived, up to micro_batch's bounds. The default.
#pragma once
#include <sluice/rate_limit/concept.hpp>

#include <algorithm>

namespace sluice { inline namespace v0 {

struct unlimited {
  using slot = rate_limit_slot;

  struct runtime {
    void allow(time_point, std::span<load const>, std::span<std::size_t> quota) {
      std::fill(quota.begin(), quota.end(), no_limit);
    }
    void taken(time_point, std::span<load const>, std::span<std::size_t const>) {}
    void completed(batch_figures const&) {}
  };
  static runtime open(unlimited const&, context const&) { return {}; }
};

}}  // namespace sluice::v0
