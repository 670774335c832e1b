/// \file testing/simulation.hpp  Runs your handlers and stores through thousands of ways to fail, each of which can be replayed by its seed.
///
/// Consumer processes, a Kafka with a group, offset stores and time live in one thread. One seeded source of chance says which
/// process runs next, and what goes wrong at each call to the outside: a process is killed, or stands still for longer
/// than its session; a request is lost, or its answer, or it arrives late. What runs is the library's own consumer:
///
///     #define SLUICE_SIMULATION_PROGRAM  // in one source file of the program
///     #include <sluice/testing/simulation.hpp>
///     namespace st = sl::testing;
///
///     void program(st::process& p) {
///       sl::stream_consumer c{sl::at_least_once{}, p.kafka(), p.offsets(), p.clock()};
///       while (p.running()) c.step([&](sl::batch const& b) { p.handle(b); }, std::chrono::milliseconds{100});
///     }
///     st::simulation world{st::promise::at_least_once, program};
///     if (argc > 1) std::cout << world.story(world.run(st::replayed(argc, argv).value()), "my_test");
///     for (std::uint64_t seed = 1; seed <= 1000; ++seed)
///       if (auto const r = world.run({.seed = seed}); r.failed()) std::cout << world.story(world.shrink(r), "my_test");
///
/// A record's value is its number in the schedule, its key a letter from a to f: a handler that reads more of them asks a function of the
/// test's own for it. Stores of your own go in by watched.hpp. Those of the library are simulated_offsets here, and by themselves
/// in the library's own tests.
///
/// A line of a story's trace: the time, who (p1.3: process 1 in its third life; world: what happens by itself), the call and its
/// partition, two numbers (of take, effect and handle: the offset, and the record or how many; of others where they stand and how many),
/// and behind an arrow what went wrong there. A fault to be replayed is process:call:name:amount, process -1 the world; the calls of
/// a process are counted from the schedule's beginning.
///
/// State and windows run on simulated_offsets with <sluice/testing/simulation/state.hpp>; simulation::on_commit sees what each
/// transaction has left: the texts that it emitted, and all rows with their due times.
///
/// A process that is killed runs no destructor: its stack is left, and its memory goes as a whole. So the program must let
/// operator new ask which process runs; what it takes by malloc is not given back. Threads that a process starts are scheduled as
/// processes are, and go with it (not under the thread sanitizer). A process has 256 KiB of stack and 4 MiB of memory, in blocks of
/// powers of two: beyond them it ends by SIGSEGV, or gets std::bad_alloc, which the story tells as the last exception.
#pragma once
#include <sluice/testing/simulation/process.hpp>
#include <sluice/testing/simulation/replay.hpp>
#include <sluice/testing/simulation/watched.hpp>
#ifdef SLUICE_SIMULATION_PROGRAM
#include <sluice/testing/simulation/program.hpp>
#endif

#include <functional>

namespace sluice { inline namespace v0 { namespace testing {

/// What became of one schedule.
struct result {
  schedule plan{};
  std::string broken{};    ///< the check that failed; empty: none did
  std::string sentence{};  ///< what it saw
  std::uint64_t hash = 0;  ///< of the trace
  std::uint32_t points = 0;
  std::array<std::uint32_t, faults> hit{};  ///< of each fault, those that hit something in flight
  fault_set reached = 0;                    ///< those that could have come at some call
  std::array<std::uint32_t, meetings> met{};
  std::array<bool, meetings> could_meet{};
  std::vector<decision> decisions{};
  std::string threw{};  ///< what the last exception said that left a program; it was started again
  std::string trace{};  ///< of a failed schedule: its last lines

  bool failed() const { return !broken.empty(); }
  std::uint32_t effective() const {
    std::uint32_t n = 0;
    for (auto const h : hit) n += h;
    return n;
  }
};

/// A record of the simulated topic.
struct simulated_record {
  std::int32_t partition = 0;
  offset at{};
  std::string key{}, value{};
};

/// One at a time on a thread; run() may be called again and again.
class simulation final : simulated::surroundings {
  simulated::world world_{};
  simulated::surrounding around_{world_};
  promise kept_;
  std::function<void(process&)> program_;
  bool offsets_in_group_;
  std::int64_t healed_at_ = 0, stopping_at_ = 0;
  simulated::text threw_{};

  static constexpr std::int64_t faults_for = 120 * simulated::seconds;

 public:
  /// `offsets_in_group`: the program keeps its offsets in the group (kafka_offsets).
  simulation(promise kept, std::function<void(process&)> program, bool offsets_in_group = false)
      : kept_(kept), program_(std::move(program)), offsets_in_group_(offsets_in_group) {}

  /// Within this much simulated time the stream must be at its end, once nothing goes wrong any more.
  std::chrono::seconds heals_within{300};

  /// Before each schedule: makes what the program has outside of its processes as it was.
  std::function<void()> on_begin{};
  /// When all is read: what is wrong with the results that the program made, or nothing.
  std::function<std::string()> on_end{};
  /// After each commit of a transaction to simulated_offsets: what is wrong with its outputs or with the rows of state that are there
  /// now, or nothing.
  std::function<std::string(simulated_commit const&)> on_commit{};
  /// For a source of the program's own, which places what it has into the topic: all of it was sent.
  std::function<bool()> sent{};
  /// What becomes of a fault of disks; whether it hit anything. None of them comes where this is empty.
  std::function<bool(decision const&)> on_disk_fault{};
  /// The program's store is told of an advance, and stores it with others at intervals (periodic_kafka_offsets).
  bool stores_later = false;
  /// Those that can come at all.
  fault_set possible = all_faults;
  /// The longest time between two sends of a producer's.
  std::chrono::milliseconds sends_within{12};
  /// For an offset store of the program's own (see watched.hpp): what it has durable, if anything.
  simulated::look_at_store stored{};

  /// What readers of committed records find in the topic, while a schedule runs.
  std::vector<simulated_record> records() const {
    std::vector<simulated_record> all;
    auto const& t = around_.cluster.topic;
    for (auto const& log : t.logs)
      for (auto const id : log.entries)
        if (auto const& r = t.record(id); r.visible && r.at < log.end())
          all.push_back({r.partition, offset{r.at}, r.key, r.value});
    return all;
  }

  /// By its number, which is also its value; for on_commit.
  simulated::produced_record const& record(std::uint32_t number) const { return around_.cluster.topic.record(number); }

  /// The parts of the world, for sources of a program's own.
  simulated::surrounding& around() { return around_; }

  /// Throws std::invalid_argument where the plan is larger than its world.
  result run(schedule const& plan) {
    plan.check();
    auto wanted = plan;
    wanted.faults &= on_disk_fault ? possible : possible & ~disk_faults;
    if (sent) wanted.partitions = 1, wanted.faults &= ~only(fault::stuck);  // nobody else sends
    world_.reset(wanted, *this);
    if (offsets_in_group_) world_.plan.faults &= ~only(fault::store_down);  // nobody asks that store
    around_.cluster.sends_within = sends_within.count();
    around_.cluster.witness.stores_later = stores_later;
    around_.cluster.reset(kept_, offsets_in_group_, static_cast<bool>(sent));
    around_.store.reset();
    around_.store.on_commit = &on_commit;
    around_.output.reset();
    around_.requests.clear();
    around_.stored = stored;
    around_.asked.clear();
    if (on_begin) on_begin();
    healed_at_ = stopping_at_ = 0;
    threw_.clear();
    simulated::world_running = &world_;
    world_.run();
    simulated::world_running = nullptr;
    if (!world_.failed()) around_.cluster.witness.all_ended();
    result r{.plan = plan};
    r.broken.assign(world_.broken.data(), world_.broken.size());
    r.sentence.assign(world_.sentence.data(), world_.sentence.size());
    r.threw.assign(threw_.data(), threw_.size());
    r.hash = world_.seen.hash();
    r.points = world_.points;
    r.hit = world_.hit;
    r.reached = world_.reached;
    r.met = world_.met;
    r.could_meet = world_.could_meet;
    r.decisions.assign(world_.decisions.begin(), world_.decisions.end());
    if (r.failed()) r.trace = world_.seen.tail(plan.lines);
    return r;
  }

  /// The same failure with as few faults and records as still make it.
  result shrink(result r) {
    auto const smaller = [&](schedule s) {
      s.replay = true;
      auto again = run(s);
      if (again.broken != r.broken) return false;
      auto decisions = s.decisions;
      r = std::move(again);
      r.plan.decisions = decisions;
      return true;
    };
    auto first = r.plan;
    first.decisions = r.decisions;
    if (!smaller(first)) return r;
    for (bool better = true; better;) {
      better = false;
      for (std::size_t i = 0; i < r.plan.decisions.size();) {
        auto s = r.plan;
        s.decisions.erase(s.decisions.begin() + static_cast<std::ptrdiff_t>(i));
        if (smaller(s))
          better = true;
        else
          ++i;
      }
      for (int const records : {r.plan.records / 2, r.plan.records - 1}) {
        auto s = r.plan;
        s.records = records;
        if (records > 0 && records < r.plan.records && smaller(s)) better = true;
      }
    }
    return r;
  }

  /// What was broken, how it came to it, and the command that replays it; `command` begins it.
  std::string story(result const& r, std::string const& command = "simulate") const {
    auto const& d = r.plan.replay ? r.plan.decisions : r.decisions;
    std::string s = std::string{promise_names[static_cast<std::size_t>(kept_)]} + ": ";
    s += r.failed() ? r.broken + "\n  " + r.sentence + "\n" + r.trace : "nothing was wrong\n";
    if (r.plan.replay && r.decisions.size() < d.size())
      s += "of " + std::to_string(d.size()) + " faults " + std::to_string(r.decisions.size()) + " came to their turn\n";
    if (!r.threw.empty()) s += "the last exception that left a program: " + r.threw + "\n";
    s += "replay: " + command + " --seed " + std::to_string(r.plan.seed) + " --processes " +
         std::to_string(r.plan.processes) + " --partitions " + std::to_string(r.plan.partitions) + " --records " +
         std::to_string(r.plan.records);
    if (r.plan.most_faults != schedule{}.most_faults) s += " --most-faults " + std::to_string(r.plan.most_faults);
    if (r.plan.most_points != schedule{}.most_points) s += " --most-points " + std::to_string(r.plan.most_points);
    if (r.plan.cooperative) s += " --cooperative";
    s += " --faults '" + to_string(d) + "'\n";
    return s;
  }

 private:
  void main(int number) override {
    around_.cluster.boots(number);
    process p{around_, number, offsets_in_group_};
    try {
      program_(p);
    } catch (std::exception const& e) {
      threw_ = e.what();
      world_.note("threw");
    }
  }
  void silent(int number) override {
    around_.cluster.group.silent(number);
    for (int const p : around_.cluster.presence_of(number).owned) around_.cluster.witness.excuse(p);
  }
  void speaks(int number) override { around_.cluster.group.speaks(number); }
  bool happen(decision const& d) override {
    if (has(disk_faults, d.what)) return on_disk_fault(d);
    if (d.what != fault::store_down) return around_.cluster.happen(d);
    around_.store.go_down_until(world_.now + d.amount);
    return false;
  }
  bool busy(int number) const override { return around_.cluster.present[static_cast<std::size_t>(number)].out > 0; }

  /// Faults, then none any more until all is read, then the end.
  void look_around() override {
    using simulated::phase;
    auto& w = world_;
    around_.look_at_stored();
    if (w.points > w.plan.most_points) return around_.cluster.witness.too_long("too many steps");
    switch (w.phase) {
      case phase::faulting: {
        bool const enough = w.decisions.size() >= w.plan.most_faults;
        if ((sent ? enough || sent() : around_.cluster.topic.all_produced()) &&
            (enough || around_.cluster.witness.at_end() || w.now > 3600 * simulated::seconds + faults_for)) {
          w.phase = phase::healing;
          healed_at_ = w.now;
          w.note("no more faults");
        }
        return;
      }
      case phase::healing:
        if ((!sent || sent()) && around_.cluster.witness.at_end()) {
          around_.cluster.witness.all_read();
          if (kept_ == promise::idempotent && around_.output.is_in_use()) around_.output.all_read();
          if (on_end)
            if (auto const wrong = on_end(); !wrong.empty()) w.violated("results", wrong);
          if (w.failed()) return;
          stopping_at_ = w.now;
          w.note("all is read");
          w.stop_processes();
        } else if (w.now - healed_at_ > heals_within.count() * simulated::seconds)
          around_.cluster.witness.too_long("the end was not reached in time, though nothing goes wrong any more");
        return;
      case phase::stopping:
        if (w.now - stopping_at_ > 120 * simulated::seconds)
          around_.cluster.witness.too_long("a consumer does not close");
        return;
    }
  }
};

}}}  // namespace sluice::v0::testing
