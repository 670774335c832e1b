/// \file testing/simulation/policies.hpp  The simulated world as policies of a consumer: its Kafka, its offset store, its clock.
#pragma once
#include <sluice/clock.hpp>
#include <sluice/testing/simulation/client.hpp>
#include <sluice/testing/simulation/offsets.hpp>
#include <sluice/testing/simulation/outputs.hpp>

#include <functional>

namespace sluice { inline namespace v0 { namespace testing {

/// Where a store of the program's own has a partition.
struct stored_position {
  offset next{};
  std::int64_t incarnation = 0;
  /// Of the claim that holds. Where it is not told, it is not known whose turn it is, and less is checked.
  fence mine{};
};

namespace simulated {
using look_at_store = std::function<std::optional<stored_position>(std::int32_t partition)>;

/// All that one schedule has.
struct surrounding {
  simulated::world& world;
  simulated::cluster cluster{world};
  simulated::store store{cluster};
  keyed_output output{cluster};
  std::vector<std::function<void()>>
      requests{};          ///< of programs, that arrive later; made and called outside of processes
  look_at_store stored{};  ///< where the program has a store of its own

  /// Rewinds that its store was asked for, some of them in vain.
  struct asked_rewind {
    int partition = -1;
    std::int64_t to = 0;
    text cause{};
    bool by_owner = true;
  };
  list<asked_rewind> asked{};

  /// Of the process that runs: has it a partition, as the group sees it?
  bool is_owner(int p) const {
    auto const& group = cluster.group;
    return !group.has_members() || group.is_owner(world.current(), world.life(), p);
  }
  /// A store of a program's own, or one that is watched, is about to be asked.
  void asks(std::vector<rewind> const& rewinds) {
    for (auto const& r : rewinds)
      asked.push_back({r.of.partition, r.to.value(), text{r.cause.data(), r.cause.size()}, is_owner(r.of.partition)});
  }
  /// It has answered.
  void claimed(sluice::claimed const& c) {
    if (c.what != sluice::claimed::stored && c.what != sluice::claimed::first && c.what != sluice::claimed::added)
      return;
    auto const p = c.of.partition;
    store.answered(world.current(), p, c.mine);
    if (!is_owner(p)) return;
    if (store.at(p).mine == c.mine)
      cluster.witness.heard(p);
    else
      cluster.witness.misled(world.current(), p, c.next.value());
  }
  /// It has a partition there, under another incarnation than before.
  void rewound(int p, std::int64_t next, std::int64_t incarnation) {
    asked_rewind is{.cause = "that nobody recorded"};
    for (auto const& one : asked)
      if (one.partition == p && one.to == next &&
          (one.partition != is.partition || cluster.witness.explains(p, next, one.cause)))
        is = one;
    cluster.witness.rewound(p, next, incarnation, is.cause, is.by_owner);
  }

  void look_at_stored() {
    if (!stored) return;
    struct back {
      arena* mine = std::exchange(arena_in_use, nullptr);
      ~back() { arena_in_use = mine; }
    } const restore{};
    for (int p = 0; p < cluster.topic.partitions(); ++p)
      if (auto const at = stored(p)) shows(p, *at);
  }

 private:
  void shows(int p, stored_position const& is) {
    auto& witness = cluster.witness;
    auto const was = store.at(p);
    auto const next = is.next.value();
    store.shows(p, {true, next, {.incarnation = is.incarnation}, is.mine});
    if (!was.there) return witness.began(p, next, is.incarnation);
    if (is.incarnation == was.log.incarnation) {
      if (next != was.next) witness.moved(p, was.next, next, is.incarnation, nullptr, {});
      return;
    }
    rewound(p, next, is.incarnation);
  }
};

template <bool ByHand>
struct basic_kafka {
  using slot = source_slot;
  using must_be_configured = void;
  using runtime = kafka_source<simulated_client>;
  static constexpr bool assigned_by_hand = ByHand;

  surrounding* in = nullptr;
  std::vector<topic_partition> partitions{};
  std::string brokers = "simulated";
  std::string group = "g";
  std::optional<start_at> start{};
  sluice::out_of_range on_out_of_range = sluice::out_of_range::nearest;
  position_error on_position_error = position_error::earliest;
  std::vector<position> start_from{};
  std::map<std::string, std::string> properties{{"max.poll.interval.ms", "30000"}};
  std::chrono::milliseconds timeout{10'000};

  static runtime open(basic_kafka const& self, context const&) {
    auto plan = detail::plan_of(self);
    self.in->cluster.witness.on_position_error = self.on_position_error;
    if (ByHand)
      plan.by_hand = self.partitions;
    else
      plan.topics = {topic::name};
    return runtime{std::move(plan), self.in->cluster, ByHand};
  }
};
}  // namespace simulated

/// In the place of sluice::kafka: a member of the simulated group, over the library's own Kafka source.
using simulated_kafka = simulated::basic_kafka<false>;
using simulated_kafka_partitions = simulated::basic_kafka<true>;

/// An offset store with compare and set, and with transactions.
struct simulated_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = simulated_transaction;
  static constexpr bool records_skips = true;
  using runtime = simulated::simulated_store_runtime;

  simulated::surrounding* in = nullptr;

  static runtime open(simulated_offsets const& self, context const&) { return {self.in->cluster, self.in->store}; }
};

/// The simulation's time. A program that defines SLUICE_SIMULATION_PROGRAM has it in system_clock, too.
struct simulated_clock {
  using slot = clock_slot;
  using must_be_configured = void;

  simulated::surrounding* in = nullptr;

  struct runtime {
    simulated::world* at;
    time_point now() const { return time_point{std::chrono::microseconds{at->steady()}}; }
    wall_time wall() const { return wall_time{std::chrono::milliseconds{at->wall_ms()}}; }
  };
  static runtime open(simulated_clock const& self, context const&) { return {&self.in->world}; }
};

}}}  // namespace sluice::v0::testing
