#define SLUICE_SIMULATION_PROGRAM
#include <sluice/testing/simulation.hpp>
#include <sluice/testing/simulation/state.hpp>

#include <iomanip>
#include <sstream>
#include <thread>

#include "../simulation/consumers.hpp"
#include "catch.hpp"

using namespace simulated_consumers;
using namespace std::chrono_literals;

namespace {
constexpr auto crashes = st::only(st::fault::crash_before) | st::only(st::fault::crash_after);

/// Tells that it is done with a batch as soon as it has put it aside, and makes the effects with the next one.
struct procrastinator {
  st::process& p;
  std::vector<std::uint32_t> aside{};
  void operator()(sl::batch const& b) {
    p.handling(b);
    aside.clear();
    for (sl::record r : b) aside.push_back(p.number_of(r).id);
  }
};

st::result first_failure(st::simulation& world, st::schedule plan, std::uint64_t most = 200) {
  for (; plan.seed <= most; ++plan.seed)
    if (auto r = world.run(plan); r.failed()) return r;
  return {};
}

/// As a program reads it from its command line.
st::schedule plan_of(std::string const& story) {
  std::istringstream line{story.substr(story.find("replay: "))};
  std::vector<std::string> words;
  for (std::string word; line >> std::quoted(word, '\'', '\0');) words.push_back(word);
  std::vector<char const*> argv;
  for (auto const& w : words) argv.push_back(w.c_str());
  return st::replayed(static_cast<int>(argv.size()), argv.data(), 2).value();
}

/// A member of the group on the simulated store, whose batches go to `handle`.
auto handing_to(auto handle) {
  return [handle](st::process& p) {
    sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka> c{p.kafka(), p.offsets()};
    while (p.running()) try {
        c.step([&](sl::batch const& b) { handle(p, b); }, 100ms);
      } catch (st::handler_failure const&) {}
  };
}
}  // namespace

TEST_CASE("the same seed gives the same trace, whatever ran before; another seed another one") {
  auto world = on_store<sl::at_least_once>();
  std::vector<std::uint64_t> seen;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) seen.push_back(world.run({.seed = seed}).hash);
  auto fresh = on_store<sl::at_least_once>();
  for (std::uint64_t seed = 20; seed >= 1; --seed) CHECK(fresh.run({.seed = seed}).hash == seen[seed - 1]);
  std::sort(seen.begin(), seen.end());
  CHECK(std::unique(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("the faults of a schedule, given back to it, make the same trace") {
  auto world = on_group<sl::at_most_once>();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    auto const r = world.run({.seed = seed});
    auto again = r.plan;
    again.replay = true;
    again.decisions = r.decisions;
    CHECK(world.run(again).hash == r.hash);
  }
}

TEST_CASE("a handler that is not done when it says so is found, and its failure is made small") {
  st::simulation world{st::promise::at_least_once, [](st::process& p) {
                         sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka> c{
                             p.kafka(), p.offsets()};
                         procrastinator handler{p};
                         while (p.running()) c.step(handler, 100ms);
                       }};
  auto const r = first_failure(world, {.faults = crashes});
  REQUIRE(r.failed());
  CHECK(r.broken == "lost");
  auto const small = world.shrink(r);
  CHECK(small.broken == "lost");
  CHECK(small.plan.decisions.empty());  // it needs no fault at all
  CHECK(small.plan.records < 5);
  auto const story = world.story(small, "simulate");
  CHECK_THAT(story, Catch::Matchers::ContainsSubstring("never handled"));
  CHECK_THAT(story, Catch::Matchers::ContainsSubstring("replay: simulate --seed " + std::to_string(r.plan.seed)));
}

TEST_CASE("what a story prints of a failure in a cooperative group replays it there") {
  std::array<bool, 2> handled{};
  st::simulation world{st::promise::at_least_once, [&](st::process& p) {
                         sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka> c{
                             p.kafka(), p.offsets()};
                         while (p.running())
                           c.step(
                               [&](sl::batch const& b) {
                                 p.handle(b);
                                 handled[static_cast<std::size_t>(p.number())] = true;
                                 if (handled[0] && handled[1]) p.broken("both", "the group has shared its partitions");
                               },
                               100ms);
                       }};
  world.on_begin = [&] { handled = {}; };
  // A schedule that goes another way where the group is eager.
  st::result r;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    r = world.run({.seed = seed, .faults = 0, .cooperative = true});
    if (r.failed() && world.run({.seed = seed, .faults = 0}).hash != r.hash) break;
  }
  REQUIRE(r.broken == "both");
  auto plan = plan_of(world.story(r));
  CHECK(world.run(plan).broken == r.broken);
  CHECK(world.run(plan).hash == r.hash);
  plan.cooperative = false;
  CHECK(world.run(plan).hash != r.hash);
}

TEST_CASE("what a story prints of more faults than usual replays them; what did not go wrong is told as that") {
  auto world = on_store<sl::at_least_once>();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    auto const r = world.run({.seed = seed, .faults = st::all_faults, .most_faults = 30, .rate = 100});
    auto const story = world.story(r);
    CHECK(world.run(plan_of(story)).hash == r.hash);
    CHECK_THAT(story, Catch::Matchers::ContainsSubstring("nothing was wrong"));
  }
  st::schedule const plan{.replay = true, .decisions = {{0, 1'000'000, st::fault::crash_before, 0}}};
  CHECK_THAT(world.story(world.run(plan)), Catch::Matchers::ContainsSubstring("of 1 faults 0 came to their turn"));
}

TEST_CASE("a plan that is larger than the world is refused") {
  auto world = on_store<sl::at_least_once>();
  CHECK_THROWS_WITH(world.run({.processes = 9}), "schedule.processes is 9: take 1 to 8");
  CHECK_THROWS_WITH(world.run({.partitions = 0}), "schedule.partitions is 0: take 1 to 8");
  CHECK_THROWS_WITH(world.run({.records = 2001}), "schedule.records is 2001: take 0 to 2000");
}

TEST_CASE("who does not say what is about to be handled is told so, and not left unchecked") {
  st::simulation world{st::promise::at_least_once, handing_to([](st::process& p, sl::batch const& b) {
                         for (sl::record r : b) p.effect(r, [] {});
                       })};
  auto const r = world.run({.faults = 0});
  CHECK(r.broken == "contract");
  CHECK_THAT(r.sentence, Catch::Matchers::ContainsSubstring("no handling() has announced"));
}

TEST_CASE("an output that the program has for itself is not compared with the simulation's") {
  st::simulation world{st::promise::idempotent, handing_to([](st::process& p, sl::batch const& b) { p.handle(b); })};
  CHECK(first_failure(world, {}).broken == "");
}

TEST_CASE("who is killed runs no destructor, and leaves no memory and no exception behind") {
  struct counted {
    int& ended;
    ~counted() { ++ended; }
  };
  int begun = 0, ended = 0;
  bool one_held = true, none_held = true;
  st::simulation world{st::promise::at_least_once, [&](st::process& p) {
                         counted const here{ended};
                         ++begun;
                         sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka> c{
                             p.kafka(), p.offsets()};
                         while (p.running()) {
                           try {
                             c.step(
                                 [&](sl::batch const& b) {
                                   p.handle(b);
                                   if (p.choose(2) == 0) p.fail();
                                 },
                                 100ms);
                           } catch (st::handler_failure const&) {
                             p.rest(1ms);  // killed here it holds an exception
                             one_held &= st::simulated::arena_in_use->exceptions() == 1;
                           }
                           none_held &= st::simulated::arena_in_use->exceptions() == 0;
                         }
                       }};
  std::uint32_t killed = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    auto const r = world.run({.seed = seed, .faults = crashes, .rate = 100});
    killed += static_cast<std::uint32_t>(r.decisions.size());
    REQUIRE(r.broken == "");
  }
  CHECK(one_held);
  CHECK(none_held);
  CHECK(killed > 100);
  // Those that are killed before the program begins, or after it has ended, are in none of the two numbers.
  CHECK(begun - ended <= static_cast<int>(killed));
  CHECK(begun - ended > 50);
}

TEST_CASE("clocks, sleep and random_device are the simulation's inside of it, and the machine's outside") {
  std::vector<std::uint64_t> seen;
  st::simulation world{st::promise::at_least_once, [&](st::process& p) {
                         auto const begun = std::chrono::steady_clock::now();
                         std::this_thread::sleep_for(1h);
                         auto const slept = (std::chrono::steady_clock::now() - begun) / 1h;
                         auto const number = std::random_device{}();
                         p.outside([&] { seen.insert(seen.end(), {static_cast<std::uint64_t>(slept), number}); });
                         sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka> c{
                             p.kafka(), p.offsets()};
                         while (p.running()) c.step([&](sl::batch const& b) { p.handle(b); }, 100ms);
                       }};
  auto const begun = std::chrono::steady_clock::now();
  st::schedule const calm{.seed = 5, .processes = 1, .faults = 0};
  CHECK(world.run(calm).broken == "");
  CHECK(std::chrono::steady_clock::now() - begun < 1h);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0] == 1);
  CHECK(world.run(calm).broken == "");
  CHECK(seen[3] == seen[1]);
  auto const now = std::chrono::system_clock::now();
  CHECK(now > std::chrono::sys_days{std::chrono::year{2024} / 1 / 1});
  std::random_device chance;
  CHECK((chance() != chance() || chance() != chance()));
}

TEST_CASE("a request of the program's own arrives once, never, late or twice, and only an answer tells which") {
  struct sent {
    std::uint64_t schedule;
    int number;
    bool answered;
    int arrived;
  };
  std::vector<sent> all;
  st::schedule plan{.seed = 1, .faults = st::all_faults & ~(st::log_faults | crashes), .rate = 200};
  st::simulation world{st::promise::at_least_once, [&](st::process& p) {
                         sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka> c{
                             p.kafka(), p.offsets()};
                         while (p.running()) {
                           try {
                             c.step([&](sl::batch const& b) { p.handle(b); }, 100ms);
                           } catch (sl::error const& e) {
                             if (e.code() == sl::errc::fenced) throw;  // another one has its name
                           } catch (std::exception const&) {}
                           auto const n = all.size();
                           p.outside([&] { all.push_back({plan.seed, static_cast<int>(n), false, 0}); });
                           auto const got = p.request([&all, n] { return ++all[n].arrived, all[n].number; });
                           if (got) CHECK(*got == static_cast<int>(n));
                           all[n].answered = got.has_value();
                         }
                       }};
  for (; plan.seed <= 50; ++plan.seed) REQUIRE(world.run(plan).broken == "");
  auto const count = [&](bool answered, int arrived) {
    return std::count_if(all.begin(), all.end(),
                         [&](sent const& s) { return s.answered == answered && s.arrived == arrived; });
  };
  CHECK(count(true, 0) == 0);
  CHECK(count(true, 1) > 100);
  CHECK(count(true, 2) > 0);
  CHECK(count(false, 0) > 0);
  CHECK(count(false, 1) > 0);
}

TEST_CASE("a check of the program's own ends the schedule under its name, and so do its results") {
  st::simulation world{st::promise::at_least_once, [](st::process& p) {
                         sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka> c{
                             p.kafka(), p.offsets()};
                         while (p.running())
                           c.step(
                               [&](sl::batch const& b) {
                                 p.handle(b);
                                 if (b.size() > 100) p.broken("size", "never");
                                 if ((*b.ranges().begin()).from.value() > 10) p.broken("far", "more than ten");
                               },
                               100ms);
                       }};
  auto const r = world.run({.seed = 3, .faults = 0});
  CHECK(r.broken == "far");
  CHECK(r.sentence == "more than ten");
  std::size_t records = 0;
  st::simulation counting{st::promise::at_least_once, [](st::process& p) {
                            sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka> c{
                                p.kafka(), p.offsets()};
                            while (p.running()) c.step([&](sl::batch const& b) { p.handle(b); }, 100ms);
                          }};
  counting.on_end = [&] {
    records = counting.records().size();
    return std::string{"as you like"};
  };
  CHECK(counting.run({.seed = 3, .faults = 0}).broken == "results");
  CHECK(records > 0);
}

TEST_CASE("what a transaction has committed is shown: its texts, and all rows of state") {
  std::map<std::string, std::int64_t> counted;
  bool kept_in_memory = false;
  st::simulation world{
      st::promise::transactional, [&](st::process& p) {
        sl::keyed_state<std::string, std::int64_t> counts{.name = "counts"};
        std::map<std::string, std::int64_t> memory;  // gone with the process, and not undone with a transaction
        sl::stream_consumer<sl::transactional, st::simulated_offsets, st::simulated_kafka, st::simulated_clock> c{
            p.kafka(), p.offsets(), p.clock()};
        run(p, c, [&](sl::batch const& b, st::simulated_transaction& tx) {
          p.handle(b, tx);
          for (sl::record r : b) {
            auto const key = std::to_string(r.partition()) + std::string{r.key_text()};
            if (kept_in_memory) tx.emit(r.partition(), key + "=" + std::to_string(++memory[key]));
          }
          if (kept_in_memory) return;
          counts.update(
              b, tx, [](sl::record r) { return std::to_string(r.partition()) + std::string{r.key_text()}; },
              [&](std::string const& key, auto news, std::optional<std::int64_t>& n) {
                for (sl::record const& r : news)
                  tx.emit(r.partition(), key + "=" + std::to_string(n.emplace(n.value_or(0) + 1)));
              });
        });
      }};
  world.on_begin = [&] { counted.clear(); };
  std::size_t most_rows = 0;
  world.on_commit = [&](st::simulated_commit const& c) -> std::string {
    most_rows = std::max(most_rows, c.rows.size());
    if (c.outputs.size() != c.records.size()) return "a record without its text";
    for (auto const& out : c.outputs) {
      std::string const text{out.text.data(), out.text.size()};
      auto const key = text.substr(0, text.find('='));
      if (key + "=" + std::to_string(++counted[key]) != text) return text + " is not its number";
    }
    return {};
  };
  auto const r = first_failure(world, {});
  CHECK(r.broken == "");
  CHECK(r.sentence == "");
  CHECK(most_rows > 10);
  kept_in_memory = true;
  CHECK(first_failure(world, {}).broken == "state");
}
