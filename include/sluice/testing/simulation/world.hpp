/// \file testing/simulation/world.hpp  One schedule: time, processes, which of them runs next.
#pragma once
#include <sluice/testing/simulation/chosen_faults.hpp>
#include <sluice/testing/simulation/due_events.hpp>
#include <sluice/testing/simulation/trace.hpp>

#include <memory>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

class world : public chosen_faults {
  using process = scheduled_process;
  using thread = scheduled_thread;

  surroundings* around_ = nullptr;
  std::deque<process> processes_{};
  std::deque<thread> threads_{};
  due_events events_{};
  list<int> choice_{};
  fibre main_{};
  fibre* running_ = &main_;
  int current_ = -1;        // process
  std::size_t thread_ = 0;  // that runs, or ran last
  std::uint32_t own_calls_ = 0;

 public:
  chance luck{}, bits{};  // bits: what processes ask the machine for
  std::int64_t now = 0;   ///< µs
  simulated::phase phase = phase::faulting;
  std::uint32_t points = 0;
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
    plan_for(s);
    luck = chance{s.seed};
    bits = chance{s.seed ^ 0x3c6ef372fe94f82bu};
    now = 3600 * seconds;
    phase = phase::faulting;
    points = own_calls_ = 0;
    seen.clear();
    broken.clear();
    sentence.clear();
    events_.clear();
    descriptors.clear();
    while (processes_.size() < static_cast<std::size_t>(s.processes)) processes_.emplace_back().memory = arena::take();
    while (threads_.size() < static_cast<std::size_t>(s.processes)) threads_.emplace_back();
    for (auto& t : threads_) end(t);
    for (int i = 0; i < s.processes; ++i) {
      auto& p = processes_[static_cast<std::size_t>(i)];
      p.life = 0;
      p.calls = 0;
      p.silent_since = -1;
      p.still_until = 0;
      p.wall_off = p.stalled = 0;
      p.jump_unmet = false;
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
  /// What the monotonic clock of the process that runs says; outside of processes the world's time.
  std::int64_t steady() const { return now - stalled(); }
  /// When it will say that.
  std::int64_t when(time_point t) const {
    return std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count() + stalled();
  }
  /// A jump counts once its process has looked at the clock.
  std::int64_t wall_ms() {
    if (current_ >= 0 && std::exchange(processes_[index()].jump_unmet, false)) hits(fault::wall_jump);
    return 1'700'000'000'000 + (now + (current_ < 0 ? 0 : processes_[index()].wall_off)) / ms;
  }

  /// A call to the outside begins: others may run first, and this process may stand still or die. Answers what else is
  /// to go wrong with this call; ended() must follow once it has had its effect.
  fault begins(call c, std::int32_t partition = -1, std::int64_t a = 0, std::int64_t b = 0) {
    auto& p = processes_[index()];
    now += 5 + luck.below(c == call::effect || c == call::write || c == call::handle ? 800 : 250);
    ++points;
    p.in_call = c != call::wait && c != call::poll && c != call::rest && c != call::boot;
    auto const d = decide(current_, p.calls++, c, phase == phase::faulting);
    if (d.what != fault::none && (!is_of_process(d.what) || p.in_call || around_->busy(current_))) hits(d.what);
    note(call_names[static_cast<std::size_t>(c)], partition, a, b, d.what);
    amount_ = d.amount;
    if (d.what == fault::crash_before) die(d.amount);
    if (d.what == fault::pause_before || d.what == fault::stall) stand_still(d.amount, d.what == fault::stall);
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
    events_.add({at, what, of, which});
  }
  void wall_jump(int i, std::int64_t us) {
    auto& p = processes_[static_cast<std::size_t>(i)];
    p.wall_off += us;
    p.jump_unmet = us != 0;
  }
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

  void fall_silent() {
    processes_[index()].silent_since = now;
    around_->silent(current_);
  }

  std::int64_t stalled() const { return current_ < 0 ? 0 : processes_[index()].stalled; }

  void stand_still(std::int64_t us, bool with_its_clock = false) {
    note("stands still", -1, us / ms);
    fall_silent();
    processes_[index()].still_until = now + us;
    if (with_its_clock) {
      processes_[index()].stalled += us;
      for (auto& t : threads_)
        if (t.of == current_ && t.state == thread::asleep && t.wake_at != never) t.wake_at += us;
    }
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
        soonest = std::min(soonest, events_.next_at());
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
    while (auto const e = events_.take(now)) in_world([&] { e->run(e->of, e->what); });
  }

  void world_faults() {
    in_world([&] {
      auto const d = decide(-1, own_calls_++, call::world, phase == phase::faulting);
      if (d.what == fault::none) return;
      note("the world", -1, d.amount / ms, 0, d.what);
      if (around_->happen(d)) hits(d.what);
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
