/// \file source/kafka_lane.hpp  One partition being read: where it stands, and which of the records that come are expected.
#pragma once
#include <sluice/detail/fingerprint.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/source/client.hpp>
#include <sluice/source/kafka_retention.hpp>
#include <sluice/source/read_until.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <random>
#include <utility>

namespace sluice { inline namespace v0 { namespace detail {

/// Where reading a partition ends, once that is known.
struct kafka_bound {
  std::optional<offset> until{};
  bool reached = false;  ///< all before it has been given, however far the last record stands before it
};

struct kafka_lane_state {
  static constexpr std::size_t no_queue = std::numeric_limits<std::size_t>::max();

  enum what_t { unclaimed, unchecked, reading } what = unclaimed;
  std::size_t queue = no_queue;
  bool given = false;  ///< with a cooperative protocol: the client has it assigned
  time_point due{};    ///< when to claim or check again
  unsigned attempts = 0;
  unsigned refusals = 0;   ///< as out of range, since a record came or a position was adopted
  offset begin_at{};       ///< where fetching begins: at the fingerprint's record, or at lane.next
  bool compare = false;    ///< lane.log.last is to be compared with what comes
  bool truncated = false;  ///< it was, and differs
  bool outside = false;    ///< the broker refused the offset
  bool gone = false;       ///< the fingerprint's record was not there to be compared: to be reported
  std::string trouble{};   ///< what else its queue said: to be reported
  errc trouble_code = errc::client_failed;
  kafka_bound bound{};
  retention_sight sight{};
};

/// The lanes that are ours, each beside its state: two arrays, since the consumer sees the first.
template <class State>
class kafka_lanes {
 protected:
  using lane_state = State;

  late<std::vector<lane>, State> lanes_{};
  std::vector<lane_state> states_{};
  std::uint64_t assignments_ = 0;
  time_point look_due_{};
  late<std::minstd_rand, State> jitter_{std::random_device{}()};

  std::size_t find(topic_partition const& of) const {
    std::size_t i = 0;
    while (i < lanes_.size() && lanes_[i].of != of) ++i;
    return i;
  }

  void add(std::vector<topic_partition> const& set, time_point now) {
    for (auto const& of : set) {
      if (find(of) < lanes_.size()) continue;
      lanes_.push_back({.of = of, .assignment = ++assignments_});
      states_.push_back({.due = now});
    }
  }

  void erase(std::size_t i) {
    lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(i));
    states_.erase(states_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void forget(std::size_t i, time_point at) {
    lanes_[i].reading = false;
    lanes_[i].assignment = ++assignments_;
    auto& s = states_[i];
    s.what = lane_state::unclaimed;
    s.due = at;
    s.compare = s.truncated = s.outside = false;
  }

  void adopt(std::size_t i, claimed const& c) {
    lanes_[i].reading = false;
    lanes_[i].assignment = ++assignments_;
    lanes_[i].next = c.next;
    lanes_[i].mine = c.mine;
    lanes_[i].log = c.log;
    states_[i].compare = states_[i].truncated = states_[i].outside = false;
    states_[i].refusals = 0;
  }

  /// The offset was refused. What was consumed last stays to be compared: the log may have been truncated, and grown past
  /// the position since. True: refused once more, though the ends had it; it is checked later then.
  bool check_again(std::size_t i, time_point now) {
    auto& s = states_[i];
    s.outside = s.compare = false;
    s.what = lane_state::unchecked;
    if (s.refusals++ == 0) return false;
    s.attempts = s.refusals;
    later(i, now);
    return true;
  }

  void later(std::size_t i, time_point now) {
    auto& s = states_[i];
    auto const ceiling = std::min<unsigned>(100u << std::min(s.attempts, 6u), 5'000u);
    s.due = now + std::chrono::milliseconds{ceiling / 2 + jitter_() % (ceiling / 2)};
    ++s.attempts;
  }

  template <class Client>
  void look_at_retention(source_owner& owner, Client const& client, time_point now) {
    if (now < look_due_) return;
    look_due_ = now + retention_sight::apart;
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (lanes_[i].reading)
        if (auto const e = states_[i].sight.look(lanes_[i], client.limits(states_[i].queue), now)) owner.found(*e);
  }

  /// Finds each partition's end, once.
  template <class Client>
  void bound(read_until const& until, std::vector<topic_partition> const& set,
             std::vector<client::watermarks> const& logs, Client& client, time_point by) {
    if (until.what() == read_until::never) return;
    late<std::vector<topic_partition>, State> timed;
    for (std::size_t k = 0; k < set.size(); ++k) {
      auto& b = states_[find(set[k])].bound;
      if (b.until || !logs[k].known) continue;
      if (until.what() == read_until::at_time)
        timed.push_back(set[k]);
      else
        b.until = until.in(set[k], logs[k].high);
    }
    if (timed.empty()) return;
    auto const found = client.offsets_at(timed, until.time(), by);
    for (std::size_t k = 0; k < timed.size(); ++k) states_[find(timed[k])].bound.until = found[k];
  }

  /// Every lane has come to the end that it was given.
  bool all_ended() const {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      auto const& b = states_[i].bound;
      if (!lanes_[i].reading || !b.until || !(b.reached || lanes_[i].next >= *b.until)) return false;
    }
    return !lanes_.empty();
  }

  template <class Which>
  std::vector<topic_partition> due(Which which, time_point now) const {
    std::vector<topic_partition> set;
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (which(states_[i]) && states_[i].due <= now) set.push_back(lanes_[i].of);
    return set;
  }
};

inline position_event last_is_gone(lane const& l) {
  return {l.of, position_event::fingerprint_gone, l.next, l.next,
          to_string(l.of) + ": the record consumed last was removed from the log; the position is taken as it is"};
}

inline std::string refused_again(topic_partition const& of, offset at) {
  return to_string(of) + ": offset " + std::to_string(at.value()) +
         " is refused again, though the log is said to reach over it; it will be asked for again";
}

inline std::string more_than_expected(std::size_t partitions, int expected) {
  return std::to_string(partitions) + " partitions are assigned, more than .expected_partitions (" +
         std::to_string(expected) + "): fetched records may take more memory than .max_buffered";
}

/// One record at or before the expected offset, or the first behind it. True: it is to be dropped.
inline bool compare(lane& l, kafka_lane_state& s, message const& m, message_access const& access) {
  if (s.compare && l.log.last && m.at >= l.log.last->of.value()) {
    s.compare = false;
    s.gone = m.at != l.log.last->of.value();
    if (!s.gone && fingerprint_of(m, access) != *l.log.last) {
      s.truncated = true;
      s.due = {};
      l.reading = false;
    }
  }
  return m.at < l.next.value();
}

/// Moves the records that are expected to the front, releases the others, and says how many stay; `l.next` is behind
/// them then, and `bytes` has grown by their keys and values. After a truncation none is expected.
template <class Client>
std::size_t keep_expected(lane& l, kafka_lane_state& s, std::span<message> fresh, Client& client, std::size_t& bytes) {
  std::size_t drop = 0;
  while (drop < fresh.size() && (s.compare || fresh[drop].at < l.next.value()) &&
         compare(l, s, fresh[drop], *client.access()))
    ++drop;
  if (s.truncated) drop = fresh.size();
  auto next = l.next.value();
  auto stale = drop;
  std::size_t size = 0;
  for (auto k = drop; k < fresh.size(); ++k) {
    if (fresh[k].at < next) [[unlikely]] {
      std::swap(fresh[stale++], fresh[k]);
      continue;
    }
    next = fresh[k].at + 1;
    size += fresh[k].key_size + fresh[k].value_size;
  }
  l.next = offset{next};
  bytes += size;
  if (stale == 0) return fresh.size();
  if (stale != drop)
    std::sort(fresh.begin() + static_cast<std::ptrdiff_t>(stale), fresh.end(),
              [](auto const& a, auto const& b) { return a.at < b.at; });
  client.release(fresh.first(stale));
  std::copy(fresh.begin() + static_cast<std::ptrdiff_t>(stale), fresh.end(), fresh.begin());
  return fresh.size() - stale;
}

/// Of records that are expected those before the bound; the others are released, and `l.next`, which was `before`, does not
/// pass it. `end` is what taken::end was.
template <class Client>
std::size_t keep_bounded(lane& l, kafka_bound& b, offset before, std::span<message> fresh, std::int64_t end,
                         Client& client, std::size_t& bytes) {
  if (!b.until) return fresh.size();
  std::size_t keep = 0;
  while (keep < fresh.size() && fresh[keep].at < b.until->value()) ++keep;
  if (end >= b.until->value()) b.reached = true;
  if (keep == fresh.size()) return keep;
  for (auto const& m : fresh.subspan(keep)) bytes -= m.key_size + m.value_size;
  client.release(fresh.subspan(keep));
  l.next = keep == 0 ? before : *b.until;
  b.reached = true;
  return keep;
}

}}}  // namespace sluice::v0::detail
