/// Whether a course kept its promise. Computed from the input, the log that the handlers wrote, and the final tables; the
/// library is not asked.
#pragma once
#include "protocol.hpp"
#include "trial.hpp"

namespace crash_course {

/// The input as it was written to the topic: input[partition][offset] is a line.
using input = std::vector<std::vector<std::string>>;

struct verdict {
  std::size_t handled = 0;         ///< different records that a handler was given
  std::size_t handled_again = 0;   ///< calls beyond the first of each
  std::int64_t lost = 0;           ///< records without their effect, or never handled
  std::int64_t doubled = 0;        ///< effects beyond one for each record
  std::array<double, 2> shares{};  ///< of all calls, each child's
  bool kept = false;               ///< what the type promises
  std::string why{};               ///< not
};

verdict judge(course const& c, setup const& s, input const& in, seen const& saw);

/// What was asked of the course itself and not reached (kills in each place, rebalances, work for both); empty: nothing.
std::string too_easy(seen const& saw, verdict const& v, int kills);

}  // namespace crash_course
