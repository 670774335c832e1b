// simulate: runs schedules from a seed on, counts what went wrong in them, and tells of the first that broke a promise.
#define SLUICE_SIMULATION_PROGRAM
#include "consumers.hpp"
#include "options.hpp"

#include <iostream>
#include <set>

namespace {
using namespace simulated_consumers;

/// The consumers that can be tried: by the names of their delivery and their store.
struct subject {
  char const* delivery;
  char const* store;
  st::simulation (*make)();
};
constexpr subject subjects[] = {
    {"at_most_once", "simulated", on_store<sl::at_most_once>},
    {"at_least_once", "simulated", on_store<sl::at_least_once>},
    {"idempotent", "simulated", on_store<sl::idempotent>},
    {"transactional", "simulated", on_store<sl::transactional>},
    {"at_most_once", "kafka", on_group<sl::at_most_once>},
    {"at_least_once", "kafka", on_group<sl::at_least_once>},
    {"idempotent", "kafka", on_group<sl::idempotent>},
    {"at_least_once", "skipping", on_store_skipping<sl::at_least_once>},
    {"transactional", "skipping", on_store_skipping<sl::transactional>},
};

struct figures {
  std::uint64_t schedules = 0, effective = 0, replayed = 0;
  std::vector<std::uint32_t> points{}, hits{};
  std::set<std::uint64_t> traces{};
  std::array<std::uint64_t, st::faults> of_fault{};
};

/// False where a promise was broken.
bool try_all(subject const& s, options const& o, figures& sum) {
  auto sim = s.make();
  for (std::uint64_t i = 0; i < o.schedules; ++i) {
    auto plan = o.plan;
    plan.seed = o.plan.seed + i;
    auto const r = sim.run(plan);
    ++sum.schedules;
    sum.points.push_back(r.points);
    sum.hits.push_back(r.effective());
    sum.traces.insert(r.hash);
    for (std::size_t f = 0; f < st::faults; ++f) sum.of_fault[f] += r.hit[f];
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

std::uint32_t median(std::vector<std::uint32_t>& all) {
  if (all.empty()) return 0;
  auto const mid = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), mid, all.end());
  return *mid;
}

}  // namespace

int main(int argc, char** argv) {
  auto const o = options::read(argc, argv);
  if (!o) return 2;
  figures all;
  bool good = true;
  auto const begun = std::chrono::steady_clock::now();
  for (auto const& s : subjects) {
    if (!o->wants(s.delivery, s.store)) continue;
    figures sum;
    good &= try_all(s, *o, sum);
    if (o->table) {
      std::cout << s.delivery << " on " << s.store << ": " << sum.schedules << " schedules;";
      for (std::size_t f = 1; f < st::faults; ++f) std::cout << ' ' << st::fault_names[f] << ' ' << sum.of_fault[f];
      std::cout << '\n';
    }
    all.schedules += sum.schedules;
    all.points.insert(all.points.end(), sum.points.begin(), sum.points.end());
    all.hits.insert(all.hits.end(), sum.hits.begin(), sum.hits.end());
    all.replayed += sum.schedules - sum.traces.size();
    if (!good && !o->go_on) break;
  }
  auto const took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::cout << all.schedules << " schedules in " << took << " s, " << static_cast<double>(all.schedules) / took
            << " a second; median points " << median(all.points) << ", median effective faults " << median(all.hits)
            << "; distinct traces "
            << 100.0 * static_cast<double>(all.schedules - all.replayed) /
                   static_cast<double>(std::max<std::uint64_t>(all.schedules, 1))
            << " %\n";
  return good ? 0 : 1;
}
