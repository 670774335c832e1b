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
    std::int64_t next = 0, incarnation = 1;
    std::uint64_t fence = 0;
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

    static sl::claimed answer(sl::topic_partition const& of, database::position const& at) {
      return {of, sl::offset{at.next}, {.incarnation = at.incarnation}, {at.fence, 0}, sl::claimed::stored, {}};
    }
    std::vector<sl::claimed> claim(std::string const&, std::vector<sl::topic_partition> const& set,
                                   sl::start_resolver& resolve, sl::time_point by) {
      std::vector<sl::claimed> claims;
      for (auto const& of : set) {
        auto const known = p.request([n = of.partition] { return db.positions.contains(n); });
        if (!known) throw sl::store_error(sl::errc::store_unavailable, "the database does not answer");
        // The first claim keeps where all partitions start, before anything is read.
        auto const starts = *known ? std::vector<sl::offset>{} : resolve.start_of(of.topic, by).starts;
        for (std::size_t i = 0; i < starts.size(); ++i)
          (void)p.request([i, at = starts[i].value()] {
            return db.positions.try_emplace(static_cast<std::int32_t>(i), database::position{at}).second;
          });
        auto const at = p.request([n = of.partition]() -> std::optional<database::position> {
          auto const found = db.positions.find(n);
          if (found == db.positions.end()) return {};
          ++found->second.fence;
          return found->second;
        });
        if (!at || !*at) throw sl::store_error(sl::errc::store_unavailable, "the database does not answer");
        claims.push_back(answer(of, **at));
      }
      return claims;
    }
    std::span<sl::outcome const> advance(std::span<sl::move const> moves, sl::time_point) {
      answers.clear();
      for (auto const& m : moves) {
        auto const done =
            p.request([n = m.of.partition, from = m.from.value(), until = m.until.value(), fence = m.mine.turn] {
              auto& at = db.positions[n];
              if (Careful && (at.fence != fence || (at.next != from && at.next != until))) return false;
              at.next = until;
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
        auto const at = p.request([n = r.of.partition, to = r.to.value(), fence = r.mine.turn] {
          auto& there = db.positions[n];
          if (there.fence == fence) there = {to, there.incarnation + 1, fence + 1};
          return there;
        });
        claims.push_back(at ? answer(r.of, *at) : sl::claimed{.of = r.of, .why = "the database does not answer"});
        if (at && (at->next != r.to.value() || at->fence != r.mine.turn + 1)) claims.back().what = sl::claimed::failed;
      }
      return claims;
    }
    void release(std::vector<sl::claimed> const&, sl::time_point) {}
    std::optional<std::string> local_id() const { return std::nullopt; }
  };
  static runtime open(database_offsets const& self, sl::context const&) { return {*self.p}; }
};

// ---- the program, and what is right

template <class Count, class Store>
void program(st::process& p, Count count, Store store) {
  sl::stream_consumer consumer{sl::at_least_once{}, p.kafka(), std::move(store), p.clock()};
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

// Something that is tried, by the name under which a failure of it is replayed.
struct trial {
  char const* name;
  bool is_wrong;
  std::uint64_t schedules;
  st::simulation world;

  std::string story(st::result const& r) { return world.story(r, std::string{"simulate_my_handler "} + name) + '\n'; }

  /// Did it come as was expected?
  bool run() {
    for (std::uint64_t seed = 1; seed <= schedules; ++seed)
      if (auto const r = world.run({.seed = seed, .lines = 25}); r.failed()) {
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
  return st::stored_position{sl::offset{at->second.next}, at->second.incarnation};
}

// simulate_my_handler: tries all. simulate_my_handler NAME --seed …: runs a failure again.
int main(int argc, char** argv) {
  constexpr auto promised = st::promise::at_least_once;
  trial trials[] = {
      {"handler.careless", true, 1000, {promised, [](st::process& p) { program(p, count_carelessly, p.offsets()); }}},
      {"handler.once", false, 1000, {promised, [](st::process& p) { program(p, count_once, p.offsets()); }}},
      {"store.careless",
       true,
       1000,
       {promised, [](st::process& p) { program(p, count_once, st::watched{p, database_offsets<false>{&p}}); }}},
      {"store.fenced",
       false,
       1000,
       {promised, [](st::process& p) { program(p, count_once, st::watched{p, database_offsets<true>{&p}}); }}},
  };
  bool good = true;
  for (auto& t : trials) {
    bool const own_store = std::string_view{t.name}.starts_with("store");
    if (own_store) t.world.stored = what_is_stored;
    t.world.on_begin = [] { db = {}; };
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
    else if (auto const plan = st::replayed(argc, argv, 2); plan && t.name == std::string_view{argv[1]})
      std::cout << t.story(t.world.run(*plan));
  }
  return good ? 0 : 1;
}
