// simulate: runs schedules from a seed on, counts what went wrong in them, and tells of the first that broke a promise.
#define SLUICE_SIMULATION_PROGRAM
#include "consumers.hpp"
#include "filed.hpp"
#include "in_sqlite.hpp"
#include "logged.hpp"
#include "options.hpp"
#include "stateful.hpp"

#include <iostream>
#include <set>

namespace {
using namespace simulated_consumers;

/// The consumers that can be tried: by the names of their delivery and their store.
struct subject {
  char const* delivery;
  char const* store;
  st::simulation (*make)();
  void (*prepare)(st::simulation&) = nullptr;
};
constexpr subject subjects[] = {
    {"at_most_once", "simulated", on_store<sl::at_most_once>},
    {"at_least_once", "simulated", on_store<sl::at_least_once>},
    {"idempotent", "simulated", on_store<sl::idempotent>},
    {"transactional", "simulated", on_store<sl::transactional>},
    {"at_most_once", "kafka", on_group<sl::at_most_once>},
    {"at_least_once", "kafka", on_group<sl::at_least_once>},
    {"idempotent", "kafka", on_group<sl::idempotent>},
    {"at_least_once", "periodic", on_group_at_intervals<sl::at_least_once>, stores_later},
    {"idempotent", "periodic", on_group_at_intervals<sl::idempotent>, stores_later},
    {"at_least_once", "skipping", on_store_skipping<sl::at_least_once>},
    {"transactional", "skipping", on_store_skipping<sl::transactional>},
    {"at_least_once", "limited", as<st::promise::at_least_once, limited>},
    {"at_least_once", "paced", as<st::promise::at_least_once, paced>},
    {"transactional", "ticking", as<st::promise::transactional, ticking>},
    {"transactional", "stateful", as<st::promise::transactional, stateful>, with_reference},
    {"at_least_once", "by_hand", as<st::promise::at_least_once, by_hand<sl::at_least_once>>},
    {"idempotent", "by_hand", as<st::promise::idempotent, by_hand<sl::idempotent>>},
#ifdef SLUICE_SIMULATION_THREADS
    {"at_most_once", "log", as<st::promise::at_most_once, logged<sl::at_most_once>>, on_a_disk<>},
    {"at_least_once", "log", as<st::promise::at_least_once, logged<sl::at_least_once>>, on_a_disk<>},
    {"transactional", "log", as<st::promise::transactional, logged<sl::transactional>>, on_a_disk<>},
    {"transactional", "noted_log", as<st::promise::transactional, logged<sl::transactional, remembering_receiver>>,
     on_a_disk<true>},
    {"at_most_once", "file", as<st::promise::at_most_once, filed<sl::at_most_once>>, in_a_folder<sl::file_kind>},
    {"at_least_once", "file", as<st::promise::at_least_once, filed<sl::at_least_once>>, in_a_folder<sl::file_kind>},
    {"idempotent", "file", as<st::promise::idempotent, filed<sl::idempotent>>, in_a_folder<sl::file_kind>},
    {"transactional", "file", as<st::promise::transactional, filed<sl::transactional>>, in_a_folder<sl::file_kind>},
    {"at_most_once", "checkpoint", as<st::promise::at_most_once, filed<sl::at_most_once, sl::checkpoint_kind>>,
     in_a_folder<sl::checkpoint_kind>},
    {"at_least_once", "checkpoint", as<st::promise::at_least_once, filed<sl::at_least_once, sl::checkpoint_kind>>,
     in_a_folder<sl::checkpoint_kind>},
    {"idempotent", "checkpoint", as<st::promise::idempotent, filed<sl::idempotent, sl::checkpoint_kind>>,
     in_a_folder<sl::checkpoint_kind>},
    {"transactional", "checkpoint", as<st::promise::transactional, in_checkpoint>, in_a_folder<sl::checkpoint_kind>},
    {"at_most_once", "sqlite", as<st::promise::at_most_once, in_sqlite<sl::at_most_once>>, in_a_database},
    {"at_least_once", "sqlite", as<st::promise::at_least_once, in_sqlite<sl::at_least_once>>, in_a_database},
    {"idempotent", "sqlite", as<st::promise::idempotent, in_sqlite<sl::idempotent>>, in_a_database},
    {"transactional", "sqlite", as<st::promise::transactional, in_sqlite<sl::transactional>>, in_a_database},
#endif
};

struct figures {
  std::uint64_t schedules = 0, effective = 0, replayed = 0;
  std::vector<std::uint32_t> points{}, hits{};
  std::set<std::uint64_t> traces{};
  // Of each fault, then of each meeting:
  std::array<std::uint64_t, st::faults + st::meetings> times{};
  std::array<bool, st::faults + st::meetings> possible{};

  void add(st::result const& r) {
    ++schedules;
    points.push_back(r.points);
    hits.push_back(r.effective());
    traces.insert(r.hash);
    for (std::size_t f = 0; f < st::faults; ++f) {
      times[f] += r.hit[f];
      possible[f] |= st::has(r.reached, static_cast<st::fault>(f));
    }
    for (std::size_t m = 0; m < st::meetings; ++m) {
      times[st::faults + m] += r.met[m];
      possible[st::faults + m] |= r.could_meet[m];
    }
  }
  static char const* name(std::size_t i) {
    return i < st::faults ? st::fault_names[i] : st::meeting_names[i - st::faults];
  }
};

/// False where a promise was broken.
bool try_all(subject const& s, options const& o, figures& sum) {
  auto sim = s.make();
  if (s.prepare) s.prepare(sim);
  for (std::uint64_t i = 0; i < o.schedules; ++i) {
    auto plan = o.plan;
    plan.seed = o.plan.seed + i;
    auto const r = sim.run(plan);
    sum.add(r);
    if (o.hashes)
      std::cout << s.delivery << ' ' << s.store << ' ' << plan.seed << ' ' << std::hex << r.hash << std::dec << '\n';
    if (!r.failed()) continue;
    std::cout << s.delivery << " on " << s.store << ", seed " << plan.seed << ", after " << i + 1 << " schedules\n"
              << sim.story(o.shrink ? sim.shrink(r) : r,
                           std::string{"simulate --delivery "} + s.delivery + " --store " + s.store);
    return false;
  }
  return true;
}

/// A row for each fault, a column for each consumer; a dash: nothing that it does can meet that fault.
void print(std::vector<std::pair<subject, figures>> const& all) {
  std::cout << "| fault |";
  for (auto const& [s, sum] : all) std::cout << ' ' << s.delivery << ", " << s.store << " |";
  std::cout << "\n|---|";
  for (std::size_t i = 0; i < all.size(); ++i) std::cout << "---|";
  std::cout << '\n';
  for (std::size_t f = 1; f < st::faults + st::meetings; ++f) {
    std::cout << "| " << figures::name(f) << " |";
    for (auto const& [s, sum] : all) std::cout << ' ' << (sum.possible[f] ? std::to_string(sum.times[f]) : "–") << " |";
    std::cout << '\n';
  }
}

/// Of each consumer those that have a dash there.
void print_unmet(std::vector<std::pair<subject, figures>> const& all) {
  for (auto const& [s, sum] : all) {
    std::cout << s.delivery << " on " << s.store << ':';
    for (std::size_t f = 1; f < st::faults + st::meetings; ++f)
      if (!sum.possible[f]) std::cout << ' ' << figures::name(f);
    std::cout << '\n';
  }
}

/// Each fault that can come has hit something `least` times.
bool each_came(std::vector<std::pair<subject, figures>> const& all, std::uint64_t least) {
  bool good = true;
  for (auto const& [s, sum] : all)
    for (std::size_t f = 1; f < st::faults + st::meetings; ++f)
      if (sum.possible[f] && sum.times[f] < least) {
        std::cout << s.delivery << " on " << s.store << ": " << figures::name(f) << " hit something " << sum.times[f]
                  << " times, and should have " << least << " times\n";
        good = false;
      }
  return good;
}

std::uint32_t median(std::vector<std::uint32_t> all) {
  if (all.empty()) return 0;
  auto const mid = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), mid, all.end());
  return *mid;
}

/// Was enough tried with each consumer?
bool enough(std::vector<std::pair<subject, figures>> const& all, options const& o) {
  bool good = true;
  for (auto const& [s, sum] : all) {
    auto const expect = [&](char const* what, std::uint64_t is, std::uint32_t least) {
      if (is >= least) return;
      std::cout << s.delivery << " on " << s.store << ": " << what << " " << is << ", and should be " << least << '\n';
      good = false;
    };
    expect("the median of scheduling points is", median(sum.points), o.least_points);
    expect("the median of faults that hit something is", median(sum.hits), o.least_faults);
    expect("of 100 traces so many are distinct:", 100 * sum.traces.size() / std::max<std::uint64_t>(sum.schedules, 1),
           o.least_distinct);
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  auto const o = options::read(argc, argv);
  if (!o) return 2;
  figures all;
  std::vector<std::pair<subject, figures>> each;
  bool good = true;
  auto const begun = std::chrono::steady_clock::now();
  for (auto const& s : subjects) {
    if (!o->wants(s.delivery, s.store)) continue;
    figures sum;
    good &= try_all(s, *o, sum);
    all.schedules += sum.schedules;
    all.points.insert(all.points.end(), sum.points.begin(), sum.points.end());
    all.hits.insert(all.hits.end(), sum.hits.begin(), sum.hits.end());
    all.replayed += sum.schedules - sum.traces.size();
    each.emplace_back(s, std::move(sum));
    if (!good && !o->go_on) break;
  }
  if (each.empty()) {
    std::cerr << "simulate: there is no consumer '" << o->delivery << "' on '" << o->store << "'\n";
    return 2;
  }
  if (o->table) print(each);
  if (o->unmet) print_unmet(each);
  good &= each_came(each, o->at_least);
  good &= enough(each, *o);
  auto const took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::cout << all.schedules << " schedules in " << took << " s, " << static_cast<double>(all.schedules) / took
            << " a second; median points " << median(all.points) << ", median effective faults " << median(all.hits)
            << "; distinct traces "
            << 100.0 * static_cast<double>(all.schedules - all.replayed) /
                   static_cast<double>(std::max<std::uint64_t>(all.schedules, 1))
            << " %\n";
  return good ? 0 : 1;
}
