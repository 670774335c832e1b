// A handler and an offset store of one's own in the simulator: thousands of schedules in which processes are killed, stand
// still, and get no answers. The first try of each is wrong in a usual way, and the simulator says how; the second one lasts.
//
// test:
#define SLUICE_SIMULATION_PROGRAM
#include <sluice/sluice.hpp>
#include <sluice/testing/simulation.hpp>

#include <iostream>
#include <map>

namespace sl = sluice;
namespace st = sluice::testing;

// What stands outside of the program: a database with totals and positions. It outlives the program's processes, and is reached
// by requests that may be lost, answered too late, or carried out twice.
struct database {
  struct total {
    int records = 0;
    std::map<std::int32_t, std::int64_t> last{};  // of each partition, the offset that was counted last
  };
  struct position {
    sl::offset next{};
    sl::log_state log{};
    sl::fence mine{};
  };
  std::map<std::string, total> totals{};
  std::map<std::int32_t, position> positions{};
};
database db;

// ---- the handler: counts the records of each key

struct not_answered : std::runtime_error {
  not_answered() : std::runtime_error("the database does not answer") {}
};

void count_carelessly(st::process& p, sl::record r) {
  std::string const key{r.key_text()};
  if (!p.request([key] { return ++db.totals[key].records; })) throw not_answered{};
}
// Once for each record, in whatever way it comes again: the database compares, as `update … where last < :offset` would.
void count_once(st::process& p, sl::record r) {
  auto const done = p.request([key = std::string{r.key_text()}, from = r.partition(), at = r.offset().value()] {
    auto& t = db.totals[key];
    auto& last = t.last.try_emplace(from, -1).first->second;
    if (last < at) ++t.records, last = at;
    return t.records;
  });
  if (!done) throw not_answered{};
}

// ---- the offset store

std::int64_t wall_ms() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
}

// Careful: it compares the fence, so that who was put out stores nothing any more.
template <bool Careful>
struct database_offsets {
  using slot = sl::offset_store_slot;
  using must_be_configured = void;
  st::process* p = nullptr;

  struct runtime {
    st::process& p;
    std::vector<sl::outcome> answers{};
    static constexpr bool durable_at_advance = true;
    static constexpr sl::fencing fencing = sl::fencing::compare_and_set;

    template <class F>
    auto ask(F f) {
      if (auto answer = p.request(f)) return *answer;
      throw sl::store_error(sl::errc::store_unavailable, "the database does not answer");
    }
    // The group's first claim keeps where all partitions start, in one request and before anything is read. A partition that is
    // added later begins at its earliest record.
    void create(sl::topic_partition const& of, sl::start_resolver& resolve, sl::time_point by) {
      if (!ask([] { return !db.positions.empty(); }))
        ask([starts = resolve.start_of(of.topic, by).starts, now = wall_ms()] {
          if (!db.positions.empty()) return false;
          for (std::int32_t i = 0; auto const at : starts) db.positions[i++] = {at, {.incarnation = now}, {}};
          return true;
        });
      else
        ask([n = of.partition, at = resolve.earliest(of, by), now = wall_ms()] {
          return db.positions.try_emplace(n, database::position{at, {.incarnation = now}, {}}).second;
        });
    }
    std::vector<sl::claimed> claim(std::string const&, std::vector<sl::topic_partition> const& set,
                                   sl::start_resolver& resolve, sl::time_point by) {
      std::vector<sl::claimed> claims;
      for (auto const& of : set) {
        if (!ask([n = of.partition] { return db.positions.contains(n); })) create(of, resolve, by);
        auto const at = ask([n = of.partition, nonce = p.choose(1u << 31)] {
          auto const found = db.positions.find(n);
          if (found == db.positions.end()) return std::optional<database::position>{};
          found->second.mine = {found->second.mine.turn + 1, nonce};
          return std::optional{found->second};
        });
        claims.push_back(at ? sl::claimed{of, at->next, at->log, at->mine, sl::claimed::stored, {}}
                            : sl::claimed{.of = of, .why = "its position is not there yet"});
      }
      return claims;
    }
    std::span<sl::outcome const> advance(std::span<sl::move const> moves, sl::time_point) {
      answers.clear();
      for (auto const& m : moves) {
        auto const done = p.request([n = m.of.partition, from = m.from, until = m.until, mine = m.mine, log = m.log] {
          auto& at = db.positions[n];
          if ((Careful && at.mine != mine) || (at.next != from && at.next != until)) return false;
          at.next = until;
          at.log = log;
          return true;
        });
        answers.push_back(!done ? sl::outcome::unknown : *done ? sl::outcome::applied : sl::outcome::refused);
      }
      return answers;
    }
    std::span<sl::outcome const> settle(std::span<sl::move const> moves, sl::time_point by) {
      return advance(moves, by);  // the same again, to an answer
    }
    std::vector<sl::claimed> record(std::vector<sl::rewind> const& rewinds, sl::time_point) {
      std::vector<sl::claimed> claims;
      for (auto const& r : rewinds) {
        auto const at =
            p.request([n = r.of.partition, to = r.to, mine = r.mine, now = wall_ms(), nonce = p.choose(1u << 31)] {
              auto& there = db.positions[n];
              if (there.mine != mine) return std::optional<database::position>{};  // somebody else has claimed it
              there = {to, {.incarnation = std::max(there.log.incarnation + 1, now)}, {mine.turn + 1, nonce}};
              return std::optional{there};
            });
        claims.push_back(at && *at ? sl::claimed{r.of, r.to, (*at)->log, (*at)->mine, sl::claimed::stored, {}}
                                   : sl::claimed{.of = r.of, .why = "refused, or not answered"});
      }
      return claims;
    }
    void release(std::vector<sl::claimed> const&, sl::time_point) {}
    std::optional<std::string> local_id() const { return std::nullopt; }
  };
  static runtime open(database_offsets const& self, sl::context const&) { return {*self.p}; }
};

// ---- the program, and what is right

template <class Delivery = sl::at_least_once, class Count, class Store>
void program(st::process& p, Count count, Store store) {
  sl::stream_consumer consumer{Delivery{}, p.kafka(), std::move(store), p.clock()};
  while (p.running()) {
    try {
      consumer.step(
          [&](sl::batch const& b) {
            p.handling(b);
            for (sl::record r : b) p.effect(r, [&] { count(p, r); });
          },
          std::chrono::milliseconds{100});
    } catch (not_answered const&) {  // the batch is in hand still, and comes again
    } catch (sl::store_error const&) {
    } catch (st::handler_failure const&) {}
  }
  (void)consumer.drain(std::chrono::seconds{10});
}

constexpr std::uint64_t schedules = 1000;

// Something that is tried, by the name under which a failure of it is replayed.
struct trial {
  char const* name;
  bool is_wrong;
  st::fault_set faults;
  st::simulation world;

  std::string story(st::result const& r) { return world.story(r, std::string{"simulate_my_handler "} + name) + '\n'; }

  /// Did it come as was expected?
  bool run() {
    for (std::uint64_t seed = 1; seed <= schedules; ++seed)
      if (auto const r = world.run({.seed = seed, .faults = faults, .lines = 25}); r.failed()) {
        std::cout << name << ", schedule " << seed << ": " << story(world.shrink(r));
        return is_wrong;
      }
    std::cout << name << ": " << schedules << " schedules, nothing was wrong\n\n";
    return !is_wrong;
  }
};

std::optional<st::stored_position> what_is_stored(std::int32_t partition) {
  auto const at = db.positions.find(partition);
  if (at == db.positions.end()) return {};
  return st::stored_position{at->second.next, at->second.log.incarnation, at->second.mine};
}

// simulate_my_handler: tries all. simulate_my_handler NAME --seed …: runs a failure again.
int main(int argc, char** argv) {
  constexpr auto at_least_once = st::promise::at_least_once, at_most_once = st::promise::at_most_once;
  // What a store does where a log is cut off, or its records are gone before they were read, needs those faults.
  constexpr auto usual = st::schedule{}.faults, all = st::all_faults;
  auto const careless = [](st::process& p) { program(p, count_carelessly, p.offsets()); };
  auto const once = [](st::process& p) { program(p, count_once, p.offsets()); };
  auto const unfenced = [](st::process& p) { program(p, count_once, st::watched{p, database_offsets<false>{&p}}); };
  auto const fenced = [](st::process& p) { program(p, count_once, st::watched{p, database_offsets<true>{&p}}); };
  auto const fenced_at_most_once = [](st::process& p) {
    program<sl::at_most_once>(p, count_once, st::watched{p, database_offsets<true>{&p}});
  };
  trial trials[] = {{"handler.careless", true, usual, {at_least_once, careless}},
                    {"handler.once", false, usual, {at_least_once, once}},
                    {"store.unfenced", true, usual, {at_least_once, unfenced}},
                    {"store.fenced", false, usual, {at_least_once, fenced}},
                    {"store.changed_logs", false, all, {at_least_once, fenced}},
                    {"store.at_most_once", false, all, {at_most_once, fenced_at_most_once}}};
  bool good = true, known = argc == 1;
  for (auto& t : trials) {
    bool const own_store = std::string_view{t.name}.starts_with("store");
    if (own_store) t.world.stored = what_is_stored;
    t.world.on_begin = [] { db = {}; };
    // What is lost by promise, or is gone from the log, has no right number.
    if (t.faults == usual)
      t.world.on_end = [&t] {
        std::map<std::string, int> right;
        for (auto const& r : t.world.records()) ++right[r.key];
        for (auto const& [key, n] : right)
          if (db.totals[key].records != n)
            return "key " + key + " was counted " + std::to_string(db.totals[key].records) + " times, and has " +
                   std::to_string(n) + " records";
        return std::string{};
      };
    if (argc == 1)
      good &= t.run();
    else if (auto const plan = st::replayed(argc, argv, 2); plan && t.name == std::string_view{argv[1]}) {
      std::cout << t.story(t.world.run(*plan));
      known = true;
    }
  }
  if (!known) std::cout << "simulate_my_handler [NAME --seed N ...], as the end of a failure prints it\n";
  return good && known ? 0 : 1;
}
