// A group's committed offsets in memory, shared by several members, each of which answers as its script says.
#pragma once
#include <sluice/source/concept.hpp>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace scripted {
namespace sl = sluice;

struct log_of_commits {
  std::map<sl::topic_partition, std::pair<sl::offset, std::string>> at{};
};

class positions : public sl::group_positions {
 public:
  explicit positions(log_of_commits& group) : group_(&group) {}

  std::deque<sl::outcome> next_outcomes{};  // of the stores that come next; then applied
  std::set<sl::topic_partition> refuses{};  // these partitions only
  std::set<sl::topic_partition> unreadable{};
  bool lands = true;  // whether an unknown store was applied
  int busy_for = 0;   // settled() says no so often
  std::string background_error{};
  std::string metadata = "member";

  int reads = 0, abandoned = 0, stores_after_abandon = 0;
  std::vector<std::vector<sl::group_position>> stores{}, background{};

  std::vector<sl::group_position> read(std::vector<sl::topic_partition> const& set, sl::time_point) override {
    ++reads;
    std::vector<sl::group_position> answers;
    for (auto const& of : set) {
      auto const at = group_->at.find(of);
      sl::group_position p{.of = of};
      if (unreadable.contains(of)) {
        p.failed = true;
      } else if (at != group_->at.end()) {
        p.there = true;
        p.next = at->second.first;
        p.note = at->second.second;
      }
      answers.push_back(p);
    }
    return answers;
  }

  std::vector<sl::outcome> store(std::vector<sl::group_position> const& set, sl::time_point) override {
    if (abandoned) ++stores_after_abandon;
    stores.push_back(set);
    auto outcome = sl::outcome::applied;
    if (!next_outcomes.empty()) {
      outcome = next_outcomes.front();
      next_outcomes.pop_front();
    }
    std::vector<sl::outcome> answers;
    for (auto const& p : set) {
      auto const one = refuses.contains(p.of) ? sl::outcome::refused : outcome;
      if (one == sl::outcome::applied || (one == sl::outcome::unknown && lands)) put(p);
      answers.push_back(one);
    }
    return answers;
  }

  void store_later(std::vector<sl::group_position> const& set) override {
    if (abandoned) ++stores_after_abandon;
    background.push_back(set);
    if (background_error.empty()) {
      for (auto const& p : set) put(p);
    }
  }
  bool settled(std::string& failed) override {
    if (busy_for > 0) return --busy_for, false;
    failed = background_error;
    return true;
  }
  void abandon() override { ++abandoned; }
  std::string group_metadata() override { return metadata; }

 private:
  log_of_commits* group_;
  void put(sl::group_position const& p) { group_->at[p.of] = {p.next, p.note}; }
};

/// Every topic has as many partitions as `partitions` says, partition p starts at 100 + p and its earliest is 5.
struct starts : sl::start_resolver {
  std::int32_t partitions = 4;
  int asked = 0;
  sl::topic_start start_of(std::string const& topic, sl::time_point) override {
    ++asked;
    sl::topic_start s{.topic = topic};
    for (std::int32_t p = 0; p < partitions; ++p) s.starts.push_back(sl::offset{100 + p});
    return s;
  }
  sl::offset earliest(sl::topic_partition const&, sl::time_point) override { return sl::offset{5}; }
};

inline std::vector<sl::topic_partition> of(std::string const& topic, std::vector<int> partitions) {
  std::vector<sl::topic_partition> set;
  for (int p : partitions) set.push_back({topic, p});
  return set;
}
inline sl::time_point soon() { return std::chrono::steady_clock::now() + std::chrono::seconds{2}; }

/// What `f` throws, or nothing.
template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (sl::error const& e) { return e.what(); }
  return {};
}

inline sl::move onward(sl::claimed const& c, std::int64_t by) {
  return {.of = c.of, .from = c.next, .until = sl::offset{c.next.value() + by}, .mine = c.mine, .log = c.log};
}

}  // namespace scripted
