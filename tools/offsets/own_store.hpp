/// \file own_store.hpp  A store of the library's: read without a claim; written by claim, recorded rewind and release.
#pragma once
#include <thread>

#include "store.hpp"

namespace offsets_tool {

/// One way for all of them, by what every store must do (offset_store/concept.hpp). The claim makes a new fence, so whoever
/// is alive is refused when it advances next.
template <sl::offset_store S>
receipt put(S& store, order const& what, sl::time_point by) {
  std::vector<sl::topic_partition> set;
  for (auto const& c : what.changes) set.push_back(c.of);
  if constexpr (S::fencing == sl::fencing::group)  // there only the owner of partition 0 makes a topic's first claim
    for (auto const& c : what.changes)
      if (sl::topic_partition const zero{c.of.topic, 0}; std::find(set.begin(), set.end(), zero) == set.end())
        set.push_back(zero);

  auto claims = store.claim(what.group, set, *what.starts, by);
  auto const unanswered = [](sl::claimed const& c) { return c.what == c.busy || c.what == c.failed; };
  while (std::any_of(claims.begin(), claims.end(), unanswered) && std::chrono::steady_clock::now() < by) {
    store.release(claims, by);
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    claims = store.claim(what.group, set, *what.starts, by);
  }
  try {
    for (std::size_t i = 0; i < what.changes.size(); ++i) {
      auto const& c = claims[i];
      auto const& wanted = what.changes[i];
      if (unanswered(c) || c.what == c.foreign) throw failure{to_string(c.of) + " can't be claimed: " + c.why};
      if (c.what == c.stored && wanted.before != c.next && !what.may_be_alive)
        throw refusal{to_string(c.of) + " was " +
                      (wanted.before ? std::to_string(wanted.before->value()) : "not there") + " a moment ago and is " +
                      std::to_string(c.next.value()) +
                      " now: a consumer of the group is alive. Stop it, or say --group-may-be-alive"};
    }
    receipt done{.why = std::vector<std::string>(what.changes.size()), .local_id = store.local_id()};
    std::vector<sl::rewind> rewinds;
    std::vector<std::size_t> of_rewind;
    for (std::size_t i = 0; i < what.changes.size(); ++i) {
      if (claims[i].what != sl::claimed::missing && claims[i].next == what.changes[i].after) continue;
      rewinds.push_back({claims[i].of, what.changes[i].after, claims[i].mine, what.cause});
      of_rewind.push_back(i);
    }
    auto const recorded = rewinds.empty() ? std::vector<sl::claimed>{} : store.record(rewinds, by);
    for (std::size_t i = 0; i < recorded.size(); ++i) {
      if (recorded[i].what == sl::claimed::stored)
        claims[of_rewind[i]] = recorded[i];
      else
        done.why[of_rewind[i]] = recorded[i].why.empty() ? "not stored" : recorded[i].why;
    }
    store.release(claims, by);
    return done;
  } catch (...) {
    store.release(claims, by);
    throw;
  }
}

/// What a policy, as a consumer would be given it, comes to.
template <class Policy>
class own_store : public store {
  std::string name_;
  Policy policy_;

 public:
  own_store(std::string name, Policy policy) : name_(std::move(name)), policy_(std::move(policy)) {}
  std::string name() const override { return name_; }
  std::vector<sl::kept_position> read(std::string const& group, sl::time_point by) override {
    return read_positions(policy_, sl::context{.group = group}, by);
  }
  receipt write(order const& what, sl::time_point by) override {
    typename Policy::runtime s{Policy::open(policy_, sl::context{.group = what.group})};
    return put(s, what, by);
  }
};

template <class Policy>
std::unique_ptr<store> make_own(store_words const& w, Policy policy) {
  return std::make_unique<own_store<Policy>>(w.kind + ":" + w.place, std::move(policy));
}

}  // namespace offsets_tool
