/// \file offset_store/claim_answers.hpp  What stores answer to claims and rewinds where all partitions fare alike.
#pragma once
#include <sluice/offset_store/concept.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// An answer for each of `set`, in its order.
inline std::vector<claimed> all_alike(std::vector<topic_partition> const& set, claimed::what_t what = claimed::failed,
                                      std::string const& why = {}) {
  std::vector<claimed> answers(set.size());
  for (std::size_t i = 0; i < set.size(); ++i) {
    answers[i].of = set[i];
    answers[i].what = what;
    answers[i].why = why;
  }
  return answers;
}

/// Which partitions are rewound, in the order of the rewinds.
inline std::vector<topic_partition> partitions_of(std::vector<rewind> const& rewinds) {
  std::vector<topic_partition> set;
  set.reserve(rewinds.size());
  for (auto const& r : rewinds) set.push_back(r.of);
  return set;
}

inline std::string claimed_by_another(topic_partition const& of) {
  return to_string(of) + ": another owner has claimed it";
}

}}}  // namespace sluice::v0::detail
