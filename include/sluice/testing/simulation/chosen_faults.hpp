/// \file testing/simulation/chosen_faults.hpp  What goes wrong at a call: as the seed has it, or as it was before.
#pragma once
#include <sluice/testing/simulation/schedule.hpp>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

class chosen_faults {
  chance ill_{};

 public:
  schedule plan{};
  list<decision> decisions{};
  std::array<std::uint32_t, faults> hit{};
  fault_set reached = 0;  ///< by calls at which they could have come
  std::array<std::uint32_t, meetings> met{};
  std::array<bool, meetings> could_meet{};

  /// That fault found nothing to harm, so it does not count.
  void missed(fault f) { --hit[static_cast<std::size_t>(f)]; }
  void hits(fault f) { ++hit[static_cast<std::size_t>(f)]; }
  /// `could`: it was possible; `did`: it happened.
  void meets(meeting m, bool could, bool did) {
    could_meet[static_cast<std::size_t>(m)] |= could;
    met[static_cast<std::size_t>(m)] += could && did;
  }

 protected:
  chosen_faults() = default;
  ~chosen_faults() = default;

  void plan_for(schedule const& s) {
    plan = s;
    ill_ = chance{s.seed ^ 0x5bf0363512a4c9d7u};
    decisions.clear();
    hit = {};
    reached = 0;
    met = {};
    could_meet = {};
    // Not all of them in each schedule: some are only dangerous where others don't get in between.
    for (std::size_t f = 1; f < faults; ++f)
      if (!has(disk_faults & ~s.faults, static_cast<fault>(f)) && ill_.one_in(4))
        plan.faults &= ~only(static_cast<fault>(f));
  }

  /// For the call number `at` of a process, -1: of the world. `faulting`: the time of faults is not over yet.
  decision decide(int who, std::uint32_t at, call c, bool faulting) {
    decision d{who, at, fault::none, 0};
    if (plan.replay) {
      for (auto const& given : plan.decisions)
        if (given.process == who && given.at == at && has(faults_of(c), given.what)) d = given;
    } else {
      if (!faulting || decisions.size() >= plan.most_faults) return d;
      auto const could = faults_of(c) & plan.faults;
      reached |= could;
      if (could == 0 || !(ill_.below(10'000) < plan.rate * weight_of(c))) return d;
      auto n = ill_.below(static_cast<std::uint32_t>(std::popcount(could)));
      auto set = could;
      while (n-- > 0) set &= set - 1;
      d.what = static_cast<fault>(std::countr_zero(set));
      d.amount = some_time(ill_);
    }
    if (d.what != fault::none) decisions.push_back(d);
    return d;
  }
};

}}}}  // namespace sluice::v0::testing::simulated
