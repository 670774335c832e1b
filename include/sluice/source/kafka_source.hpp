/// \file source/kafka_source.hpp  The Kafka source's decisions: assignments, expected offsets, what to drop, where to go on.
///
/// Plain code over the client concept, so that it runs against a scripted or simulated client too. It owns the positions
/// altogether: librdkafka is told where to start and is never asked where it stands.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/source/kafka_lane.hpp>
#include <sluice/source/kafka_start.hpp>
#include <sluice/source/position_check.hpp>

#include <algorithm>
#include <chrono>

namespace sluice { inline namespace v0 {

template <class Client>
class kafka_source final : detail::kafka_lanes<detail::late<detail::kafka_lane_state, Client>> {
  using base = detail::kafka_lanes<detail::late<detail::kafka_lane_state, Client>>;
  using lane_state = typename base::lane_state;
  using base::add, base::adopt, base::all_ended, base::check_again, base::due, base::erase, base::find, base::forget,
      base::later;
  using base::lanes_, base::states_;
  static constexpr std::size_t no_queue = lane_state::no_queue;

  kafka_plan plan_;
  Client client_;
  kafka_start<Client> start_{plan_, client_};
  std::size_t first_ = 0;        ///< which lane take() begins with: each has its turn
  bool assignment_due_ = false;  ///< the group waits for an assign()
  bool subscribed_ = false;
  bool hand_lanes_made_ = false;

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
      if (topic.starts_with('^'))
        client_.reach(by);
      else
        (void)client_.partition_count(topic, by);
    for (auto const& of : plan_.by_hand)
      if (auto const n = client_.partition_count(of.topic, by); of.partition < 0 || of.partition >= n)
        throw error(errc::unknown_topic,
                    to_string(of) + " does not exist: the topic has " + std::to_string(n) + " partitions");
  }

  void serve(source_owner& owner, time_point now) {
    start_once(now);
    hear(owner, now);
    if (client_.spent()) {
      auto const all = lanes_;
      leave(owner, all, true);
      client_.renew();
      hand_lanes_made_ = assignment_due_ = false;
      start_once(now);
    }
    mend(owner, now);
    claim_due(owner, now);
    check_due(owner, now);
    if (assignment_due_) {
      if (hear(owner, now)) return serve(owner, now);
      start_reading();
    }
    base::look_at_retention(owner, client_, now);
  }

  std::optional<std::int64_t> lag_of(std::size_t i) const {
    if (states_[i].queue == no_queue) return {};
    auto const log = client_.limits(states_[i].queue);
    auto const ahead = log.high.value() - lanes_[i].next.value();
    if (!log.known || ahead < 0) return {};  // cut off: who goes by the lag must ask, to be told
    return ahead;
  }

  void take(std::span<std::size_t const> quota, std::size_t max_records, std::size_t max_bytes, intake& in) {
    auto const n = lanes_.size();
    for (std::size_t k = 0; k < n && max_records > in.messages.size() && in.bytes < max_bytes; ++k) {
      auto const i = (first_ + k) % n;
      if (!lanes_[i].reading || quota[i] == 0 || states_[i].bound.reached) continue;
      take_lane(i, std::min(quota[i], max_records - in.messages.size()), max_bytes, in);
    }
    if (n != 0) first_ = (first_ + 1) % n;
  }

  void give_back(intake& in) { give_back(in.messages.all()); }
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

  bool finished() const { return plan_.until.what() != read_until::never && all_ended(); }

  std::optional<time_point> next_due() const {
    std::optional<time_point> next;
    for (auto const& s : states_)
      if (s.what != lane_state::reading || s.truncated || s.outside) next = next ? std::min(*next, s.due) : s.due;
    return next;
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

  /// Also just before an assign() of our own: librdkafka takes it for the answer to a revocation that we have not heard.
  bool hear(source_owner& owner, time_point now) {
    bool any = false;
    for (; auto event = client_.poll(); any = true) std::visit([&](auto const& e) { on(e, owner, now); }, *event);
    return any;
  }
  void on(client::assigned const& e, source_owner& owner, time_point now) {
    add(e.set, now);
    assignment_due_ = true;
    owner.rebalanced({rebalance_event::assigned, e.set});
    if (lanes_.empty())
      owner.troubled(errc::bad_configuration,
                     "nothing is assigned to this member: the group has more members than partitions");
    if (plan_.expected_partitions > 0 && lanes_.size() > static_cast<std::size_t>(plan_.expected_partitions))
      owner.troubled(errc::bad_configuration, detail::more_than_expected(lanes_.size(), plan_.expected_partitions));
  }

  void on(client::revoked const& e, source_owner& owner, time_point) {
    detail::late<std::vector<lane>, Client> going;
    detail::late<std::vector<topic_partition>, Client> given;
    for (auto const& of : e.set) {
      auto const i = find(of);
      if (i == lanes_.size()) continue;
      going.push_back(lanes_[i]);
      if (states_[i].given) given.push_back(of);
    }
    leave(owner, going, e.lost);
    if (client_.cooperative())
      client_.incremental_unassign(given);
    else
      client_.assign({}), assignment_due_ = false;
    owner.rebalanced({e.lost ? rebalance_event::lost : rebalance_event::revoked, e.set});
  }

  void on(client::out_of_range const& e, source_owner&, time_point now) {
    if (auto const i = find(e.of); i < lanes_.size() && lanes_[i].reading) mark_outside(i, now);
  }

  void on(client::trouble const& e, source_owner& owner, time_point) {
    if (e.fatal) throw error(e.code, e.text);
    tell(owner, e.code, e.text);
  }

  /// A right that is missing is not mended by trying again.
  static void tell(source_owner& owner, errc code, std::string const& text) {
    if (code == errc::access_denied) throw error(code, text);
    owner.troubled(code, text);
  }

  void on(client::poll_exceeded const& e, source_owner& owner, time_point) { owner.put_out(e.text); }

  /// `going` is no part of our own lanes, which go.
  void leave(source_owner& owner, std::vector<lane> const& going, bool lost) {
    if (!going.empty()) owner.giving_up(going, lost);
    for (auto const& gone : going) {
      auto const i = find(gone.of);
      if (states_[i].queue != no_queue) client_.close_queue(states_[i].queue);
      erase(i);
    }
  }

  // ---- claim, check, read

  void claim_due(source_owner& owner, time_point now) {
    auto const set = due([](lane_state const& s) { return s.what == lane_state::unclaimed; }, now);
    if (set.empty()) return;
    for (auto const& of : set) later(find(of), now);
    detail::late<std::vector<topic_partition>, Client> missing;
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
    check(owner, set, now, [&](std::size_t i, client::watermarks const& log) {
      return check_lost(lanes_[i].of, lanes_[i].next, cause, log, plan_.on_position_error);
    });
  }

  void check_due(source_owner& owner, time_point now) {
    auto const set = due([](lane_state const& s) { return s.what == lane_state::unchecked; }, now);
    check(owner, set, now, [&](std::size_t i, client::watermarks const& log) {
      return check_range({.of = lanes_[i].of, .next = lanes_[i].next, .log = lanes_[i].log}, log,
                         plan_.on_out_of_range);
    });
  }

  /// Against the logs' ends; where they are not known, later.
  template <class Decide>
  void check(source_owner& owner, std::vector<topic_partition> const& set, time_point now, Decide decide) {
    if (set.empty()) return;
    auto const logs = ends_of(owner, set);
    detail::late<std::vector<rewind>, Client> rewinds;
    detail::late<std::optional<error>, Client> wrong;
    for (std::size_t k = 0; k < set.size(); ++k) {
      auto const i = find(set[k]);
      if (!logs[k].known)
        later(i, now);
      else if (auto stop = settle(owner, i, decide(i, logs[k]), rewinds, now); stop && !wrong)
        wrong = std::move(stop);
    }
    record(owner, rewinds, now);
    if (wrong) throw error{*wrong};
  }

  std::vector<client::watermarks> ends_of(source_owner& owner, std::vector<topic_partition> const& set) {
    try {
      auto const by = owner.by();
      auto logs = client_.ends(set, by);
      base::bound(plan_.until, set, logs, client_, by);
      return logs;
    } catch (error const& e) {
      if (e.code() != errc::no_broker && e.code() != errc::login_failed) throw;
      owner.troubled(e.code(), e.what());
      return detail::late<std::vector<client::watermarks>, Client>(set.size());
    }
  }

  /// The error where policy says to stop: thrown once the others are settled.
  std::optional<error> settle(source_owner& owner, std::size_t i, position_decision const& d,
                              std::vector<rewind>& rewinds, time_point now) {
    if (auto const to = owner.sought(lanes_[i].of)) {
      rewinds.push_back({lanes_[i].of, *to, lanes_[i].mine, "seek"});
      return {};
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
        return stopped(d, lanes_[i].of);
    }
    return {};
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
    s.outside = s.truncated = s.bound.reached = false;
    s.attempts = 0;
    assignment_due_ = true;
  }

  /// Lanes that turned out wrong while they were read.
  void mend(source_owner& owner, time_point now) {
    detail::late<std::vector<topic_partition>, Client> truncated;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      auto& s = states_[i];
      if (!s.trouble.empty()) tell(owner, s.trouble_code, std::exchange(s.trouble, {}));
      if (std::exchange(s.gone, false)) owner.found(detail::last_is_gone(lanes_[i]));
      // A log may end within a batch in hand, and that, dropped for a rewind to there, would lose what stands before.
      if (!(s.truncated || s.outside) || s.due > now || owner.in_hand(lanes_[i].of)) continue;
      if (s.truncated)
        truncated.push_back(lanes_[i].of);
      else if (check_again(i, now))
        owner.troubled(errc::out_of_range, detail::refused_again(lanes_[i].of, s.begin_at));
    }
    if (!truncated.empty()) go_on_elsewhere(owner, truncated, position_event::truncated, now);
  }

  /// Tells the client what to fetch. An eager protocol takes all at once, and what was fetched is fetched again: from
  /// the expected offsets, so nothing is skipped or doubled.
  void start_reading() {
    assignment_due_ = false;
    detail::late<std::vector<position>, Client> from;
    detail::late<std::vector<topic_partition>, Client> again;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      auto& s = states_[i];
      if (s.what != lane_state::reading) continue;
      bool const running = lanes_[i].reading;
      if (running && client_.cooperative()) continue;
      if (s.queue == no_queue) s.queue = client_.open_queue(lanes_[i].of);
      if (s.given) again.push_back(lanes_[i].of);
      from.push_back({lanes_[i].of, running && !s.compare ? lanes_[i].next : s.begin_at});
      lanes_[i].reading = true;
    }
    if (!client_.cooperative()) return client_.assign(from);
    if (!again.empty()) client_.incremental_unassign(again);
    client_.incremental_assign(from);
    for (std::size_t i = 0; i < lanes_.size(); ++i) states_[i].given = states_[i].given || lanes_[i].reading;
  }

  // ---- records

  void take_lane(std::size_t i, std::size_t quota, std::size_t max_bytes, intake& in) {
    auto& l = lanes_[i];
    auto& s = states_[i];
    auto const begin = in.messages.size();
    auto const from = l.next;
    while (quota != 0 && in.bytes < max_bytes) {
      auto const want = std::min(quota, chunk);
      auto const room = in.messages.room_for(want);
      auto const got = client_.take(s.queue, room);
      auto const before = l.next;
      auto const expected = detail::keep_expected(l, s, room.first(got.count), client_, in.bytes);
      auto const kept = detail::keep_bounded(l, s.bound, before, room.first(expected), got.end, client_, in.bytes);
      in.messages.keep(kept);
      quota -= kept;
      if (!got.trouble.empty()) {
        s.trouble = to_string(l.of) + ": " + got.trouble;
        s.trouble_code = got.code;
      }
      if (got.out_of_range) mark_outside(i, time_point{});
      if (s.truncated || got.out_of_range || got.count < want || s.bound.reached) break;
    }
    auto const count = in.messages.size() - begin;
    if (count == 0) return;
    s.refusals = 0;
    l.log.last = detail::fingerprint_of(in.messages.back(), *client_.access());
    in.parts.push_back({.range = {l.of, from, l.next, l.log.incarnation}, .access = client_.access()});
    in.lanes.push_back(i);
    in.counts.push_back(count);
  }

  void mark_outside(std::size_t i, time_point now) {
    states_[i].outside = true;
    states_[i].due = now;
    lanes_[i].reading = false;
  }
};

}}  // namespace sluice::v0
