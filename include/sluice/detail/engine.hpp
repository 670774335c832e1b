/// \file detail/engine.hpp  A legal consumer at work: serve the group, take a batch, deliver it, tell what happened.
///
/// Keyed by the sorted slots, so that consumers whose policies were given in another order share it; a handler comes in
/// as a handler_ref, once a step.
#pragma once
#include <sluice/detail/batch_turn.hpp>
#include <sluice/detail/claims.hpp>
#include <sluice/detail/crash_point.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

namespace sluice { inline namespace v0 {

/// What step() did. A failure that on_failure does not take is no result: step() throws it.
struct step_result {
  enum what_t {
    handled,   ///< a batch was in hand, or what was left of one, and none is any more: see `records`
    idle,      ///< nothing to hand over
    retrying,  ///< a batch is in hand and waits: for a retry, for the store, or for the group
    closed     ///< the consumer; or what the source was asked for is read to its end and stored
  } what = idle;
  /// With `handled`: how many of the batch are done with, that is stored, and either handled or set aside (`skipped` and
  /// `dead_letters` of statistics() tell how many of those). Not those that the store has refused, since another consumer has
  /// their partition: they come again, or to that one. 0 for an empty batch, and where all were refused.
  std::size_t records = 0;
  time_point due{};  ///< call step() again no later than this
};

/// How drain() has left things. What the store holds is right in each case.
enum class [[nodiscard]] close_result {
  drained,    ///< everything that was handled is stored, and nothing else was in hand
  abandoned,  ///< a batch was in hand: it is read again by whoever has its partition next (with at_most_once it is lost);
              ///< or the last commit of periodic_kafka_offsets was not taken, and what it had is handled again;
              ///< or the source had records in memory alone, which are lost, and counted in statistics().lost
  timed_out  ///< the client did not close by the deadline; it is closed in the background
};

namespace detail {

template <class Slots>
class engine {
  using parts_of = consumer_parts<Slots>;
  using traits = engine_traits<Slots>;

 public:
  using transaction = typename traits::transaction;
  using configuration = typename parts_of::configuration;

 private:
  parts_of all_;
  claims<Slots> claims_{all_};
  late<std::vector<load>, Slots> loads_{};
  late<std::vector<std::size_t>, Slots> quota_{}, took_{};
  time_point next_at_{};
  wall_time next_time_{};
  wall_time time_{};
  time_point::duration late_{0};
  bool cut_short_ = false;  // the interval's quota is not used up
  bool held_back_ = false;  // by the rate limit: what has arrived rings no bell again
  bool inside_ = false;
  bool close_wanted_ = false;
  bool closed_ = false;
  std::atomic<bool> woken_{false};
  published_stats published_{};

  static constexpr std::chrono::milliseconds longest_idle{1000};

 public:
  explicit engine(configuration const& c) : all_(c) {
    claims_.start();
    all_.source.open(all_.clock.now() + all_.source_timeout);
    plan_next();
    rethrow_kept();
  }
  engine(engine&&) = delete;
  ~engine() { close(std::chrono::seconds{10}); }

  step_result step(handler_ref<transaction> const& handler, std::chrono::milliseconds wait) {
    outside("step");
    if (closed_) return {.what = step_result::closed};
    struct at_end {
      engine& self;
      ~at_end() {
        self.publish();
        if (self.close_wanted_) self.close(std::chrono::seconds{10});
      }
    } const end{*this};
    auto const give_up = all_.clock.now() + wait;
    auto result = once(handler);
    while (result.what != step_result::handled && result.what != step_result::closed && result.records == 0 &&
           all_.clock.now() < give_up && !woken_.exchange(false)) {
      all_.source.wait(std::min(give_up, result.due));
      result = once(handler);
    }
    rethrow_kept();
    return result;
  }

  close_result drain(std::chrono::milliseconds deadline) {
    outside("drain");
    auto const by = all_.clock.now() + deadline;
    if (!closed_) store_what_is_handled(by);
    bool const left = !all_.hand.empty();
    auto const lost = all_.counts.lost;
    bool const clean = shut(by);
    bool const all_kept = !left && all_.counts.lost == lost && claims_.flushed();
    return !clean ? close_result::timed_out : all_kept ? close_result::drained : close_result::abandoned;
  }

  void close(std::chrono::milliseconds deadline) noexcept {
    if (inside_) {
      close_wanted_ = true;
      return;
    }
    try {
      (void)shut(all_.clock.now() + deadline);
    } catch (...) {}
  }

  void seek(topic_partition const& of, offset to) {
    outside("seek");
    claims_.seek(of, to);
    wake();
  }

  void must_be_open(char const* what) const {
    if (closed_) throw error(errc::closed, std::string(what) + ": this consumer is closed; make another one");
  }

  bool in_hand() const { return !all_.hand.empty(); }

  std::vector<position> positions() const {
    late<std::vector<position>, Slots> all;
    for (auto const& l : all_.source.lanes())
      if (l.mine != fence{}) all.push_back({l.of, all_.stored_next(l)});
    return all;
  }

  std::vector<lag_of> lag() const {
    late<std::vector<lag_of>, Slots> all;
    auto const lanes = all_.source.lanes();
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      if (lanes[i].mine == fence{}) continue;
      auto const ahead = all_.source.lag_of(i);
      all.push_back({lanes[i].of, ahead ? *ahead + lanes[i].next.value() - all_.stored_next(lanes[i]).value() : -1});
    }
    return all;
  }

  void wake_on(int fd) { all_.source.wake_on(fd); }
  stats statistics() const noexcept { return published_.read(std::chrono::steady_clock::now()); }
  void wake() noexcept {
    woken_ = true;
    all_.source.wake();
  }

 private:
  struct entered {
    bool& flag;
    explicit entered(bool& f) : flag(f) { flag = true; }
    ~entered() { flag = false; }
  };

  /// The way that data takes.
  step_result once(handler_ref<transaction> const& handler) {
    entered const guard{inside_};
    auto const now = all_.clock.now();
    serve(now);
    if (all_.hand.empty() && !take(now, handler.wants_empty_batches))
      return {.what = finished() ? step_result::closed : step_result::idle, .due = due(now)};
    if (all_.hand.due > all_.clock.now()) return {.what = step_result::retrying, .due = all_.hand.due};
    auto const before = all_.counts.records;
    deliver(handler);
    if (!all_.hand.empty()) return {.what = step_result::retrying, .due = all_.hand.due};
    bool const at_once = all_.interval.count() == 0 || cut_short_;
    return {.what = step_result::handled,
            .records = static_cast<std::size_t>(all_.counts.records - before),
            .due = at_once ? now : next_at_};
  }

  void serve(time_point now) {
    all_.source.serve(claims_, now);
    claims_.tend(now);
    if constexpr (requires { all_.store.tend(); }) all_.store.tend();
  }

  /// What was asked for has been read to its end, and stored.
  bool finished() const {
    if constexpr (requires { all_.source.finished(); })
      return all_.source.finished();
    else
      return false;
  }

  /// As long as there is time.
  void store_what_is_handled(time_point by) {
    entered const guard{inside_};
    struct limit {
      std::optional<time_point>& of;
      ~limit() { of.reset(); }
    } const limited{all_.by_deadline};
    all_.by_deadline = by;
    while (waits_for_store() && all_.clock.now() < by) {
      serve(all_.clock.now());
      if (waits_for_store() && all_.hand.due <= all_.clock.now()) {
        handler_ref<transaction> const nobody{};
        deliver(nobody);
      }
      if (waits_for_store()) all_.source.wait(std::min(by, all_.hand.due));
    }
  }

  /// Handled, and not stored yet.
  bool waits_for_store() const { return !all_.hand.empty() && all_.hand.handled && !all_.hand.advanced; }

  void deliver(handler_ref<transaction> const& handler) {
    batch_turn<Slots> turn{all_, handler};
    try {
      Slots::delivery::deliver(turn);
    } catch (store_conflict const& e) { turn.store_failed(e); } catch (store_error const& e) {
      turn.store_failed(e);
      if (parts_of::failure_ends_in_stop || !waiting_may_help(e.code())) throw;
    }
  }

  /// With `wants_empty`, and an interval, partitions that have nothing are in the batch too, for their fences to be checked.
  bool take(time_point now, bool wants_empty) {
    bool const more = cut_short_ && same_lanes();
    cut_short_ = false;
    if (!more) {
      if (all_.interval.count() > 0 && now < next_at_) return false;
      late_ = all_.interval.count() > 0 ? now - next_at_ : time_point::duration{0};
      time_ = all_.interval.count() > 0 ? next_time_ : all_.clock.wall();
      plan_next();
      ask_rate(now);
    }
    try {
      if (!fill(now, wants_empty, more)) return false;
    } catch (error const&) {
      if (!all_.hand.untouched()) read_again(now);
      throw;
    } catch (...) {
      read_again(now);
      throw;
    }
    shed(now);
    all_.figures = {.time = time_,
                    .records = all_.hand.records(),
                    .bytes = all_.hand.bytes(),
                    .taking = all_.clock.now() - now,
                    .scheduling_delay = late_};
    all_.last_call = {};
    if constexpr (requires { all_.store.batch_taken(); }) all_.store.batch_taken();
    return true;
  }

  /// Takes the batch into hand, or nothing.
  bool fill(time_point now, bool wants_empty, bool more) {
    auto& in = all_.hand.intake_for_source();
    all_.source.take(quota_, all_.max_records_now, all_.batching.max_bytes, in);
    bool const with_idle = traits::in_transaction && wants_empty && all_.interval.count() > 0 && (more || !finished());
    if (with_idle) add_idle_lanes();
    if (in.parts.empty()) return false;
    count_taken();
    if (!more) all_.rate.taken(now, loads_, took_);
    cut_short_ = all_.interval.count() > 0 &&
                 (in.messages.size() >= all_.max_records_now || in.bytes >= all_.batching.max_bytes);
    all_.hand.taken(all_.source.lanes(), time_);
    all_.hand.interval = all_.interval;
    all_.hand.more = cut_short_;
    all_.hand.shows_empty = with_idle;
    return true;
  }

  /// What was taken half-way (memory ran out) is nobody's: all partitions are claimed again, and read from what is stored.
  void read_again(time_point now) {
    if constexpr (requires { requires !Slots::source::can_replay; }) all_.counts.lost += all_.hand.records();
    all_.hand.clear(all_.source);
    cut_short_ = false;
    for (std::size_t i = 0; i < all_.source.lanes().size(); ++i)
      if (all_.source.lanes()[i].reading) all_.source.reclaim(all_.source.lanes()[i].of, now);
  }

  void ask_rate(time_point now) {
    auto const lanes = all_.source.lanes();
    loads_.resize(lanes.size());
    quota_.assign(lanes.size(), 0);
    for (std::size_t i = 0; i < lanes.size(); ++i)
      loads_[i] = {&lanes[i].of, lanes[i].assignment, all_.source.lag_of(i)};
    all_.rate.allow(now, loads_, quota_);
    held_back_ = all_.interval.count() == 0 &&
                 std::any_of(quota_.begin(), quota_.end(), [](std::size_t q) { return q != no_limit; });
  }

  /// What is left of an interval's quota is for the lanes that it was given for.
  bool same_lanes() const {
    auto const lanes = all_.source.lanes();
    return std::equal(loads_.begin(), loads_.end(), lanes.begin(), lanes.end(),
                      [](auto const& a, auto const& b) { return a.assignment == b.assignment; });
  }

  /// Those that are read and gave nothing, behind the others.
  void add_idle_lanes() {
    auto& in = all_.hand.intake_for_source();
    auto const lanes = all_.source.lanes();
    took_.assign(lanes.size(), 0);
    for (auto const i : in.lanes) took_[i] = 1;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      if (!lanes[i].reading || took_[i] != 0) continue;
      in.parts.push_back({.range = {lanes[i].of, lanes[i].next, lanes[i].next, lanes[i].log.incarnation}});
      in.lanes.push_back(i);
      in.counts.push_back(0);
    }
  }

  void count_taken() {
    auto const& in = all_.hand.intake_for_source();
    took_.assign(loads_.size(), 0);
    for (std::size_t k = 0; k < in.parts.size(); ++k) {
      auto const i = in.lanes[k];
      took_[i] = in.counts[k];
      if (quota_[i] != no_limit) quota_[i] -= took_[i];
    }
  }

  void shed(time_point now) {
    if constexpr (drops_records<typename Slots::rate>) {
      auto const& in = all_.hand.intake_for_source();
      for (std::size_t k = in.parts.size(); k-- > 0;) {
        auto const took = in.counts[k];
        auto const keep = std::min(took, all_.rate.keep(now, loads_[in.lanes[k]], took));
        all_.counts.shed += took - keep;
        if (keep != took) all_.hand.shed(k, took - keep, all_.source);
      }
    }
  }

  /// Batches end on the wall clock's multiples of the interval; waiting is done on the clock that does not jump.
  /// One that was early, since the two clocks differ a little, has been: its end comes no second time.
  void plan_next() {
    if (all_.interval.count() == 0) return;
    auto const wall = all_.clock.wall();
    auto const now = all_.clock.now();
    next_time_ = wall_time{(wall.time_since_epoch() / all_.interval + 1) * all_.interval};
    if (next_time_ == time_) next_time_ += all_.interval;
    next_at_ = now + (next_time_ - wall);
  }

  time_point due(time_point now) const {
    auto soonest = now + longest_idle;
    if (all_.interval.count() > 0) soonest = std::min(soonest, cut_short_ ? now : next_at_);
    if (held_back_) soonest = std::min(soonest, now + std::chrono::milliseconds{10});
    if (auto const d = all_.source.next_due()) soonest = std::min(soonest, *d);
    return soonest;
  }

  bool shut(time_point by) {
    if (closed_) return true;
    closed_ = true;
    all_.by_deadline = by;
    claims_.giving_up({all_.source.lanes().begin(), all_.source.lanes().end()}, false);
    all_.hand.clear(all_.source);
    SLUICE_CRASH_POINT("close");
    auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(by - all_.clock.now());
    bool const clean = all_.source.close(std::max(left, std::chrono::milliseconds{0}));
    SLUICE_CRASH_POINT("closed");
    count_left_behind();
    publish();
    return clean;
  }

  void count_left_behind() {
    if constexpr (requires { all_.source.left_behind(); }) {
      auto const n = all_.source.left_behind();
      all_.counts.lost += n;
      if (n != 0)
        claims_.troubled(errc::closed,
                         "closed with " + std::to_string(n) + " received records in memory alone: they are lost");
    }
  }

  void outside(char const* what) const {
    if (inside_)
      throw error(errc::called_from_handler,
                  std::string{what} + "() was called from inside a handler or an observer; call it between steps");
  }

  void publish() {
    auto& s = all_.counts;
    auto const lanes = all_.source.lanes();
    s.partitions = lanes.size();
    s.lag = all_.total_lag();
    s.rate = all_.allowed_rate();
    s.last_step = std::chrono::steady_clock::now();
    published_.publish(s);
  }

  void rethrow_kept() {
    if (all_.kept) std::rethrow_exception(std::exchange(all_.kept, nullptr));
  }
};

}  // namespace detail
}}  // namespace sluice::v0
