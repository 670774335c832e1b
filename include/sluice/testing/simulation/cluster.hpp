/// \file testing/simulation/cluster.hpp  Everything of a simulated Kafka: the topic, the group, and what happens to them.
#pragma once
#include <sluice/testing/simulation/coordinator.hpp>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// What the network still carries to the group when the process that sent it may be gone.
struct commit_in_flight {
  int member = 0;
  std::int64_t generation = 0;
  list<coordinator::wish> set{};
  bool kept_waiting = false, answered = false;
  outcome answer = outcome::unknown;
};

/// What a process has of the group and of its records, seen from outside.
struct presence {
  list<int> owned{};      ///< assigned and not given up
  int out = 0;            ///< messages that are not back yet
  bool too_slow = false;  ///< put out of the group since it did not poll: not told yet
};

struct cluster {
  simulated::world& world;
  simulated::topic topic{world};
  simulated::witness witness{world, topic};
  coordinator group{world, topic, witness};
  std::int64_t unreachable_until = 0;
  bool outage_unmet = false;
  std::int64_t sends_within = 12;  ///< ms
  list<commit_in_flight> wire{};
  std::array<presence, schedule::most_processes> present{};

  explicit cluster(simulated::world& w) : world(w) {}

  void reset(promise kept, bool offsets_in_group, bool empty) {
    topic.reset(empty);
    group.reset();
    group.authoritative = offsets_in_group;
    group.cooperative = world.plan.cooperative;
    group.has_names = world.plan.most_faults > 0 && chance{world.plan.seed ^ 0x1b873593cc9e2d51u}.one_in(3);
    if (!group.has_names) world.plan.faults &= ~only(fault::twin);
    witness.reset(kept);
    unreachable_until = 0;
    wire.clear();
    auto const seed = world.plan.seed ^ 0xd6e8feb86659fd93u;
    if (offsets_in_group && chance{seed}.one_in(4)) left_by_stranger(chance{seed + 1});
    if (!empty) produce_later();
  }
  /// Each partition's position is somewhere in its log.
  void left_by_stranger(chance where) {
    for (int p = 0; p < topic.partitions(); ++p)
      group.left_by_stranger(p, where.between(topic.log(p).low, topic.log(p).high));
  }
  /// A process begins, without anything.
  void boots(int process) {
    presence_of(process).owned.clear();
    presence_of(process).out = 0;
    presence_of(process).too_slow = false;
  }
  presence& presence_of(int process) { return present[static_cast<std::size_t>(process)]; }
  bool owns(int process, int p) {
    auto const& all = presence_of(process).owned;
    return std::count(all.begin(), all.end(), p) > 0;
  }
  /// The outage counts once somebody has met it.
  bool is_reachable() {
    if (world.now >= unreachable_until) return true;
    if (std::exchange(outage_unmet, false)) ++world.hit[static_cast<std::size_t>(fault::outage)];
    return false;
  }

  /// Whether it hit anything.
  bool happen(decision const& d) {
    auto const p =
        static_cast<int>(static_cast<std::uint64_t>(d.amount) % static_cast<std::uint64_t>(topic.partitions()));
    auto& log = topic.log(p);
    auto const stored = std::max<std::int64_t>(witness.stored(p), 0);
    auto const low = log.low, high = log.high;
    auto const life = log.life;
    switch (d.what) {
      case fault::rebalance:
        if (group.is_preparing() || group.is_completing()) return false;
        group.rebalance();
        return std::any_of(present.begin(), present.end(), [](presence const& one) { return one.out > 0; });
      case fault::wall_jump:
        // by minutes and hours, or by months
        world.wall_jump(p % world.plan.processes,
                        (d.amount / 2 % 2 != 0 ? d.amount : -d.amount) * (d.amount / 4 % 2 != 0 ? 1000 : 1'000'000));
        return false;
      case fault::outage:
        unreachable_until = world.now + d.amount / 4;
        outage_unmet = true;
        return false;
      case fault::new_leader:
        topic.change_leader(p, world.now + d.amount / 8);
        return false;
      case fault::moved:
        group.move_until(world.now + d.amount / 4);
        return false;
      case fault::stuck:
        (void)topic.hold(p, world.now + d.amount);
        return false;
      case fault::retention:
        topic.retain_from(p, log.low + 1 + d.amount % std::max<std::int64_t>(1, log.high - log.low));
        witness.excuse(p);
        return log.low > low && log.low > stored;
      case fault::truncation:
        topic.truncate(p, log.low + d.amount % std::max<std::int64_t>(1, log.high - log.low));
        topic.is_new_from(p, witness.reached(p));
        topic.produce_more(static_cast<int>(d.amount % 7));
        produce_later();
        witness.excuse(p);
        return log.life != life && log.high < stored;
      case fault::recreation:
        topic.recreate(p);
        topic.is_new_from(p, witness.reached(p));
        topic.produce_more(static_cast<int>(d.amount % 9));
        produce_later();
        witness.excuse(p);
        return high > 0 && stored > 0;
      case fault::compaction:
        return topic.compact(p, log.low + d.amount % std::max<std::int64_t>(1, log.high - log.low)) > stored;
      case fault::added:
        if (topic.partitions() >= 4) return false;
        topic.add_partition();
        topic.produce_more(5);
        produce_later();
        group.rebalance();
        return true;
      default:
        return false;
    }
  }

  void produce_later() {
    world.later(
        world.now + world.luck.between(0, sends_within) * ms,
        [](void* self, std::int64_t) {
          auto& c = *static_cast<cluster*>(self);
          if (!c.topic.wants_more()) return;
          c.topic.produce();
          c.produce_later();
        },
        this, 0);
  }
};

}}}}  // namespace sluice::v0::testing::simulated
