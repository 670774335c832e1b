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
  int processes() const { return around_.world.plan.processes; }
  /// Of the topic, as it is now; its name is topic().
  int partitions() const { return around_.cluster.topic.partitions(); }
  static constexpr char const* topic() { return simulated::topic::name; }
  /// The policy for positions is the schedule's: earliest or nearest.
  simulated_kafka kafka() { return {.in = &around_, .on_position_error = on_position_error()}; }
  simulated_kafka_partitions kafka_partitions() { return {.in = &around_, .on_position_error = on_position_error()}; }
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
  /// A request to something of the program's own that outlives processes: a database, a service. `arrives` is what it
  /// does there and answers; it holds values, and refers to nothing of the process's. As the schedule has it, it arrives once, never,
  /// late, or once more, and its answer is lost. Nothing: no answer came within half a second. What it answers is a value, never void.
  template <class Arrives>
  auto request(Arrives arrives) -> std::optional<std::invoke_result_t<Arrives&>> {
    std::optional<std::invoke_result_t<Arrives&>> answer;
    auto const f = world().begins(call::request);
    if (f == fault::late || f == fault::twice) outside([&] { arrives_later(arrives); });
    if (f != fault::lost && f != fault::late) outside([&] { answer.emplace(arrives()); });
    if (f == fault::lost || f == fault::late || f == fault::unheard) {
      answer.reset();
      world().sleep_until(world().now + 500 * simulated::ms);
    }
    world().ends(f);
    return answer;
  }
  /// Numbers for the program's own choices.
  std::uint32_t choose(std::uint32_t n) { return world().luck.below(n); }
  void rest(std::chrono::milliseconds d) {
    auto const f = world().begins(call::rest);
    world().sleep_until(world().now + d.count() * simulated::ms);
    world().ends(f);
  }
  /// To be told before each seek of the program's: then no other one may be stored.
  void seeks(topic_partition const& of, offset to) { around_.cluster.witness.seeks(of.partition, to.value()); }
  /// To be told when the program's consumer has answered close_result::drained.
  void drained() { around_.cluster.witness.drained(number_); }
  /// A line in the trace. `what`: a literal.
  void note(char const* what) { world().note(what); }
  /// A promise of the program's own is broken: the schedule ends, and `name` is the check that failed. A literal.
  [[noreturn]] void broken(char const* name, std::string const& how) {
    world().violated(name, how);
    std::abort();  // does not return from there
  }

  /// Checks what is about to be handled. Handlers call handling() instead; an observer calls it for handlers of one record.
  void about_to_handle(batch const& b) {
    around_.look_at_stored();
    for (auto const& part : b.partitions()) {
      auto const& range = *part.ranges().begin();
      auto const p = range.of.partition;
      for (sluice::record r : part) around_.cluster.witness.handed_over(number_of(r));
      bool const current = offsets_in_group_ ? around_.cluster.group.is_owner(number_, world().life(), p)
                                             : around_.store.is_current(number_, p);
      around_.cluster.witness.handling(
          number_, p, range.from.value(), range.until.value(), range.incarnation, part.size(),
          part.size() == 0 ? 0 : number_of(part[static_cast<std::ptrdiff_t>(part.size()) - 1]).id,
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
    around_.cluster.witness.started(number_, it, r.incarnation());
    auto const f = world().begins(how, r.partition(), r.offset().value(), it.id);
    if (f == fault::throws) fail();
    return f;
  }
  void end_effect(sluice::record r, fault f) {
    around_.cluster.witness.done(number_of(r), r.incarnation());
    world().ends(f);
  }
  /// f() makes the effect of handling this record.
  template <class F>
  void effect(sluice::record r, F f) {
    auto const wrong = begin_effect(r);
    try {
      f();
    } catch (...) {
      around_.cluster.witness.excuse_all();
      throw;
    }
    end_effect(r, wrong);
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
  template <class Arrives>
  void arrives_later(Arrives const& arrives) {
    around_.requests.emplace_back(arrives);
    world().later(
        world().now + world().amount(),
        [](void* all, std::int64_t which) {
          static_cast<simulated::surrounding*>(all)->requests[static_cast<std::size_t>(which)]();
        },
        &around_, static_cast<std::int64_t>(around_.requests.size()) - 1);
  }
  position_error on_position_error() const {
    return simulated::chance{around_.world.plan.seed ^ 0xa0761d6478bd642fu}.one_in(3) ? position_error::nearest
                                                                                      : position_error::earliest;
  }
  /// Beyond max.poll.interval.ms the client, whose own thread is awake, leaves the group.
  void take_time(std::int64_t us) {
    constexpr auto most = simulated::coordinator::rebalance_timeout;
    world().meets(meeting::hangs, around_.cluster.group.has_members(), us > most);
    world().sleep_until(world().now + std::min(us, most));
    if (us <= most) return;
    around_.cluster.group.put_out(number_, world().life());
    around_.cluster.presence_of(number_).too_slow = true;
    world().sleep_until(world().now + us - most);
  }
};

}}}  // namespace sluice::v0::testing
