/// \file offset_store/sql_claiming.hpp  A claim in an SQL database: what must be asked of the source first, and what is stored then.
#pragma once
#include <sluice/offset_store/concept.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// SQL's integers have a sign; fences and hashes keep their bits.
inline std::int64_t bits(std::uint64_t n) { return static_cast<std::int64_t>(n); }
inline std::uint64_t bits(std::int64_t n) { return static_cast<std::uint64_t>(n); }

inline constexpr std::int64_t no_next = -1;  // `next` of a position that was claimed while it was missing

/// A position as it is stored.
struct stored_position {
  std::int64_t next = no_next;
  fence mine{};
  log_state log{};
  bool owned = false;  ///< has a fence that someone may hold

  bool was_applied(move const& m) const { return owned && mine == m.mine && next == m.until.value(); }
  bool fits(move const& m) const { return owned && mine == m.mine && next == m.from.value(); }
};

inline void fill(claimed& c, stored_position const& p, claimed::what_t what) {
  c.next = offset{std::max<std::int64_t>(p.next, 0)};
  c.log = p.log;
  c.mine = p.mine;
  c.what = what;
}

/// What a claim makes: positions that were not there, and the numbers of partitions of topics that grew.
struct new_positions {
  std::vector<std::pair<topic_partition, std::int64_t>> starts{};
  std::vector<std::pair<std::string, std::int32_t>> counts{};
};

/// Fills in `answers`, of which only `of` is set. Starts are asked for outside of the transaction, since brokers may be
/// slow; whether they are still needed is seen inside it, since another consumer may have been faster.
///
/// `Db` has partitions(topics, by): a map of those that are known; lock(topics, by): the same inside a new transaction that
/// keeps other claims of them out, 0 for those that are new; finish(new_positions, answers, each, by): makes them where
/// they are absent, gives every claim a new fence, commits, and calls each(index, stored_position); and rollback().
template <class Db>
class claiming {
  using topic_counts = std::map<std::string, std::int32_t>;
  Db& db_;
  std::vector<claimed>& answers_;
  topic_counts needed_{};  // partitions of each topic, as far as they are claimed
  std::map<std::string, std::vector<offset>> starts_{};
  std::map<topic_partition, offset> earliest_{};

 public:
  claiming(Db& db, std::vector<claimed>& answers) : db_(db), answers_(answers) {
    for (auto const& c : answers) needed_[c.of.topic] = std::max(needed_[c.of.topic], c.of.partition + 1);
  }

  void run(start_resolver& resolve, time_point by) {
    do ask(resolve, by);
    while (!store(by));
  }

 private:
  std::vector<std::string> topics() const {
    std::vector<std::string> all;
    all.reserve(needed_.size());
    for (auto const& [topic, _] : needed_) all.push_back(topic);
    return all;
  }

  /// Finds out what is not known: the starts of new topics, the earliest offsets of new partitions.
  void ask(start_resolver& resolve, time_point by) {
    topic_counts known = db_.partitions(topics(), by);
    for (auto const& [topic, needed] : needed_) {
      auto n = known[topic];
      if (n == 0) {
        if (!starts_.contains(topic)) starts_[topic] = resolve.start_of(topic, by).starts;
        n = static_cast<std::int32_t>(starts_[topic].size());
      }
      for (; n < needed; ++n)
        if (topic_partition const beyond{topic, n}; !earliest_.contains(beyond))
          earliest_[beyond] = resolve.earliest(beyond, by);
    }
  }

  /// False: something that is needed was not asked for; nothing is stored, ask again.
  bool store(time_point by) {
    new_positions fresh;
    topic_counts const before = db_.lock(topics(), by);  // partitions known so far; 0: none, the first claim
    for (auto const& [topic, n] : before) {
      if (extend(topic, n, fresh)) continue;
      db_.rollback();
      return false;
    }
    for (auto const& c : answers_) fresh.starts.emplace_back(c.of, no_next);  // where it is absent still: it is missing
    auto const each = [&](std::size_t i, stored_position const& p) {
      auto& c = answers_[i];
      auto const n = before.at(c.of.topic);
      auto const starts = n == 0 ? static_cast<std::int32_t>(starts_[c.of.topic].size()) : n;
      fill(c, p,
           p.next == no_next          ? claimed::missing
           : c.of.partition >= starts ? claimed::added
           : n == 0                   ? claimed::first
                                      : claimed::stored);
    };
    db_.finish(fresh, answers_, each, by);
    return true;
  }

  bool extend(std::string const& topic, std::int32_t n, new_positions& fresh) const {
    auto const before = n;
    if (n == 0) {
      auto const starts = starts_.find(topic);
      if (starts == starts_.end()) return false;
      for (auto const start : starts->second) fresh.starts.emplace_back(topic_partition{topic, n++}, start.value());
    }
    for (; n < needed_.at(topic); ++n) {
      auto const start = earliest_.find({topic, n});
      if (start == earliest_.end()) return false;
      fresh.starts.emplace_back(topic_partition{topic, n}, start->second.value());
    }
    if (n != before) fresh.counts.emplace_back(topic, n);
    return true;
  }
};

}}}  // namespace sluice::v0::detail
