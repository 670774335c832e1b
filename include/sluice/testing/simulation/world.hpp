/// \file testing/simulation/world.hpp  One schedule: time, processes, which of them runs next, and what goes wrong at a call.
#pragma once
#include <sluice/testing/simulation/schedule.hpp>
#include <sluice/testing/simulation/trace.hpp>

#include <memory>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

class world {
  using process = scheduled_process;
  using thread = scheduled_thread;
  using event = scheduled_event;

  surroundings* around_ = nullptr;
  std::deque<process> processes_{};
  std::deque<thread> threads_{};
  list<event> events_{};
  std::uint64_t events_made_ = 0;
  list<int> choice_{};
  fibre main_{};
  fibre* running_ = &main_;
  int current_ = -1;        // process
  std::size_t thread_ = 0;  // that runs, or ran last
  std::uint32_t own_calls_ = 0;
  std::uint64_t yields_ = 0;

 public:
  schedule plan{};
  chance luck{}, ill{}, bits{};  // bits: what processes ask the machine for
  std::int64_t now = 0;          ///< µs
  simulated::phase phase = phase::faulting;
  std::uint32_t points = 0;
  list<decision> decisions{};
  std::array<std::uint32_t, faults> hit{};
  fault_set reached = 0;  ///< by calls at which they could have come
  trace seen{};
  text broken{}, sentence{};  ///< which promise, and how; empty: none
  list<descriptor> descriptors{};

  world() = default;
  world(world const&) = delete;
  world& operator=(world const&) = delete;
  ~world() {
    for (auto& p : processes_)
      if (p.memory) arena::give(p.memory);
  }

  void reset(schedule const& s, surroundings& around) {
    around_ = &around;
    plan = s;
    luck = chance{s.seed};
    ill = chance{s.seed ^ 0x5bf0363512a4c9d7u};
    bits = chance{s.seed ^ 0x3c6ef372fe94f82bu};
    now = 3600 * seconds;
    phase = phase::faulting;
    points = own_calls_ = 0;
    decisions.clear();
    hit = {};
    reached = 0;
    seen.clear();
    broken.clear();
    sentence.clear();
    events_.clear();
    events_made_ = yields_ = 0;
    descriptors.clear();
    while (processes_.size() < static_cast<std::size_t>(s.processes)) processes_.emplace_back().memory = arena::take();
    while (threads_.size() < static_cast<std::size_t>(s.processes)) threads_.emplace_back();
    for (auto& t : threads_) end(t);
    // Not all of them in each schedule: some are only dangerous where others don't get in between.
    for (std::size_t f = 1; f < faults; ++f)
      if (!has(disk_faults & ~s.faults, static_cast<fault>(f)) && ill.one_in(4))
        plan.faults &= ~only(static_cast<fault>(f));
    for (int i = 0; i < s.processes; ++i) {
      auto& p = processes_[static_cast<std::size_t>(i)];
      p.life = 0;
      p.calls = 0;
      p.silent_since = -1;
      p.still_until = 0;
      p.wall_off = 0;
      auto& t = threads_[static_cast<std::size_t>(i)];
      t.state = thread::dead;
      t.of = i;
      t.wake_at = now + luck.between(0, i == 0 ? 1 : 300) * ms;
    }
  }

  /// Until all processes have ended, or something is broken.
  void run() {
    current_ = -1;
    switch_to(pick());
  }

  // ---- for processes

  int current() const { return current_; }
  int life() const { return processes_[index()].life; }
  int life_of(int i) const { return processes_[static_cast<std::size_t>(i)].life; }
  bool is_dead(int i) const {
    auto const s = threads_[static_cast<std::size_t>(i)].state;
    return s == thread::dead || s == thread::ended;
  }
  std::int64_t silent_since(int i) const { return processes_[static_cast<std::size_t>(i)].silent_since; }
  bool failed() const { return !broken.empty(); }
  std::int64_t wall_ms() const {
    return 1'700'000'000'000 + (now + (current_ < 0 ? 0 : processes_[index()].wall_off)) / ms;
  }

  /// A call to the outside begins: others may run first, and this process may stand still or die. Answers what else is
  /// to go wrong with this call; ended() must follow once it has had its effect.
  fault begins(call c, std::int32_t partition = -1, std::int64_t a = 0, std::int64_t b = 0) {
    auto& p = processes_[index()];
    now += 5 + luck.below(c == call::effect || c == call::write || c == call::handle ? 800 : 250);
    ++points;
    p.in_call = c != call::wait && c != call::poll && c != call::rest && c != call::boot;
    auto const d = decide(current_, p.calls++, c);
    note(call_names[static_cast<std::size_t>(c)], partition, a, b, d.what);
    amount_ = d.amount;
    if (d.what == fault::crash_before) die(d.amount);
    if (d.what == fault::pause_before) stand_still(d.amount);
    perhaps_others();
    amount_ = d.amount;
    return d.what;
  }
  void ends(fault f) {
    auto const amount = amount_;
    if (f == fault::crash_after) die(amount);
    if (f == fault::pause_after) stand_still(amount);
    perhaps_others();
    processes_[index()].in_call = false;
  }
  /// That fault found nothing to harm, so it does not count.
  void missed(fault f) { --hit[static_cast<std::size_t>(f)]; }
  /// How much of the fault that begins() answered with: a time in µs, or any number.
  std::int64_t amount() const { return amount_; }
  void amount(std::int64_t a) { amount_ = a; }

  /// Waits; `listening`: until news() at the latest.
  void sleep_until(std::int64_t at, bool listening = false) {
    auto& t = threads_[thread_];
    auto const amount = amount_;
    t.wake_at = std::max(at, now);
    t.listening = listening;
    t.state = thread::asleep;
    give_way();
    amount_ = amount;
  }
  void news() {
    for (auto& t : threads_)
      if (t.state == thread::asleep && t.listening) t.wake_at = std::min(t.wake_at, now);
  }

  // ---- threads of a process

  /// Its number. It runs `body(argument)` when it is its turn, and goes with the process.
  std::size_t start_thread(void* (*body)(void*), void* argument) {
    auto i = static_cast<std::size_t>(plan.processes);
    while (i < threads_.size() && (threads_[i].state != thread::ended || threads_[i].to_be_joined)) ++i;
    auto* const mine = std::exchange(arena_in_use, nullptr);  // it stays when the process has gone
    if (i == threads_.size()) threads_.emplace_back();
    arena_in_use = mine;
    auto& t = threads_[i];
    t.of = current_;
    t.run = body;
    t.argument = argument;
    t.to_be_joined = true;
    t.state = thread::ready;
    t.stacks[t.turn].start([](void* self) { static_cast<world*>(self)->live_as_thread(); }, this);
    return i;
  }
  void join_thread(std::size_t i) {
    while (threads_[i].state != thread::ended) wait_on(&threads_[i], never);
    threads_[i].to_be_joined = false;
  }
  /// Until wake(what), or `at`, or for no reason.
  void wait_on(void const* what, std::int64_t at) {
    threads_[thread_].waits_on = what;
    sleep_until(at);
    threads_[thread_].waits_on = nullptr;
  }
  void wake(void const* what, bool all = true) {
    std::uint32_t waiting = 0;
    for (auto const& t : threads_) waiting += waits(t, what);
    if (waiting == 0) return;
    auto which = all ? 0 : luck.below(waiting);
    for (auto& t : threads_)
      if (waits(t, what) && (all || which-- == 0)) t.wake_at = now;
  }
  /// Others of this process may run at a lock.
  void at_lock() {
    for (auto i = static_cast<std::size_t>(plan.processes); i < threads_.size(); ++i)
      if (threads_[i].of == current_ && threads_[i].state != thread::ended) return perhaps_others();
  }
  /// Others may run here.
  void perhaps_others() {
    if (luck.one_in(3)) give_way();
  }

  /// Killed from outside; it is started again `us` later.
  void kill(int i, std::int64_t us) {
    if (is_dead(i)) return;
    around_->silent(i);
    processes_[static_cast<std::size_t>(i)].silent_since = now;
    put_out(i, us);
  }

  // ---- for everybody

  void note(char const* what, std::int32_t partition = -1, std::int64_t a = 0, std::int64_t b = 0,
            fault wrong = fault::none) {
    seen.add({now, current_, current_ < 0 ? 0 : life(), what, partition, wrong, a, b});
  }
  void later(std::int64_t at, void (*what)(void*, std::int64_t), void* of, std::int64_t which) {
    events_.push_back({at, events_made_++, what, of, which});
  }
  void wall_jump(int i, std::int64_t us) { processes_[static_cast<std::size_t>(i)].wall_off += us; }
  bool all_ended() const {
    for (auto const& t : threads_)
      if (t.state != thread::ended) return false;
    return true;
  }

  /// The first one counts. In a process it does not return.
  void violated(char const* name, std::string const& how) {
    if (failed()) return;
    broken = name;
    sentence.assign(how.data(), how.size());
    note(name);
    if (current_ >= 0) give_way();
  }

  void stop_processes() {
    phase = phase::stopping;
    news();
  }

 private:
  std::int64_t amount_ = 0;

  std::size_t index() const { return static_cast<std::size_t>(current_); }

  decision decide(int who, std::uint32_t at, call c) {
    decision d{who, at, fault::none, 0};
    if (plan.replay) {
      for (auto const& given : plan.decisions)
        if (given.process == who && given.at == at && has(faults_of(c), given.what)) d = given;
    } else {
      if (phase != phase::faulting || decisions.size() >= plan.most_faults) return d;
      auto const could = faults_of(c) & plan.faults;
      reached |= could;
      if (could == 0 || !(ill.below(10'000) < plan.rate * weight_of(c))) return d;
      auto n = ill.below(static_cast<std::uint32_t>(std::popcount(could)));
      auto set = could;
      while (n-- > 0) set &= set - 1;
      d.what = static_cast<fault>(std::countr_zero(set));
      d.amount = some_time(ill);
    }
    if (d.what == fault::none) return d;
    decisions.push_back(d);
    bool const of_process = d.what <= fault::pause_after;
    if (who >= 0 && (!of_process || processes_[index()].in_call || around_->busy(who)))
      ++hit[static_cast<std::size_t>(d.what)];
    return d;
  }

  void fall_silent() {
    processes_[index()].silent_since = now;
    around_->silent(current_);
  }

  void stand_still(std::int64_t us) {
    note("stands still", -1, us / ms);
    fall_silent();
    processes_[index()].still_until = now + us;
    sleep_until(now + us);
    auto& p = processes_[index()];
    p.silent_since = -1;
    note("goes on");
    around_->speaks(current_);
  }

  [[noreturn]] void die(std::int64_t us) {
    note("dies");
    fall_silent();
    gone(us);
  }
  [[noreturn]] void gone(std::int64_t us) {
    arena_in_use = nullptr;
    put_out(current_, us);
    for (;;) give_way();
  }
  void put_out(int i, std::int64_t us) {
    for (auto& t : threads_)
      if (t.of == i) end(t);
    auto& p = processes_[static_cast<std::size_t>(i)];
    p.memory->reset();
    p.still_until = 0;
    for (auto& d : descriptors)
      if (d.process == i) d.process = -1;
    auto& first = threads_[static_cast<std::size_t>(i)];
    first.of = i;
    first.state = phase == phase::stopping ? thread::ended : thread::dead;
    first.wake_at = now + us;
  }
  static void end(thread& t) {
    t.state = thread::ended;
    t.of = -1;
    t.listening = t.to_be_joined = false;
    t.waits_on = nullptr;
  }
  bool waits(thread const& t, void const* what) const {
    return t.of == current_ && t.state == thread::asleep && t.waits_on == what && t.wake_at > now;
  }

  /// Another thread, or this one, goes on.
  void give_way() {
    arena_in_use = nullptr;
    switch_to(pick());
    if (current_ >= 0) arena_in_use = processes_[index()].memory;
  }

  void switch_to(int next) {
    auto* to = &main_;
    if (next >= 0) {
      thread_ = static_cast<std::size_t>(next);
      auto& t = threads_[thread_];
      to = &t.stacks[t.turn];
    }
    current_ = next < 0 ? -1 : threads_[thread_].of;
    if (to != running_) fibre::go(*std::exchange(running_, to), *to);
  }

  /// -1: it is over.
  int pick() {
    for (;;) {
      if (failed()) return -1;
      fire();
      in_world([&] { around_->look_around(); });
      world_faults();
      if (failed() || all_ended()) return -1;
      choice_.clear();
      auto soonest = never;
      for (std::size_t i = 0; i < threads_.size(); ++i) {
        auto const& t = threads_[i];
        if (t.state == thread::ended) continue;
        auto const at = std::max(t.state == thread::ready ? now : t.wake_at,
                                 processes_[static_cast<std::size_t>(t.of)].still_until);
        if (at <= now)
          choice_.push_back(static_cast<int>(i));
        else
          soonest = std::min(soonest, at);
      }
      if (choice_.empty()) {
        for (auto const& e : events_) soonest = std::min(soonest, e.at);
        if (soonest == never) {
          violated("liveness", "each thread waits for another one");
          return -1;
        }
        now = std::max(now, soonest);
        continue;
      }
      auto const next = choice_[luck.below(static_cast<std::uint32_t>(choice_.size()))];
      wake(next);
      return next;
    }
  }

  void wake(int next) {
    auto& t = threads_[static_cast<std::size_t>(next)];
    if (t.state == thread::dead) {
      auto& p = processes_[static_cast<std::size_t>(next)];
      ++p.life;
      p.silent_since = -1;
      p.memory->reset();
      t.turn ^= 1;
      t.stacks[t.turn].start([](void* self) { static_cast<world*>(self)->live(); }, this);
    }
    t.state = thread::ready;
    t.listening = false;
  }

  void live() {
    arena_in_use = processes_[index()].memory;
    ends(begins(call::boot));
    std::int64_t rest = 50 * ms;
    around_->main(current_);
    if (phase != phase::stopping) rest = luck.between(1, 2000) * ms;
    note("ended");
    gone(rest);
  }

  void live_as_thread() {
    arena_in_use = processes_[index()].memory;
    auto& t = threads_[thread_];
    t.run(t.argument);
    t.state = thread::ended;
    wake(&t);
    for (;;) give_way();
  }

  void fire() {
    for (;;) {
      std::size_t first = events_.size();
      for (std::size_t i = 0; i < events_.size(); ++i)
        if (events_[i].at <= now && (first == events_.size() || events_[i].at < events_[first].at ||
                                     (events_[i].at == events_[first].at && events_[i].order < events_[first].order)))
          first = i;
      if (first == events_.size()) return;
      auto const e = events_[first];
      events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(first));
      in_world([&] { e.run(e.of, e.what); });
    }
  }

  void world_faults() {
    in_world([&] {
      auto const d = decide(-1, own_calls_++, call::world);
      if (d.what == fault::none) return;
      note("the world", -1, d.amount / ms, 0, d.what);
      if (around_->happen(d)) ++hit[static_cast<std::size_t>(d.what)];
    });
  }

  template <class F>
  void in_world(F f) {
    auto const was = std::exchange(current_, -1);
    f();
    current_ = was;
  }
};

/// The one that runs on this thread now, or null: whom the clocks of program.hpp ask.
inline constinit thread_local world* world_running = nullptr;

}}}}  // namespace sluice::v0::testing::simulated
