/// \file testing/simulation/process.hpp  What a simulated process may ask of its world, and the handlers that are watched.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/testing/simulation/policies.hpp>

namespace sluice { inline namespace v0 { namespace testing {

/// Thrown by a watched handler where the schedule says that it fails.
struct handler_failure : std::runtime_error {
  handler_failure() : std::runtime_error("the handler fails") {}
};

/// Handed to the program that a simulation runs in each process. It lives as long as the process.
class process {
  simulated::surrounding& around_;
  int number_;
  bool offsets_in_group_;

  simulated::world& world() { return around_.world; }

 public:
  process(simulated::surrounding& around, int number, bool offsets_in_group)
      : around_(around), number_(number), offsets_in_group_(offsets_in_group) {}

  int number() const { return number_; }
  /// False once the program should drain its consumer and return.
  bool running() const { return around_.world.phase != simulated::phase::stopping; }
  simulated::surrounding* around() { return &around_; }
  simulated_kafka kafka() { return {.in = &around_}; }
  simulated_offsets offsets() { return {.in = &around_}; }
  simulated_clock clock() { return {.in = &around_}; }
  /// Calls f, which may change what outlives the process: containers of the test, a test library's checks. What f takes
  /// by operator new does not go with the process.
  template <class F>
  void outside(F f) {
    struct back {
      simulated::arena* mine = std::exchange(simulated::arena_in_use, nullptr);
      ~back() { simulated::arena_in_use = mine; }
    } const restore{};
    f();
  }
  /// Numbers for the program's own choices.
  std::uint32_t choose(std::uint32_t n) { return world().luck.below(n); }
  void rest(std::chrono::milliseconds d) {
    auto const f = world().begins(call::rest);
    world().sleep_until(world().now + d.count() * simulated::ms);
    world().ends(f);
  }
  void note(char const* what) { world().note(what); }

  /// Checks what is about to be handled. Handlers call handling() instead; an observer calls it for handlers of one record.
  void about_to_handle(batch const& b) {
    for (auto const& part : b.partitions()) {
      auto const& range = *part.ranges().begin();
      auto const p = range.of.partition;
      bool const current = offsets_in_group_ ? around_.cluster.group.is_owner(number_, world().life(), p)
                                             : around_.store.is_current(number_, p);
      around_.cluster.witness.handling(number_, p, range.from.value(), range.until.value(), part.size(),
                                       number_of(part[static_cast<std::ptrdiff_t>(part.size()) - 1]).id,
                                       around_.cluster.owns(number_, p), current);
    }
  }
  /// To be called by a handler before it does anything with a batch.
  void handling(batch const& b) {
    about_to_handle(b);
    auto const f = world().begins(call::handle, (*b.ranges().begin()).of.partition, (*b.ranges().begin()).from.value(),
                                  static_cast<std::int64_t>(b.size()));
    if (f == fault::slow) take_time(world().amount());
    if (f == fault::throws) fail();
    world().ends(f);
  }
  /// For each record, between these two the effect is made. May throw handler_failure.
  fault begin_effect(sluice::record r, call how = call::effect) {
    auto& it = number_of(r);
    around_.cluster.witness.started(number_, it);
    auto const f = world().begins(how, r.partition(), r.offset().value(), it.id);
    if (f == fault::throws) fail();
    return f;
  }
  void end_effect(sluice::record r, fault f) {
    around_.cluster.witness.done(number_of(r));
    world().ends(f);
  }
  simulated::produced_record& number_of(sluice::record r) {
    return around_.cluster.topic.record(static_cast<std::uint32_t>(
        std::strtoul(r.value().empty() ? "0" : reinterpret_cast<char const*>(r.value().data()), nullptr, 10)));
  }

  /// For handlers that fail by their own choice: throws handler_failure, and the records may come again.
  [[noreturn]] void fail() {
    around_.cluster.witness.excuse_all();
    throw handler_failure{};
  }

  /// The handlers of the four deliveries; `handler(batch)`, and `handler(batch, transaction)`.
  void handle(batch const& b) {
    handling(b);
    for (sluice::record r : b) end_effect(r, begin_effect(r));
  }
  void handle(batch const& b, simulated_transaction& tx) {
    handling(b);
    for (sluice::record r : b) {
      auto const f = begin_effect(r);
      tx.put(number_of(r).id);
      end_effect(r, f);
    }
  }
  /// Of one record, some of which it never can handle.
  void handle_some(sluice::record r) {
    auto const f = begin_effect(r);
    if (number_of(r).id % 13 == 5) fail();
    end_effect(r, f);
  }
  void handle_some(sluice::record r, simulated_transaction& tx) {
    tx.put(number_of(r).id);  // undone where it fails
    handle_some(r);
  }
  void handle_keyed(batch const& b) {
    handling(b);
    for (sluice::record r : b) {
      auto const f = begin_effect(r, call::write);
      auto const id = number_of(r).id;
      if (f == fault::late) around_.output.put_later(r, id, world().now + world().amount());
      around_.output.put(r, id);
      end_effect(r, f);
    }
  }

 private:
  /// Beyond max.poll.interval.ms the client, whose own thread is awake, leaves the group.
  void take_time(std::int64_t us) {
    constexpr auto most = simulated::coordinator::rebalance_timeout;
    world().sleep_until(world().now + std::min(us, most));
    if (us <= most) return;
    around_.cluster.group.put_out(number_, world().life());
    around_.cluster.presence_of(number_).too_slow = true;
    world().sleep_until(world().now + us - most);
  }
};

}}}  // namespace sluice::v0::testing
