/// \file scripted_client.hpp  A Kafka cluster in memory and a client of it that does what the test says: the Kafka source runs on it unchanged.
#pragma once
#include <sluice/detail/wake.hpp>
#include <sluice/source/kafka_source.hpp>

#include <deque>
#include <map>
#include <memory>
#include <set>

namespace scripted {
namespace sl = sluice;
using namespace std::chrono_literals;
using of_t = sl::topic_partition;

struct entry {
  std::int64_t at = 0;
  std::string key{}, value{};
  bool has_key = true, has_value = true;
  std::int64_t stamp = 1'700'000'000'000;
  std::vector<std::pair<std::string, std::string>> headers{};
  mutable int out = 0;  // handed out and not released
};

/// A partition: the offsets from `low` up to `high`, some of them without a record.
struct log {
  std::int64_t low = 0, high = 0;
  std::vector<std::shared_ptr<entry>> entries{};

  auto at_or_after(std::int64_t at) const {
    return std::ranges::lower_bound(entries, at, {}, [](auto const& e) { return e->at; });
  }
};

/// Everything outside of the process: brokers, the group's coordinator, time. Lives longer than its consumers.
struct cluster {
  std::map<of_t, log> logs{};
  std::vector<std::shared_ptr<entry>> removed{};  // may still be in somebody's hand
  std::map<of_t, std::pair<sl::offset, std::string>> committed{};

  // what the client does next
  std::deque<sl::client::event> events{};
  std::map<of_t, std::vector<std::int64_t>> again{};  // old records that come once more, before what is expected
  std::map<of_t, std::string> trouble{};              // told once by take()
  sl::errc trouble_code = sl::errc::client_failed;
  std::set<of_t> leaderless{}, silent_about{};
  std::set<of_t> refused{};          // every fetch is out of range
  std::vector<of_t> rejoins_with{};  // what a renewed client is assigned
  std::deque<sl::outcome> group_answers{};
  std::string background_failure{};  // of what is stored later
  bool reachable = true, readable = true, cooperative = false, closes = true, real_time = false;
  bool silent = false;           // with reachable = false: what is asked takes all its time
  bool revocation_open = false;  // told, and not answered
  std::function<void()> while_waiting{};

  // what was seen
  std::uint64_t given = 0, back = 0;
  int renewed = 0, abandoned = 0, waits = 0, assigns = 0, subscribes = 0, group_stores = 0, mirrored = 0;
  std::vector<std::string> faults{};  // of the code under test

  sl::time_point now{std::chrono::hours{1000}};
  sl::wall_time wall{std::chrono::milliseconds{1'700'000'000'500}};
  sl::detail::bell bell{};

  void pass(sl::time_point::duration d) {
    now += d;
    wall += std::chrono::duration_cast<std::chrono::milliseconds>(d);
  }
  void tell(sl::client::event e) {
    events.push_back(std::move(e));
    bell.ring();
  }
  void assign(std::vector<of_t> set) { tell(sl::client::assigned{std::move(set)}); }
  void revoke(std::vector<of_t> set, bool lost = false) { tell(sl::client::revoked{std::move(set), lost}); }

  void create(std::string const& topic, int partitions) {
    for (int p = 0; p < partitions; ++p) logs.try_emplace({topic, p});
  }
  entry& produce(of_t const& of, std::string value = {}, std::string key = "k") {
    auto& l = logs[of];
    auto e = std::make_shared<entry>();
    e->at = l.high++;
    e->value = value.empty() ? std::to_string(e->at) : std::move(value);
    e->key = std::move(key);
    l.entries.push_back(e);
    bell.ring();
    return *e;
  }
  void produce(of_t const& of, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) produce(of);
  }
  void gap(of_t const& of, std::int64_t n) { logs[of].high += n; }
  void remove(of_t const& of, std::int64_t from, std::int64_t until) {
    auto& l = logs[of];
    auto const begin = l.entries.begin() + (l.at_or_after(from) - l.entries.cbegin());
    auto const end = l.entries.begin() + (l.at_or_after(until) - l.entries.cbegin());
    removed.insert(removed.end(), begin, end);
    l.entries.erase(begin, end);
  }
  void retain_from(of_t const& of, std::int64_t low) {
    remove(of, 0, low);
    logs[of].low = low;
  }
  void truncate(of_t const& of, std::int64_t high) {
    remove(of, high, logs[of].high);
    logs[of].high = high;
  }
  void recreate(of_t const& of) {
    truncate(of, logs[of].low);
    logs[of].low = logs[of].high = 0;
  }
  std::int64_t low(of_t const& of) { return logs[of].low; }
  std::int64_t high(of_t const& of) { return logs[of].high; }

  void fault(std::string what) { faults.push_back(std::move(what)); }
  /// Empty where nothing was done wrong, and every message that was handed out came back, once.
  std::string wrong() const {
    std::string all;
    for (auto const& f : faults) all += f + "\n";
    if (revocation_open) all += "a revocation was not answered\n";
    if (given != back) all += std::to_string(given) + " messages given, " + std::to_string(back) + " came back\n";
    return all;
  }
};

class group final : public sl::group_positions {
  cluster& world_;
  bool unanswered_ = false;
  bool gone_ = false;
  std::string failed_{};  // with what the last that was stored later failed

 public:
  explicit group(cluster& world) : world_(world) {}
  bool gone() const { return gone_; }
  void renew() { gone_ = unanswered_ = false; }

  std::vector<sl::group_position> read(std::vector<of_t> const& set, sl::time_point) override {
    if (!world_.readable) throw sl::store_error(sl::errc::store_unavailable, "the group does not answer");
    std::vector<sl::group_position> found;
    for (auto const& of : set) {
      auto const at = world_.committed.find(of);
      if (world_.silent_about.contains(of))
        found.push_back({.of = of, .failed = true});
      else if (at == world_.committed.end())
        found.push_back({.of = of});
      else
        found.push_back({.of = of, .next = at->second.first, .note = at->second.second, .there = true});
    }
    return found;
  }
  std::vector<sl::outcome> store(std::vector<sl::group_position> const& set, sl::time_point) override {
    ++world_.group_stores;
    if (unanswered_ && !gone_) world_.fault("stored in the group after an unknown outcome, without abandon()");
    auto what = sl::outcome::applied;
    if (!world_.group_answers.empty()) {
      what = world_.group_answers.front();
      world_.group_answers.pop_front();
    }
    if (gone_) what = sl::outcome::refused;
    if (what == sl::outcome::unknown) unanswered_ = true;
    if (what == sl::outcome::applied) put(set);
    return std::vector<sl::outcome>(set.size(), what);
  }
  void store_later(std::vector<sl::group_position> const& set) override {
    if (unanswered_ && !gone_) world_.fault("stored later in the group after an unknown outcome, without abandon()");
    if (gone_) return;
    world_.mirrored += static_cast<int>(set.size());
    failed_ = world_.background_failure;
    if (failed_.empty()) put(set);
  }
  bool settled(std::string& failed) override {
    failed = failed_;
    return true;
  }
  void abandon() override {
    ++world_.abandoned;
    gone_ = true;
  }
  std::string group_metadata() override { return "member"; }

 private:
  void put(std::vector<sl::group_position> const& set) {
    for (auto const& p : set) world_.committed[p.of] = {p.next, p.note};
  }
};

class client {
  struct queue {
    of_t of{};
    bool open = false, fetching = false, told = false;
    std::int64_t next = 0;
  };

  cluster& world_;
  bool by_hand_;
  group group_{world_};
  std::vector<queue> queues_{};
  std::set<of_t> assigned_{};  // one by one
  bool closed_ = false;

  queue* find(of_t const& of) {
    auto const at = std::ranges::find_if(queues_, [&](queue const& q) { return q.open && q.of == of; });
    return at == queues_.end() ? nullptr : &*at;
  }
  void fetch(std::vector<sl::position> const& from) {
    for (auto const& p : from) {
      auto* q = find(p.of);
      if (!q) {
        world_.fault(to_string(p.of) + " was assigned before its queue was opened");
        continue;
      }
      if (world_.cooperative && !assigned_.insert(p.of).second) world_.fault(to_string(p.of) + " was assigned twice");
      *q = {.of = p.of, .open = true, .fetching = true, .next = p.next.value()};
    }
  }
  void answer(sl::time_point by) {
    if (world_.reachable) return;
    if (world_.silent && by > world_.now) world_.pass(by - world_.now);
    throw sl::error(sl::errc::no_broker, "no broker answers");
  }

  static std::int64_t stamp_of(void const* native) { return static_cast<entry const*>(native)->stamp; }
  static bool header_of(void const* native, std::size_t index, sl::header& out) {
    auto const& all = static_cast<entry const*>(native)->headers;
    if (index >= all.size()) return false;
    out = {all[index].first, sl::as_bytes(all[index].second)};
    return true;
  }

  /// librdkafka takes it for an answer.
  void changes_what_is_read() {
    for (auto const& e : world_.events)
      if (std::holds_alternative<sl::client::revoked>(e) && !world_.revocation_open)
        world_.fault("a revocation that was not heard is answered");
  }

 public:
  client(cluster& world, bool by_hand) : world_(world), by_hand_(by_hand) {}
  client(client const&) = delete;

  // the group

  std::optional<sl::client::event> poll() {
    world_.bell.hush();
    if (world_.events.empty()) return std::nullopt;
    auto e = std::move(world_.events.front());
    world_.events.pop_front();
    if (std::exchange(world_.revocation_open, std::holds_alternative<sl::client::revoked>(e)))
      world_.fault("the group's news go on, though a revocation was not answered");
    return e;
  }
  void subscribe(std::vector<std::string> const&) {
    ++world_.subscribes;
    if (by_hand_) world_.fault("subscribed, though partitions are assigned by hand");
  }
  void assign(std::vector<sl::position> const& from) {
    changes_what_is_read();
    ++world_.assigns;
    if (world_.cooperative) world_.fault("assign() with a cooperative protocol");
    world_.revocation_open = false;
    for (auto& q : queues_) q.fetching = false;
    fetch(from);
  }
  void incremental_assign(std::vector<sl::position> const& from) {
    changes_what_is_read();
    ++world_.assigns;
    if (!world_.cooperative) world_.fault("incremental_assign() with an eager protocol");
    fetch(from);
  }
  /// Takes all of them or none, as librdkafka does.
  void incremental_unassign(std::vector<of_t> const& set) {
    changes_what_is_read();
    if (!world_.cooperative) world_.fault("incremental_unassign() with an eager protocol");
    for (auto const& of : set)
      if (!assigned_.contains(of))
        throw sl::error(sl::errc::client_failed, to_string(of) + " is not in the current assignment");
    for (auto const& of : set) {
      assigned_.erase(of);
      if (auto* q = find(of)) q->fetching = false;
    }
    world_.revocation_open = false;
  }
  bool cooperative() const { return world_.cooperative; }
  sl::group_positions& positions() { return group_; }

  // records

  std::size_t open_queue(of_t const& of) {
    if (find(of)) world_.fault(to_string(of) + " has its queue opened twice");
    queues_.push_back({.of = of, .open = true});
    return queues_.size() - 1;
  }
  void close_queue(std::size_t handle) {
    if (!queues_.at(handle).open) world_.fault("a queue was closed twice");
    queues_[handle].open = queues_[handle].fetching = false;
  }
  sl::client::taken take(std::size_t handle, std::span<sl::detail::message> out) {
    auto& q = queues_.at(handle);
    if (!q.open) world_.fault("read from a closed queue");
    sl::client::taken result;
    if (auto const told = world_.trouble.find(q.of); told != world_.trouble.end()) {
      result.trouble = told->second;
      result.code = world_.trouble_code;
      world_.trouble.erase(told);
    }
    auto& l = world_.logs[q.of];
    if (!q.fetching) return result;
    if (auto const old = world_.again.find(q.of); old != world_.again.end()) {
      for (auto const at : old->second)
        if (result.count < out.size()) out[result.count++] = hand_out(**l.at_or_after(at));
      world_.again.erase(old);
    }
    if (q.next < l.low || q.next > l.high || world_.refused.contains(q.of)) {
      result.out_of_range = !std::exchange(q.told, true);
      return result;
    }
    auto at = l.at_or_after(q.next);
    for (; result.count < out.size() && at != l.entries.end(); ++at) {
      q.next = (*at)->at + 1;
      out[result.count++] = hand_out(**at);
    }
    if (at == l.entries.end()) result.end = l.high;
    return result;
  }
  void release(std::span<sl::detail::message const> back) {
    for (auto const& m : back) {
      auto const& e = *static_cast<entry const*>(m.native);
      if (--e.out < 0) world_.fault("record " + std::to_string(e.at) + " was released twice");
    }
    world_.back += back.size();
  }
  sl::detail::message_access const* access() const {
    static constexpr sl::detail::message_access how{stamp_of, header_of};
    return &how;
  }
  sl::client::watermarks limits(std::size_t handle) const {
    auto const& l = world_.logs[queues_.at(handle).of];
    return {sl::offset{l.low}, sl::offset{l.high}, true};
  }

  // the brokers

  void reach(sl::time_point by) { answer(by); }
  std::int32_t partition_count(std::string const& topic, sl::time_point by) {
    answer(by);
    auto const n = std::ranges::count_if(world_.logs, [&](auto const& one) { return one.first.topic == topic; });
    if (n == 0) throw sl::error(sl::errc::unknown_topic, "there is no topic " + topic);
    return static_cast<std::int32_t>(n);
  }
  std::vector<sl::client::watermarks> ends(std::vector<of_t> const& set, sl::time_point by) {
    answer(by);
    std::vector<sl::client::watermarks> all;
    for (auto const& of : set)
      all.push_back({sl::offset{world_.low(of)}, sl::offset{world_.high(of)}, !world_.leaderless.contains(of)});
    return all;
  }
  std::vector<sl::offset> offsets_at(std::vector<of_t> const& set, sl::wall_time t, sl::time_point by) {
    answer(by);
    std::vector<sl::offset> all;
    for (auto const& of : set) {
      auto const& l = world_.logs[of];
      auto const at =
          std::ranges::find_if(l.entries, [&](auto const& e) { return e->stamp >= t.time_since_epoch().count(); });
      all.push_back(sl::offset{at == l.entries.end() ? l.high : (*at)->at});
    }
    return all;
  }

  // waiting and ending

  void wait(sl::time_point by) {
    ++world_.waits;
    if (world_.while_waiting) world_.while_waiting();
    if (world_.real_time)
      world_.bell.wait(by);
    else if (world_.events.empty() && by > world_.now)
      world_.pass(by - world_.now);
  }
  void wake() noexcept { world_.bell.ring(); }
  void wake_on(int fd) { world_.bell.also_on(fd); }
  bool spent() const { return group_.gone(); }
  void renew() {
    ++world_.renewed;
    for (auto& q : queues_)
      if (q.open) world_.fault("a queue was open when its client was thrown away");
    queues_.clear();
    assigned_.clear();
    world_.revocation_open = false;
    world_.events.clear();
    group_.renew();
    if (!by_hand_ && !world_.rejoins_with.empty()) world_.assign(world_.rejoins_with);
  }
  bool close(sl::time_point) {
    if (std::exchange(closed_, true)) world_.fault("closed twice");
    if (world_.given != world_.back) world_.fault("closed before all messages came back");
    return world_.closes;
  }

 private:
  sl::detail::message hand_out(entry const& e) {
    ++world_.given;
    if (++e.out > 1) world_.fault("record " + std::to_string(e.at) + " is in hand twice");
    return {e.has_key ? e.key.data() : nullptr,
            e.has_value ? e.value.data() : nullptr,
            static_cast<std::uint32_t>(e.has_key ? e.key.size() : 0),
            static_cast<std::uint32_t>(e.has_value ? e.value.size() : 0),
            e.at,
            &e};
  }
};
static_assert(sl::client::kafka_client<client>);

/// The Kafka source over a cluster in memory.
template <bool ByHand>
struct basic_source {
  using slot = sl::source_slot;
  using must_be_configured = void;
  using runtime = sl::kafka_source<client>;
  static constexpr bool assigned_by_hand = ByHand;

  cluster* world = nullptr;
  std::vector<of_t> partitions{};
  std::string brokers{};
  std::string group = "g";
  std::vector<std::string> topics{"t"};
  std::optional<sl::start_at> start{};
  sl::out_of_range on_out_of_range = sl::out_of_range::nearest;
  sl::position_error on_position_error = sl::position_error::stop;
  std::vector<sl::position> start_from{};
  std::map<std::string, std::string> properties{};
  std::chrono::milliseconds timeout{10'000};

  static runtime open(basic_source const& self, sl::context const&) {
    auto plan = sl::detail::plan_of(self);
    if (ByHand)
      plan.by_hand = self.partitions;
    else
      plan.topics = self.topics;
    return runtime{std::move(plan), *self.world, ByHand};
  }
};
using source = basic_source<false>;
using source_by_hand = basic_source<true>;

/// The cluster's time: it stands still but for wait() and pass().
struct manual_clock {
  using slot = sl::clock_slot;
  cluster* world = nullptr;
  struct runtime {
    cluster* world;
    sl::time_point now() { return world->now; }
    sl::wall_time wall() { return world->wall; }
  };
  static runtime open(manual_clock const& self, sl::context const&) { return {self.world}; }
};

}  // namespace scripted
