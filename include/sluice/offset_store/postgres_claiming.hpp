/// \file offset_store/postgres_claiming.hpp  A claim in PostgreSQL: what must be asked of the source first, and what is stored then.
#pragma once
#include <sluice/offset_store/postgres_positions.hpp>

#include <map>

namespace sluice { inline namespace v0 { namespace detail::postgres {

inline void fill(claimed& c, stored_position const& p, claimed::what_t what) {
  c.next = offset{std::max<std::int64_t>(p.next, 0)};
  c.log = p.log;
  c.mine = p.mine;
  c.what = what;
}

/// Fills in `answers`, of which only `of` is set. Starts are asked for outside of the transaction, since brokers may be
/// slow; whether they are still needed is seen inside it, since another consumer may have been faster. Three round trips.
class claiming {
  connection& db_;
  positions& positions_;
  std::vector<claimed>& answers_;
  std::map<std::string, std::int32_t> needed_{};  // partitions of each topic, as far as they are claimed
  std::map<std::string, std::vector<offset>> starts_{};
  std::map<topic_partition, offset> earliest_{};

 public:
  claiming(connection& db, positions& p, std::vector<claimed>& answers) : db_(db), positions_(p), answers_(answers) {
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
    std::map<std::string, std::int32_t> known;
    auto const r = db_.must_one(positions_.known(topics()), "reading topics", by);
    for (int i = 0; i < r.rows(); ++i) known[std::string(r.text(i, 0))] = static_cast<std::int32_t>(r.number(i, 1));
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
    std::vector<request> begin{{"begin isolation level read committed"}};
    for (auto& r : positions_.lock_topics(topics())) begin.push_back(std::move(r));
    auto const found = db_.must(begin, "a claim", by);
    std::vector<std::pair<topic_partition, std::int64_t>> fresh;
    std::vector<std::pair<std::string, std::int32_t>> counts;
    std::map<std::string, std::int32_t> before;  // partitions known so far; 0: none, the first claim
    for (int i = 0; i < found[2].rows(); ++i) {
      auto const topic = std::string(found[2].text(i, 0));
      before[topic] = static_cast<std::int32_t>(found[2].number(i, 1));
      if (extend(topic, before[topic], fresh, counts)) continue;
      db_.rollback();
      return false;
    }
    for (auto const& c : answers_) fresh.emplace_back(c.of, gone);  // where it is absent still: it is missing
    auto const end = db_.must(
        std::vector<request>{
            positions_.create(fresh), positions_.set_partitions(counts), positions_.claim(answers_), {"commit"}},
        "a claim", by);
    positions::each(end[2], [&](std::size_t i, stored_position const& p) {
      auto& c = answers_[i];
      auto const n = before[c.of.topic];
      auto const starts = n == 0 ? static_cast<std::int32_t>(starts_[c.of.topic].size()) : n;
      fill(c, p,
           p.next == gone             ? claimed::missing
           : c.of.partition >= starts ? claimed::added
           : n == 0                   ? claimed::first
                                      : claimed::stored);
    });
    return true;
  }

  bool extend(std::string const& topic, std::int32_t n, std::vector<std::pair<topic_partition, std::int64_t>>& fresh,
              std::vector<std::pair<std::string, std::int32_t>>& counts) const {
    auto const before = n;
    if (n == 0) {
      auto const starts = starts_.find(topic);
      if (starts == starts_.end()) return false;
      for (auto const start : starts->second) fresh.emplace_back(topic_partition{topic, n++}, start.value());
    }
    for (; n < needed_.at(topic); ++n) {
      auto const start = earliest_.find({topic, n});
      if (start == earliest_.end()) return false;
      fresh.emplace_back(topic_partition{topic, n}, start->second.value());
    }
    if (n != before) counts.emplace_back(topic, n);
    return true;
  }
};

}}}  // namespace sluice::v0::detail::postgres
