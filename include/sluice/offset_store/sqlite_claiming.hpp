/// \file offset_store/sqlite_claiming.hpp  A claim: what must be asked of the source first, and what is stored then.
#pragma once
#include <sluice/offset_store/sqlite_positions.hpp>

#include <map>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::sqlite {

inline void fill(claimed& c, stored_position const& p, claimed::what_t what) {
  c.next = p.next;
  c.log = p.log;
  c.mine = p.mine;
  c.what = what;
}

/// Fills in `answers`, of which only `of` is set. Starts are asked for outside of the transaction, since brokers may be
/// slow; whether they are still needed is seen inside it, since another consumer may have been faster.
class claiming {
  positions& positions_;
  std::vector<claimed>& answers_;
  std::map<std::string, std::vector<offset>, std::less<>> starts_{};
  std::map<topic_partition, offset> earliest_{};

 public:
  claiming(positions& p, std::vector<claimed>& answers) : positions_(p), answers_(answers) {}

  /// Finds out what is not known: the starts of new topics, the earliest offsets of new partitions.
  void ask(start_resolver& resolve, time_point by) {
    for (auto const& c : answers_) {
      auto const& of = c.of;
      auto known = positions_.partitions(of.topic);
      if (!known) {
        if (!starts_.contains(of.topic)) starts_[of.topic] = resolve.start_of(of.topic, by).starts;
        known = static_cast<std::int32_t>(starts_[of.topic].size());
      }
      for (auto p = *known; p <= of.partition; ++p)
        if (topic_partition const beyond{of.topic, p}; !earliest_.contains(beyond))
          earliest_[beyond] = resolve.earliest(beyond, by);
    }
  }

  /// Inside a transaction. False: something that is needed was not asked for; roll back, and ask again.
  bool store() {
    std::map<std::string, std::int32_t, std::less<>> before;  // partitions known so far; -1: none, the first claim
    for (auto const& c : answers_)
      if (!before.contains(c.of.topic)) before[c.of.topic] = positions_.partitions(c.of.topic).value_or(-1);
    for (auto const& [topic, n] : before)
      if (!extend(topic, n)) return false;
    for (auto& c : answers_) take(c, before.find(c.of.topic)->second);
    return true;
  }

 private:
  /// Stores the starts of a topic that was unknown, and of all partitions up to the last one claimed.
  bool extend(std::string const& topic, std::int32_t before) {
    auto n = before;
    if (before < 0) {
      auto const starts = starts_.find(topic);
      if (starts == starts_.end()) return false;
      n = 0;
      for (auto const start : starts->second) positions_.create({topic, n++}, start);
    }
    auto needed = n;
    for (auto const& c : answers_)
      if (c.of.topic == topic) needed = std::max(needed, c.of.partition + 1);
    for (; n < needed; ++n) {
      auto const start = earliest_.find({topic, n});
      if (start == earliest_.end()) return false;
      positions_.create({topic, n}, start->second);
    }
    if (n != before) positions_.set_partitions(topic, n);
    return true;
  }

  void take(claimed& c, std::int32_t before) {
    auto found = positions_.find(c.of);
    if (!found) {
      positions_.create(c.of, std::nullopt);
      found = positions_.find(c.of);
    }
    if (!found) throw store_error(errc::store_damaged, to_string(c.of) + " can't be put into the table of positions");
    auto& p = *found;
    p.mine = positions_.claim(c.of, p);
    auto const starts = before < 0 ? static_cast<std::int32_t>(starts_.find(c.of.topic)->second.size()) : before;
    fill(c, p,
         p.missing                  ? claimed::missing
         : c.of.partition >= starts ? claimed::added
         : before < 0               ? claimed::first
                                    : claimed::stored);
  }
};

}}}  // namespace sluice::v0::detail::sqlite
