/// \file source/kafka.hpp  The Kafka source's decisions: assignments, expected offsets, what to drop, where to go on.
///
/// Plain code over the client concept, so that it runs against a scripted or simulated client too. It owns the positions
/// altogether: librdkafka is told where to start and is never asked where it stands.
#pragma once
#include <sluice/detail/fingerprint.hpp>
#include <sluice/source/kafka_start.hpp>
#include <sluice/source/position_check.hpp>
#include <sluice/source/rdkafka_client.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <random>

namespace sluice { inline namespace v0 {

template <class Client>
class kafka_source final {
  struct lane_state {
    enum what_t { unclaimed, unchecked, reading } what = unclaimed;
    std::size_t queue = no_queue;
    time_point due{};  ///< when to claim or check again
    unsigned attempts = 0;
    offset begin_at{};       ///< where fetching begins: at the fingerprint's record, or at lane.next
    bool compare = false;    ///< lane.log.last is to be compared with what comes
    bool truncated = false;  ///< it was, and differs
    bool outside = false;    ///< the broker refused the offset
    bool gone = false;       ///< the fingerprint's record was not there to be compared: to be reported
    claimed::what_t claim = claimed::failed;
  };
  static constexpr std::size_t no_queue = std::numeric_limits<std::size_t>::max();

  kafka_plan plan_;
  Client client_;
  kafka_start<Client> start_{plan_, client_};
  std::vector<lane> lanes_{};
  std::vector<lane_state> states_{};
  std::uint64_t assignments_ = 0;
  std::size_t first_ = 0;        ///< which lane take() begins with: each has its turn
  bool assignment_due_ = false;  ///< the group waits for an assign()
  bool subscribed_ = false;
  bool hand_lanes_made_ = false;
  std::minstd_rand jitter_{std::random_device{}()};

 public:
  template <class... Args>
  explicit kafka_source(kafka_plan plan, Args&&... args)
      : plan_(std::move(plan)), client_(std::forward<Args>(args)...) {}
  kafka_source(kafka_source&&) = delete;

  Client& client() { return client_; }
  std::span<lane const> lanes() const { return lanes_; }
  group_positions& positions() { return client_.positions(); }

  void open(time_point by) {
    for (auto const& topic : plan_.topics)
      if (!topic.starts_with('^')) (void)client_.partition_count(topic, by);
    for (auto const& of : plan_.by_hand)
      if (auto const n = client_.partition_count(of.topic, by); of.partition < 0 || of.partition >= n)
        throw error(errc::unknown_topic,
                    to_string(of) + " does not exist: the topic has " + std::to_string(n) + " partitions");
  }

  void serve(source_owner& owner, time_point now) {
    start_once(now);
    while (auto event = client_.poll()) std::visit([&](auto const& e) { on(e, owner, now); }, *event);
    if (client_.spent()) {
      leave(owner, lanes_, true);
      client_.renew();
      hand_lanes_made_ = false;
      start_once(now);
    }
    mend(owner, now);
    claim_due(owner, now);
    check_due(owner, now);
    if (assignment_due_) start_reading();
  }

  std::optional<std::int64_t> lag_of(std::size_t i) const {
    if (states_[i].queue == no_queue) return {};
    auto const end = client_.end(states_[i].queue);
    if (end < 0) return {};
    return std::max<std::int64_t>(0, end - lanes_[i].next.value());
  }

  void take(std::span<std::size_t const> quota, std::size_t max_records, std::size_t max_bytes, intake& in) {
    auto const n = lanes_.size();
    for (std::size_t k = 0; k < n && max_records > in.messages.size() && in.bytes < max_bytes; ++k) {
      auto const i = (first_ + k) % n;
      if (!lanes_[i].reading || quota[i] == 0) continue;
      take_lane(i, std::min(quota[i], max_records - in.messages.size()), max_bytes, in);
    }
    if (n != 0) first_ = (first_ + 1) % n;
  }

  void give_back(intake& in) { give_back(std::span<detail::message const>{in.messages}); }
  void give_back(std::span<detail::message const> messages) { client_.release(messages); }

  void reclaim(topic_partition const& of, time_point at) {
    if (auto const i = find(of); i < lanes_.size()) forget(i, at);
  }

  void reposition(claimed const& c) {
    auto const i = find(c.of);
    if (i >= lanes_.size()) return;
    adopt(i, c);
    states_[i].what = lane_state::unchecked;
    states_[i].due = {};
  }

  std::optional<time_point> next_due() const {
    std::optional<time_point> due;
    for (auto const& s : states_)
      if (s.what != lane_state::reading || s.truncated || s.outside) due = due ? std::min(*due, s.due) : s.due;
    return due;
  }

  void wait(time_point until) { client_.wait(until); }
  void wake() { client_.wake(); }
  void wake_on(int fd) { client_.wake_on(fd); }

  bool close(std::chrono::milliseconds deadline) {
    lanes_.clear();
    states_.clear();
    return client_.close(std::chrono::steady_clock::now() + deadline);
  }

 private:
  static constexpr std::size_t chunk = 1024;

  std::size_t find(topic_partition const& of) const {
    return static_cast<std::size_t>(std::ranges::find(lanes_, of, &lane::of) - lanes_.begin());
  }

  void start_once(time_point now) {
    if (!plan_.topics.empty() && !subscribed_) {
      client_.subscribe(plan_.topics);
      subscribed_ = true;
    }
    if (!plan_.by_hand.empty() && !hand_lanes_made_) {
      add(plan_.by_hand, now);
      hand_lanes_made_ = true;
    }
  }

  // ---- the group's news

  void on(client::assigned const& e, source_owner& owner, time_point now) {
    add(e.set, now);
    assignment_due_ = true;
    owner.rebalanced({rebalance_event::assigned, e.set});
  }

  void on(client::revoked const& e, source_owner& owner, time_point) {
    std::vector<lane> going;
    for (auto const& of : e.set)
      if (auto const i = find(of); i < lanes_.size()) going.push_back(lanes_[i]);
    leave(owner, going, e.lost);
    if (client_.cooperative())
      client_.incremental_unassign(e.set);
    else
      client_.assign({});
    owner.rebalanced({e.lost ? rebalance_event::lost : rebalance_event::revoked, e.set});
  }

  void on(client::out_of_range const& e, source_owner&, time_point now) {
    if (auto const i = find(e.of); i < lanes_.size()) mark_outside(i, now);
  }

  void on(client::trouble const& e, source_owner& owner, time_point) {
    if (e.fatal) throw error(e.code, e.text);
    owner.troubled(e.code, e.text);
  }

  void on(client::poll_exceeded const& e, source_owner& owner, time_point) { owner.put_out(e.text); }

  void add(std::vector<topic_partition> const& set, time_point now) {
    for (auto const& of : set) {
      if (find(of) < lanes_.size()) continue;
      lanes_.push_back({.of = of, .assignment = ++assignments_});
      states_.push_back({.due = now});
    }
  }

  /// By value: `going` may be our own lanes.
  void leave(source_owner& owner, std::vector<lane> going, bool lost) {
    if (!going.empty()) owner.giving_up(going, lost);
    for (auto const& gone : going) {
      auto const i = find(gone.of);
      if (states_[i].queue != no_queue) client_.close_queue(states_[i].queue);
      lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(i));
      states_.erase(states_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // ---- claim, check, read

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
    states_[i].claim = c.what;
    states_[i].compare = states_[i].truncated = states_[i].outside = false;
  }

  void later(std::size_t i, time_point now) {
    auto& s = states_[i];
    auto const ceiling = std::min<unsigned>(100u << std::min(s.attempts, 6u), 5'000u);
    s.due = now + std::chrono::milliseconds{ceiling / 2 + jitter_() % (ceiling / 2)};
    ++s.attempts;
  }

  template <class Which>
  std::vector<topic_partition> due(Which which, time_point now) const {
    std::vector<topic_partition> set;
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (which(states_[i]) && states_[i].due <= now) set.push_back(lanes_[i].of);
    return set;
  }

  void claim_due(source_owner& owner, time_point now) {
    auto const set = due([](lane_state const& s) { return s.what == lane_state::unclaimed; }, now);
    if (set.empty()) return;
    for (auto const& of : set) later(find(of), now);
    std::vector<topic_partition> missing;
    for (auto const& c : owner.claim(set, start_)) {
      auto const i = find(c.of);
      switch (c.what) {
        case claimed::stored:
        case claimed::first:
        case claimed::added:
          adopt(i, c);
          states_[i].what = lane_state::unchecked;
          states_[i].attempts = 0;
          states_[i].due = now;
          break;
        case claimed::missing:
          adopt(i, c);
          missing.push_back(c.of);
          break;
        case claimed::foreign:
          throw error(errc::foreign_store, c.why);
        case claimed::busy:
        case claimed::failed:
          break;
      }
    }
    if (!missing.empty()) go_on_elsewhere(owner, missing, position_event::missing, now);
  }

  /// Missing or truncated: by the user's policy.
  void go_on_elsewhere(source_owner& owner, std::vector<topic_partition> const& set, position_event::cause_t cause,
                       time_point now) {
    auto const logs = client_.ends(set, now + plan_.timeout);
    std::vector<rewind> rewinds;
    for (std::size_t k = 0; k < set.size(); ++k) {
      auto const i = find(set[k]);
      if (!logs[k].known) {
        later(i, now);
        continue;
      }
      settle(owner, i, check_lost(set[k], lanes_[i].next, cause, logs[k], plan_.on_position_error), rewinds, now);
    }
    record(owner, rewinds, now);
  }

  void check_due(source_owner& owner, time_point now) {
    auto const set = due([](lane_state const& s) { return s.what == lane_state::unchecked; }, now);
    if (set.empty()) return;
    auto const logs = client_.ends(set, now + plan_.timeout);
    std::vector<rewind> rewinds;
    for (std::size_t k = 0; k < set.size(); ++k) {
      auto const i = find(set[k]);
      if (!logs[k].known) {
        later(i, now);
        continue;
      }
      claimed const c{.of = set[k], .next = lanes_[i].next, .log = lanes_[i].log};
      settle(owner, i, check_range(c, logs[k], plan_.on_out_of_range), rewinds, now);
    }
    record(owner, rewinds, now);
  }

  void settle(source_owner& owner, std::size_t i, position_decision const& d, std::vector<rewind>& rewinds,
              time_point now) {
    if (auto const to = owner.sought(lanes_[i].of)) {
      rewinds.push_back({lanes_[i].of, *to, lanes_[i].mine, "seek"});
      return;
    }
    if (d.event) owner.found(*d.event);
    switch (d.what) {
      case position_decision::read:
        read_from(i, d.at);
        break;
      case position_decision::rewind:
        rewinds.push_back({lanes_[i].of, d.at, lanes_[i].mine, d.cause});
        break;
      case position_decision::stop:
        forget(i, now);
        later(i, now);
        throw error(d.code, d.event->text + "; seek() to where it is to go on, or choose another " +
                                (d.code == errc::out_of_range ? "on_out_of_range" : "on_position_error"));
    }
  }

  void record(source_owner& owner, std::vector<rewind> const& rewinds, time_point now) {
    if (rewinds.empty()) return;
    for (auto const& c : owner.record(rewinds)) {
      auto const i = find(c.of);
      if (c.what != claimed::stored) {
        forget(i, now);
        later(i, now);
        continue;
      }
      adopt(i, c);
      read_from(i, c.next);
    }
  }

  void read_from(std::size_t i, offset at) {
    auto& s = states_[i];
    s.begin_at = at;
    s.compare = at < lanes_[i].next;
    s.what = lane_state::reading;
    s.outside = s.truncated = false;
    s.attempts = 0;
    assignment_due_ = true;
  }

  /// Lanes that turned out wrong while they were read.
  void mend(source_owner& owner, time_point now) {
    std::vector<topic_partition> truncated;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      auto& s = states_[i];
      if (std::exchange(s.gone, false))
        owner.found({lanes_[i].of, position_event::fingerprint_gone, lanes_[i].next, lanes_[i].next,
                     to_string(lanes_[i].of) +
                         ": the record consumed last was removed from the log; the position is taken as it is"});
      if (s.truncated && s.due <= now)
        truncated.push_back(lanes_[i].of);
      else if (s.outside && s.due <= now) {
        lanes_[i].log.last.reset();  // it can't be read any more: compare nothing
        s.outside = s.compare = false;
        s.what = lane_state::unchecked;
      }
    }
    if (!truncated.empty()) go_on_elsewhere(owner, truncated, position_event::truncated, now);
  }

  /// Tells the client what to fetch. An eager protocol takes all at once, and what was fetched is fetched again: from
  /// the expected offsets, so nothing is skipped or doubled.
  void start_reading() {
    assignment_due_ = false;
    std::vector<position> from;
    std::vector<topic_partition> again;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      auto& s = states_[i];
      if (s.what != lane_state::reading) continue;
      bool const running = lanes_[i].reading;
      if (running && client_.cooperative()) continue;
      if (s.queue == no_queue)
        s.queue = client_.open_queue(lanes_[i].of);
      else if (client_.cooperative())
        again.push_back(lanes_[i].of);
      from.push_back({lanes_[i].of, running && !s.compare ? lanes_[i].next : s.begin_at});
      lanes_[i].reading = true;
    }
    if (!client_.cooperative()) return client_.assign(from);
    if (!again.empty()) client_.incremental_unassign(again);
    client_.incremental_assign(from);
  }

  // ---- records

  void take_lane(std::size_t i, std::size_t quota, std::size_t max_bytes, intake& in) {
    auto& l = lanes_[i];
    auto& s = states_[i];
    auto const begin = in.messages.size();
    auto const from = l.next;
    while (quota != 0 && in.bytes < max_bytes) {
      auto const want = std::min(quota, chunk);
      auto const had = in.messages.size();
      in.messages.resize(had + want);
      auto const got = client_.take(s.queue, std::span{in.messages}.subspan(had, want));
      auto const kept = keep(i, std::span{in.messages}.subspan(had, got.count));
      in.messages.resize(had + kept);
      for (auto k = had; k < had + kept; ++k) in.bytes += in.messages[k].key_size + in.messages[k].value_size;
      quota -= kept;
      if (got.out_of_range) mark_outside(i, time_point{});
      if (s.truncated || got.out_of_range || got.count < want) break;
    }
    auto const count = in.messages.size() - begin;
    if (count == 0) return;
    l.log.last = detail::fingerprint_of(in.messages.back(), *client_.access());
    in.parts.push_back({.range = {l.of, from, l.next, l.log.incarnation}, .access = client_.access()});
    in.lanes.push_back(i);
    in.counts.push_back(count);
  }

  /// Moves the records that are expected to the front, releases the others, and says how many stay.
  std::size_t keep(std::size_t i, std::span<detail::message> fresh) {
    auto& l = lanes_[i];
    std::size_t drop = 0;
    while (drop < fresh.size() && (states_[i].compare || fresh[drop].at < l.next.value())) {
      if (!compare(i, fresh[drop])) break;
      ++drop;
    }
    if (states_[i].truncated) drop = fresh.size();
    std::size_t kept = 0;
    auto next = l.next.value();
    std::size_t stale = drop;
    for (auto k = drop; k < fresh.size(); ++k) {
      if (fresh[k].at < next) [[unlikely]] {
        std::swap(fresh[stale++], fresh[k]);
        continue;
      }
      next = fresh[k].at + 1;
    }
    kept = fresh.size() - stale;
    if (stale != 0) {
      if (stale != drop) std::ranges::sort(fresh.subspan(stale), {}, &detail::message::at);
      client_.release(fresh.first(stale));
      std::ranges::copy(fresh.subspan(stale), fresh.begin());
    }
    l.next = offset{next};
    return kept;
  }

  /// One record at or before the expected offset, or the first behind it. True: it is to be dropped.
  bool compare(std::size_t i, detail::message const& m) {
    auto& l = lanes_[i];
    auto& s = states_[i];
    bool const before = m.at < l.next.value();
    if (s.compare && l.log.last && m.at >= l.log.last->of.value()) {
      s.compare = false;
      s.gone = m.at != l.log.last->of.value();
      if (!s.gone && detail::fingerprint_of(m, *client_.access()) != *l.log.last) mark_truncated(i);
    }
    return before;
  }

  void mark_truncated(std::size_t i) {
    states_[i].truncated = true;
    states_[i].due = {};
    lanes_[i].reading = false;
  }

  void mark_outside(std::size_t i, time_point now) {
    states_[i].outside = true;
    states_[i].due = now;
    lanes_[i].reading = false;
  }
};

inline kafka::runtime kafka::open(kafka const& self, context const& c) {
  if (self.topics.empty() == self.pattern.empty())
    throw error(errc::bad_configuration,
                self.topics.empty()
                    ? "nothing to read: give kafka.topics = {\"...\"}, or kafka.pattern, a regular expression"
                    : "kafka.topics and kafka.pattern are both given; give one of them");
  auto plan = detail::plan_of(self);
  plan.topics = self.topics;
  for (auto const& topic : plan.topics)
    if (topic.empty() || topic.starts_with('^'))
      throw error(errc::bad_configuration,
                  "kafka.topics holds an empty name or a pattern; a pattern goes into kafka.pattern");
  if (!self.pattern.empty()) plan.topics.push_back((self.pattern.starts_with('^') ? "" : "^") + self.pattern);
  return runtime{std::move(plan), detail::settings_of(self, c, true)};
}

inline kafka_partitions::runtime kafka_partitions::open(kafka_partitions const& self, context const& c) {
  if (self.partitions.empty())
    throw error(errc::bad_configuration, "nothing to read: give kafka_partitions.partitions = {{\"topic\", 0}, ...}");
  auto plan = detail::plan_of(self);
  plan.by_hand = self.partitions;
  return runtime{std::move(plan), detail::settings_of(self, c, false)};
}

}}  // namespace sluice::v0
