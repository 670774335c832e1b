/// \file source/local_source.hpp  What all sources have in common that this process reads alone: claims, checks, hand-over, ends.
///
/// Such a source is a *log*: partitions with offsets, read from where the offset store says. What a log is made of (memory,
/// files, a socket behind a write-ahead log) is its own matter; where to start, and whether the position is still good, is
/// decided here, as the Kafka source does.
#pragma once
#include <sluice/detail/wake.hpp>
#include <sluice/source/kafka_lane.hpp>
#include <sluice/source/position_check.hpp>
#include <sluice/source/read_until.hpp>

#include <limits>

namespace sluice { inline namespace v0 {

/// What users say of any such source.
struct local_plan {
  start_at start = start_at::earliest;
  out_of_range on_out_of_range = out_of_range::stop;
  position_error on_position_error = position_error::stop;
  read_until until{};
};

inline constexpr offset no_end{std::numeric_limits<std::int64_t>::max()};

/// What differs from source to source. All calls come on the thread that steps.
///
/// `open`: throws error where it can't be read. `close`: true if it was done by then; not called twice.
/// `partitions`: those of one topic are numbered from 0; more may come, none goes.
/// `ends(i)`: of partition i, as known now; high `no_end` where there is none to be known.
/// `take(i, from, until, want, max_bytes, in)`: appends to in.messages, and their sizes to in.bytes, at most `want`
///   records with from <= offset < until; answers the offset to go on from, behind what is no record too.
/// `give_back`: their memory is free.
/// `print_at(i, at)`: of the record there; absent: it isn't there.
/// `mark()`: a number that tells this log from another one of the same name, kept with the position; -1: none.
/// `ended(i)`: nothing will be appended any more.
/// `begins(i, at)`, where it has it: partition i is handed over from `at` on; all before that is stored.
/// `handed(i, until)`, where it has it: what was taken is handed over, but for what lies behind `until`.
/// `left_behind()`, where it has it, after close: how many records it had in memory alone, and nobody else has.
/// `tend`: tells its owner what has gone wrong; `next_due`: when it wants to be called by itself.
/// A log that `numbers_anew` can't be read again: what it hands over gets the numbers from the claimed position on.
template <class L>
concept local_log = requires(L& log, L const& c, std::size_t i, offset o, intake& in, source_owner& owner, time_point t,
                             std::span<detail::message const> back, topic_partition const& of) {
  log.open(t);
  { c.partitions() } -> std::convertible_to<std::vector<topic_partition> const&>;
  { c.ends(i) } -> std::same_as<client::watermarks>;
  { log.take(i, o, o, i, i, in) } -> std::same_as<offset>;
  log.give_back(back);
  { log.print_at(i, o) } -> std::same_as<std::optional<fingerprint>>;
  { c.mark() } -> std::same_as<std::int32_t>;
  { c.ended(i) } -> std::same_as<bool>;
  log.tend(owner, t);
  { c.next_due() } -> std::same_as<std::optional<time_point>>;
  { c.access() } -> std::same_as<detail::message_access const*>;
  { log.close(t) } -> std::same_as<bool>;
  { L::numbers_anew } -> std::convertible_to<bool>;
};

template <class Log>
class local_source final : detail::kafka_lanes<detail::late<detail::kafka_lane_state, Log>>, public start_resolver {
  using base = detail::kafka_lanes<detail::late<detail::kafka_lane_state, Log>>;
  using lane_state = typename base::lane_state;
  using base::add, base::adopt, base::due, base::find, base::forget, base::later;
  using base::lanes_, base::states_;

  struct bound {
    offset until = no_end;
    offset at{};  // what lies before it was looked at; what was not handed over of it is no record
    bool known = false;
    bool reached = false;
  };
  local_plan plan_;
  detail::bell bell_{};
  Log log_;
  std::vector<bound> bounds_{};
  std::size_t first_ = 0;
  std::uint64_t left_behind_ = 0;

 public:
  /// The log gets the bell to ring as its first argument; any thread may.
  template <class... Args>
  explicit local_source(local_plan plan, Args&&... args)
      : plan_(std::move(plan)), log_(bell_, std::forward<Args>(args)...) {}
  local_source(local_source&&) = delete;
  ~local_source() = default;

  Log& log() { return log_; }
  std::span<lane const> lanes() const { return lanes_; }
  void open(time_point by) { log_.open(by); }

  void serve(source_owner& owner, time_point now) {
    bell_.hush();
    log_.tend(owner, now);
    if (auto const& all = log_.partitions(); all.size() > lanes_.size()) {
      add(all, now);
      bounds_.resize(lanes_.size());
    }
    claim_due(owner, now);
    check_due(owner, now);
  }

  std::optional<std::int64_t> lag_of(std::size_t i) const {
    auto const ends = log_.ends(i);
    if (!ends.known || ends.high == no_end) return {};
    return std::max<std::int64_t>(0, std::min(ends.high, bounds_[i].until).value() - lanes_[i].next.value());
  }

  void take(std::span<std::size_t const> quota, std::size_t max_records, std::size_t max_bytes, intake& in) {
    auto const n = lanes_.size();
    for (std::size_t k = 0; k < n && max_records > in.messages.size() && in.bytes < max_bytes; ++k) {
      auto const i = (first_ + k) % n;
      if (!lanes_[i].reading || quota[i] == 0 || bounds_[i].reached) continue;
      take_lane(i, std::min(quota[i], max_records - in.messages.size()), max_bytes, in);
    }
    if (n != 0) first_ = (first_ + 1) % n;
  }

  void give_back(intake& in) { give_back(in.messages.all()); }
  void give_back(std::span<detail::message const> messages) { log_.give_back(messages); }

  void advanced(move const& m) {
    if constexpr (requires { log_.stored(0, offset{}); })
      if (auto const i = find(m.of); i < lanes_.size()) log_.stored(i, m.until);
  }

  bool finished() const {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      auto const at = std::max(lanes_[i].next, bounds_[i].at);
      bool const all = log_.ended(i) && at >= log_.ends(i).high;
      if (!lanes_[i].reading || !(bounds_[i].reached || at >= bounds_[i].until || all)) return false;
    }
    return !lanes_.empty();
  }

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
    auto next = log_.next_due();
    for (auto const& s : states_)
      if (s.what != lane_state::reading) next = next ? std::min(*next, s.due) : s.due;
    return next;
  }
  void wait(time_point until) { bell_.wait(until); }
  void wake() noexcept { bell_.ring(); }
  void wake_on(int fd) { bell_.also_on(fd); }

  bool close(std::chrono::milliseconds deadline) {
    bool const unwanted = Log::numbers_anew && finished();  // what lies behind the end that was asked for
    lanes_.clear();
    states_.clear();
    bounds_.clear();
    bool const in_time = log_.close(std::chrono::steady_clock::now() + deadline);
    if constexpr (requires { log_.left_behind(); })
      if (!unwanted) left_behind_ = log_.left_behind();
    return in_time;
  }
  std::uint64_t left_behind() const { return left_behind_; }

  // ---- where a group starts

  topic_start start_of(std::string const& topic, time_point) override {
    topic_start start{topic, {}};
    auto const& all = log_.partitions();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].topic != topic) continue;
      auto const ends = log_.ends(i);
      switch (plan_.start.what()) {
        case start_at::at_earliest:
          start.starts.push_back(ends.low);
          break;
        case start_at::at_latest:
          start.starts.push_back(ends.high);
          break;
        case start_at::at_offset:
          start.starts.push_back(plan_.start.offset());
          break;
        case start_at::at_time:
          throw error(errc::bad_configuration,
                      "this source does not find a time; use .start = start_at::earliest, "
                      "latest or at(offset)");
        case start_at::nowhere:
          throw error(errc::no_position,
                      "the group has no stored position in " + topic +
                          ", and .start is start_at::must_exist; mend .group, or choose where to start");
      }
    }
    return start;
  }
  offset earliest(topic_partition const& of, time_point) override {
    auto const i = find(of);
    return i < lanes_.size() ? log_.ends(i).low : offset{};
  }

 private:
  void claim_due(source_owner& owner, time_point now) {
    auto const set = due([](lane_state const& s) { return s.what == lane_state::unclaimed; }, now);
    if (set.empty()) return;
    for (auto const& of : set) later(find(of), now);
    for (auto const& c : owner.claim(set, *this)) {
      auto const i = find(c.of);
      switch (c.what) {
        case claimed::stored:
        case claimed::first:
        case claimed::added:
        case claimed::missing:
          adopt(i, c);
          states_[i].what = lane_state::unchecked;
          states_[i].gone = c.what == claimed::missing;
          states_[i].attempts = 0;
          states_[i].due = now;
          break;
        case claimed::foreign:
          throw error(errc::foreign_store, c.why);
        case claimed::busy:
        case claimed::failed:
          break;
      }
    }
  }

  void check_due(source_owner& owner, time_point now) {
    std::vector<rewind> rewinds;
    std::optional<error> wrong;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (states_[i].what != lane_state::unchecked || states_[i].due > now) continue;
      if (auto const to = owner.sought(lanes_[i].of)) {
        rewinds.push_back({lanes_[i].of, *to, lanes_[i].mine, "seek"});
        continue;
      }
      auto const d = decide(i);
      if (d.event) owner.found(*d.event);
      if (d.what == position_decision::read) {
        read(i);
      } else if (d.what == position_decision::rewind) {
        rewinds.push_back({lanes_[i].of, d.at, lanes_[i].mine, d.cause});
      } else {
        forget(i, now);
        later(i, now);
        if (!wrong)
          wrong = error(d.code, d.event->text + "; seek() to where it is to go on, or choose another " +
                                    (d.code == errc::out_of_range ? "on_out_of_range" : "on_position_error"));
      }
    }
    record(owner, rewinds, now);
    if (wrong) throw error{*wrong};
  }

  position_decision decide(std::size_t i) {
    auto& l = lanes_[i];
    auto const ends = log_.ends(i);
    if (Log::numbers_anew && !states_[i].gone) return {.what = position_decision::read, .at = l.next};
    auto const lost = [&](position_event::cause_t cause) {
      return check_lost(l.of, l.next, cause, ends, plan_.on_position_error);
    };
    if (states_[i].gone) return lost(position_event::missing);
    if (l.log.leader_epoch >= 0 && l.log.leader_epoch != log_.mark()) return lost(position_event::truncated);
    auto d = check_range({.of = l.of, .next = l.next, .log = l.log}, ends, plan_.on_out_of_range);
    if (d.what == position_decision::read && d.at < l.next)
      if (auto const print = log_.print_at(i, d.at); print && *print != *l.log.last)
        return lost(position_event::truncated);
    return d;
  }

  void record(source_owner& owner, std::vector<rewind> const& rewinds, time_point now) {
    if (rewinds.empty()) return;
    auto const sought = [&](topic_partition const& of) {
      return std::any_of(rewinds.begin(), rewinds.end(),
                         [&](auto const& r) { return r.of == of && r.cause == "seek"; });
    };
    for (auto const& c : owner.record(rewinds)) {
      auto const i = find(c.of);
      if (c.what == claimed::stored && sought(c.of)) {
        reposition(c);  // checked, as any position
      } else if (c.what == claimed::stored) {
        adopt(i, c);
        read(i);
      } else {
        forget(i, now);
        later(i, now);
      }
    }
  }

  void read(std::size_t i) {
    auto& s = states_[i];
    s.what = lane_state::reading;
    s.gone = false;
    s.attempts = 0;
    lanes_[i].log.leader_epoch = log_.mark();
    lanes_[i].reading = true;
    if constexpr (requires { log_.begins(i, offset{}); }) log_.begins(i, lanes_[i].next);
    auto& b = bounds_[i];
    if (!b.known) b.until = plan_.until.in(lanes_[i].of, log_.ends(i).high);
    b.known = true;
    b.reached = false;
    b.at = {};
  }

  void take_lane(std::size_t i, std::size_t want, std::size_t max_bytes, intake& in) {
    auto& l = lanes_[i];
    auto& b = bounds_[i];
    auto const begin = in.messages.size();
    auto const from = l.next;
    auto const at = std::max(from, b.at);
    if (at >= b.until) return;
    auto next = log_.take(i, at, b.until, want, max_bytes, in);
    b.at = next;
    if (plan_.until.what() == read_until::at_time) cut_at_time(b, begin, next, in);
    if constexpr (requires { log_.handed(i, next); }) log_.handed(i, next);
    auto const count = in.messages.size() - begin;
    if (count == 0) return;
    l.next = next;
    l.log.last = detail::fingerprint_of(in.messages.back(), *log_.access());
    in.parts.push_back({.range = {l.of, from, next, l.log.incarnation}, .access = log_.access()});
    in.lanes.push_back(i);
    in.counts.push_back(count);
  }

  void cut_at_time(bound& b, std::size_t begin, offset& next, intake& in) {
    auto const limit = plan_.until.time().time_since_epoch().count();
    auto const fresh = in.messages.all().subspan(begin);
    for (std::size_t k = 0; k < fresh.size(); ++k) {
      if (log_.access()->timestamp(fresh[k].native) < limit) continue;
      b.reached = true;
      next = offset{fresh[k].at};
      auto const behind = fresh.subspan(k);
      for (auto const& m : behind) in.bytes -= m.key_size + m.value_size;
      log_.give_back(behind);
      in.messages.erase(begin + k, behind.size());
      return;
    }
  }
};

}}  // namespace sluice::v0
