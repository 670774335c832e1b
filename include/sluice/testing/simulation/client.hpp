/// \file testing/simulation/client.hpp  A Kafka client of a simulated cluster: what the library's Kafka source runs on in a simulation.
#pragma once
#include <sluice/source/kafka_source.hpp>
#include <sluice/testing/simulation/positions.hpp>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// Models client::kafka_client. Lives in a process, and dies with it.
class simulated_client {
  struct queue {
    int partition = -1;
    bool open = false, fetching = false, troubled = false;
    std::int64_t next = 0;
    std::vector<std::uint32_t> fetched{};
  };
  cluster& cluster_;
  bool by_hand_;
  int seat_;
  simulated_positions positions_{cluster_};
  std::vector<queue> queues_{};
  std::vector<int> given_{}, revoked_{};  // assigned one by one; told to be given up, and not answered
  int member_ = 0;
  bool wants_to_join_ = false, revoking_ = false, knows_lost_ = false, closed_ = false, out_ = false;
  std::int64_t lost_heard_at_ = -1;
  bool rung_ = false;

  world& here() const { return cluster_.world; }
  presence& mine() const { return cluster_.presence_of(seat_); }
  template <class Set>
  static std::vector<topic_partition> names(Set const& set) {
    std::vector<topic_partition> all;
    all.reserve(set.size());
    for (int const p : set) all.push_back({topic::name, p});
    return all;
  }

 public:
  /// `seat`: who it is among all clients; one alone in its process has the process's number.
  simulated_client(cluster& c, bool by_hand) : simulated_client(c, by_hand, c.world.current()) {}
  simulated_client(cluster& c, bool by_hand, int seat) : cluster_(c), by_hand_(by_hand), seat_(seat) {}
  simulated_client(simulated_client const&) = delete;
  simulated_client& operator=(simulated_client const&) = delete;

  // ---- the group

  std::optional<client::event> poll() {
    rung_ = false;
    auto const f = here().begins(call::poll, -1, member_);
    positions_.send_held();
    auto e = news();
    here().ends(f);
    return e;
  }
  void subscribe(std::vector<std::string> const&) { wants_to_join_ = true; }
  void assign(std::vector<position> const& from) {
    auto const f = here().begins(call::assign, from.empty() ? -1 : from.front().of.partition,
                                 from.empty() ? -1 : from.front().next.value(), static_cast<std::int64_t>(from.size()));
    for (auto& q : queues_) q.fetching = false, q.fetched.clear();
    fetch(from);
    if (from.empty() && std::exchange(revoking_, false)) {
      mine().owned.clear();
      cluster_.group.joined_again(member_);
      if (std::exchange(knows_lost_, false)) member_ = 0, wants_to_join_ = true;
    }
    here().ends(f);
  }
  void incremental_assign(std::vector<position> const& from) {
    auto const f = here().begins(call::assign, from.empty() ? -1 : from.front().of.partition,
                                 from.empty() ? -1 : from.front().next.value(), static_cast<std::int64_t>(from.size()));
    for (auto const& p : from)
      if (has(given_, p.of.partition)) refused(p.of, "is assigned already");
    for (auto const& p : from) given_.push_back(p.of.partition);
    fetch(from);
    here().ends(f);
  }
  /// librdkafka takes all of them or none, and the group waits for an answer that it takes.
  void incremental_unassign(std::vector<topic_partition> const& set) {
    auto const f = here().begins(call::assign, set.empty() ? -1 : set.front().partition, -1,
                                 static_cast<std::int64_t>(set.size()));
    for (auto const& of : set)
      if (!has(given_, of.partition)) refused(of, "can't be given up, since it is not assigned");
    for (auto const& of : set) {
      std::erase(given_, of.partition);
      for (auto& q : queues_)
        if (q.open && q.partition == of.partition) q.fetching = false, q.fetched.clear();
    }
    if (std::exchange(revoking_, false)) {
      for (int const p : revoked_) std::erase(mine().owned, p);
      cluster_.group.gave_up(member_);
      if (std::exchange(knows_lost_, false)) member_ = 0, wants_to_join_ = true;
    }
    here().ends(f);
  }
  bool cooperative() const { return cluster_.group.cooperative; }
  group_positions& positions() { return positions_; }

  // ---- records

  std::size_t open_queue(topic_partition const& of) {
    if (by_hand_) mine().owned.push_back(of.partition);
    std::size_t i = 0;
    while (i < queues_.size() && queues_[i].open) ++i;
    if (i == queues_.size()) queues_.emplace_back();
    queues_[i] = {};
    queues_[i].partition = of.partition;
    queues_[i].open = true;
    return i;
  }
  void close_queue(std::size_t handle) { queues_[handle] = {}; }

  client::taken take(std::size_t handle, std::span<detail::message> out) {
    auto& q = queues_[handle];
    auto const f = here().begins(call::take, q.partition, q.next, static_cast<std::int64_t>(q.fetched.size()));
    client::taken result;
    auto const& log = cluster_.topic.log(q.partition);
    if (f == fault::trouble) result.trouble = "a fetch failed";
    if (q.fetching && (q.next < log.low || q.next > log.high)) {
      result.out_of_range = true;
      q.fetching = false;  // with auto.offset.reset=error nothing is fetched until it is assigned anew
      cluster_.witness.told_outside(q.partition);
    } else if (q.fetched.empty())
      fill(q);
    if (f == fault::again && !fetch_again(q)) here().missed(f);
    while (result.count < out.size() && result.count < q.fetched.size()) {
      out[result.count] = message_of(cluster_.topic.record(q.fetched[result.count]));
      ++result.count;
    }
    for (std::size_t i = 0; i < result.count; ++i) cluster_.witness.took(q.fetched[i]);
    q.fetched.erase(q.fetched.begin(), q.fetched.begin() + static_cast<std::ptrdiff_t>(result.count));
    mine().out += static_cast<int>(result.count);
    here().ends(f);
    return result;
  }
  void release(std::span<detail::message const> back) { mine().out -= static_cast<int>(back.size()); }
  detail::message_access const* access() const {
    static constexpr detail::message_access how{
        [](void const* native) { return static_cast<produced_record const*>(native)->stamp_ms; }, nullptr};
    return &how;
  }
  client::watermarks limits(std::size_t handle) const {
    auto const& log = cluster_.topic.log(queues_[handle].partition);
    return {offset{log.low}, offset{log.high}, true};
  }

  // ---- the brokers

  void reach(time_point by) { (void)partition_count(topic::name, by); }
  std::int32_t partition_count(std::string const&, time_point) {
    auto const f = here().begins(call::count);
    must_be_reachable(f);
    here().ends(f);
    return cluster_.topic.partitions();
  }
  std::vector<client::watermarks> ends(std::vector<topic_partition> const& set, time_point) {
    auto const f = here().begins(call::ends, set.front().partition, static_cast<std::int64_t>(set.size()));
    must_be_reachable(f);
    std::vector<client::watermarks> all;
    for (auto const& of : set) {
      auto const& l = cluster_.topic.log(of.partition);
      bool const known = f != fault::leaderless && cluster_.topic.has_leader(of.partition);
      all.push_back(known ? client::watermarks{offset{l.low}, offset{l.end()}, true} : client::watermarks{});
      if (known) cluster_.witness.told_ends(of.partition, l.low, l.end());
    }
    here().ends(f);
    return all;
  }
  std::vector<offset> offsets_at(std::vector<topic_partition> const& set, wall_time t, time_point by) {
    (void)partition_count(topic::name, by);
    std::vector<offset> all;
    for (auto const& of : set) {
      auto const& l = cluster_.topic.log(of.partition);
      auto at = l.end();
      for (auto i = l.entries.size(); i-- > 0;)
        if (auto const& r = cluster_.topic.record(l.entries[i]); r.stamp_ms >= t.time_since_epoch().count()) at = r.at;
      all.push_back(offset{at});
    }
    return all;
  }

  // ---- waiting and ending

  void wait(time_point by) {
    auto const f = here().begins(call::wait);
    auto until = here().when(by);
    if (!rung_) {
      for (auto const& q : queues_)
        if (q.fetching && q.fetched.empty() && q.next < cluster_.topic.log(q.partition).end())
          until = std::min(until, here().now + here().luck.between(1, 30) * ms);
      here().sleep_until(until, true);
    }
    rung_ = false;
    here().ends(f);
  }
  void wake() { rung_ = true; }
  void wake_on(int) {}
  bool spent() const { return positions_.gone(); }
  void renew() {
    auto const f = here().begins(call::renew, -1, member_);
    if (member_ != 0) cluster_.group.cut_off(member_);
    member_ = 0;
    cluster_.witness.excuse_all();
    mine().owned.clear();
    queues_.clear();
    given_.clear();
    revoking_ = knows_lost_ = false;
    lost_heard_at_ = -1;
    wants_to_join_ = !by_hand_;
    positions_.renew();
    here().ends(f);
  }
  bool close(time_point) {
    auto const f = here().begins(call::leave, -1, member_);
    if (std::exchange(closed_, true)) here().violated("contract", "the client is closed twice");
    if (mine().out != 0)
      here().violated("contract", std::to_string(mine().out) + " messages did not come back before close");
    positions_.send_held();
    mine().owned.clear();
    if (member_ != 0) cluster_.group.leave(member_);
    member_ = 0;
    here().ends(f);
    return true;
  }

 private:
  /// group.instance.id: its own, or as the schedule has it another one's.
  int name() {
    auto const outer = here().amount();
    auto const f = here().begins(call::join, -1, seat_);
    auto n = seat_;
    if (f == fault::twin && here().plan.processes > 1)
      n = (seat_ + 1 + static_cast<int>(here().amount() / ms % (here().plan.processes - 1))) % here().plan.processes;
    if (f == fault::twin && (n == seat_ || !cluster_.group.has_living(n))) here().missed(f);
    here().ends(f);
    here().amount(outer);
    return n;
  }
  std::optional<client::event> news() {
    if (by_hand_) return std::nullopt;
    if (wants_to_join_ && cluster_.group.answers()) {
      auto const as = cluster_.group.has_names ? name() : -1;
      if (!cluster_.group.answers()) return std::nullopt;
      wants_to_join_ = false;
      member_ = cluster_.group.join(seat_, here().life(), as);
      lost_heard_at_ = -1;
      out_ = false;
    }
    if (revoking_ || member_ == 0) return std::nullopt;
    if (std::exchange(mine().too_slow, false)) {
      out_ = true;
      return client::poll_exceeded{"it took too long to poll again"};
    }
    auto* const m = out_ ? nullptr : cluster_.group.find(member_);
    if (!m || m->news || (cluster_.group.is_preparing() && !m->joined))
      if (!cluster_.group.answers()) return std::nullopt;
    if (!m) return put_out();
    if (cluster_.group.is_preparing()) {
      if (m->joined || here().now < m->hears_at) return std::nullopt;
      if (mine().owned.empty() || cooperative()) {
        cluster_.group.joined_again(member_);
        return std::nullopt;
      }
      revoking_ = true;
      cluster_.witness.excuse_all();
      here().note("revoked");
      return client::revoked{names(mine().owned), false};
    }
    if (!m->news || cluster_.group.is_completing()) return std::nullopt;
    positions_.is_member(member_, cluster_.group.generation());
    if (cooperative() && !m->leaving.empty()) {
      revoking_ = true;
      revoked_.assign(m->leaving.begin(), m->leaving.end());
      for (int const p : m->leaving) cluster_.witness.excuse(p);
      here().note("revoked", m->leaving.front(), static_cast<std::int64_t>(m->leaving.size()));
      return client::revoked{names(m->leaving), false};
    }
    m->news = false;
    list<int> const& all = m->assigned;
    std::vector<int> fresh;
    for (int const p : all)
      if (std::count(mine().owned.begin(), mine().owned.end(), p) == 0) fresh.push_back(p);
    mine().owned.assign(m->assigned.begin(), m->assigned.end());
    here().note("assigned", mine().owned.empty() ? -1 : mine().owned.front(),
                static_cast<std::int64_t>(mine().owned.size()), cluster_.group.generation());
    return client::assigned{names(fresh)};
  }
  /// The group goes on without this member: it hears so with the next heartbeat.
  std::optional<client::event> put_out() {
    if (lost_heard_at_ < 0) lost_heard_at_ = here().now + here().luck.between(0, 400) * ms;
    if (here().now < lost_heard_at_) return std::nullopt;
    if (cluster_.group.is_fenced(member_)) {
      cluster_.witness.excuse_all();
      return client::trouble{errc::fenced, "another member has its name", true};
    }
    if (mine().owned.empty()) {
      wants_to_join_ = true;
      return std::nullopt;
    }
    revoking_ = knows_lost_ = true;
    revoked_.assign(mine().owned.begin(), mine().owned.end());
    cluster_.witness.excuse_all();
    here().note("lost");
    return client::revoked{names(mine().owned), true};
  }

  void fetch(std::vector<position> const& from) {
    for (auto const& p : from)
      for (auto& q : queues_)
        if (q.open && q.partition == p.of.partition) {
          q.fetching = true;
          q.next = p.next.value();
          q.fetched.clear();
        }
  }
  void fill(queue& q) {
    if (!q.fetching || !cluster_.is_reachable() || here().luck.one_in(4)) return;
    auto const& log = cluster_.topic.log(q.partition);
    if (q.next < log.end() && !cluster_.topic.has_leader(q.partition)) return;
    auto n = 1 + here().luck.below(12);
    for (auto i = cluster_.topic.entry_at(q.partition, q.next); i < log.entries.size(); ++i) {
      auto const& r = cluster_.topic.record(log.entries[i]);
      if (r.at >= log.end()) break;
      if (n-- == 0) return;
      q.next = r.at + 1;
      cluster_.witness.fetched(q.partition, q.next);
      if (r.visible) q.fetched.push_back(r.id);
    }
    q.next = std::max(q.next, log.end());  // behind control records, too
    cluster_.witness.fetched(q.partition, q.next);
    if (cluster_.topic.meets_held(q.partition)) here().hits(fault::stuck);
  }
  /// Records up to some place once more, after that place was reached. False: there are none.
  bool fetch_again(queue& q) {
    auto const& topic = cluster_.topic;
    if (!q.fetching || q.fetched.empty()) return false;
    auto const place = static_cast<std::size_t>(here().amount() / ms) % (q.fetched.size() + 1);
    auto const end = place > 0 ? topic.record(q.fetched[place - 1]).at + 1 : topic.record(q.fetched[0]).at;
    std::vector<std::uint32_t> old;
    auto const& entries = topic.log(q.partition).entries;
    for (auto i = topic.entry_at(q.partition, end - 1 - here().amount() / ms % 5); i < entries.size(); ++i)
      if (auto const& r = topic.record(entries[i]); r.at < end && r.visible) old.push_back(r.id);
    q.fetched.insert(q.fetched.begin() + static_cast<std::ptrdiff_t>(place), old.begin(), old.end());
    return !old.empty();
  }
  detail::message message_of(produced_record const& r) const {
    return {r.key, r.value, 1, static_cast<std::uint32_t>(std::char_traits<char>::length(r.value)), r.at, &r};
  }

  static bool has(std::vector<int> const& set, int partition) {
    return std::count(set.begin(), set.end(), partition) != 0;
  }
  void refused(topic_partition const& of, char const* why) { here().violated("contract", to_string(of) + " " + why); }
  void must_be_reachable(fault f) {
    if (f != fault::no_broker && cluster_.is_reachable()) return;
    here().sleep_until(here().now + 500 * ms);
    here().ends(f);
    throw error(errc::no_broker, "no broker answers");
  }
};
static_assert(client::kafka_client<simulated_client>);

}}}}  // namespace sluice::v0::testing::simulated
