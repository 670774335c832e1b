/// \file simulation/consumers.hpp  The library's consumers as simulated processes run them: each delivery, on each kind of store.
#pragma once
#include <sluice/offset_store/kafka.hpp>
#include <sluice/offset_store/periodic_kafka.hpp>
#include <sluice/rate_limit/max_rate_per_partition.hpp>
#include <sluice/rate_limit/pid_backpressure.hpp>
#include <sluice/stream_consumer.hpp>
#include <sluice/testing/simulation.hpp>

namespace simulated_consumers {
namespace sl = sluice;
namespace st = sluice::testing;

struct nothing {
  void operator()() const {}
};

/// A program that means well: it goes on after failures, and now and then starts anew.
template <class Consumer, class Handler, class Before = nothing>
void run(st::process& p, Consumer& c, Handler handler, Before before_a_step = {}) {
  // Only as long as things go wrong: a new start mends what must mend by itself.
  auto const ends = [&] { return p.around()->world.phase == st::simulated::phase::faulting && p.choose(250) == 0; };
  while (p.running() && !ends()) {
    try {
      before_a_step();
      c.step(handler, std::chrono::milliseconds{1 + p.choose(200)});
    } catch (st::handler_failure const&) {
      if (p.choose(4) == 0) throw;
    } catch (sl::store_error const&) {
      if (p.choose(8) == 0) throw;
    }
  }
  constexpr std::chrono::seconds deadline{10};
  bool const calm = !p.running();
  auto const begin = std::chrono::microseconds{p.around()->world.now};
  bool const drained = c.drain(deadline) == sl::close_result::drained;
  if (drained) p.drained();
  if (std::chrono::microseconds{p.around()->world.now} - begin > deadline + std::chrono::seconds{5} && calm)
    p.broken("liveness", "a consumer drains longer than it was given");
}

/// A batch is as large as it may be, and what the partition that made it so has brought goes above max_bytes.
inline void check_bounds(st::process& p, sl::batch const& b, sl::micro_batch const& most) {
  std::size_t bytes = 0, largest = 0;
  for (auto const& part : b.partitions()) {
    std::size_t of_one = 0;
    for (sl::record const r : part) of_one += r.text().size() + r.key().size();
    bytes += of_one;
    largest = std::max(largest, of_one);
  }
  if (b.size() > most.max_records || bytes - largest >= most.max_bytes)
    p.broken("bounds", std::to_string(b.size()) + " records of " + std::to_string(bytes) + " bytes are in a batch of " +
                           std::to_string(most.max_records) + " records and " + std::to_string(most.max_bytes) +
                           " bytes");
}

template <class Delivery, class Store>
void program(st::process& p, Store store) {
  sl::micro_batch const most{.max_records = 1 + p.choose(8), .max_bytes = 1 + p.choose(30)};
  sl::stream_consumer<Delivery, Store, st::simulated_kafka, st::simulated_clock> c{p.kafka(), std::move(store),
                                                                                   p.clock(), most};
  auto const bounded = [&](sl::batch const& b) -> sl::batch const& { return check_bounds(p, b, most), b; };
  if constexpr (std::same_as<Delivery, sl::transactional>)
    run(p, c, [&](sl::batch const& b, st::simulated_transaction& tx) { p.handle(bounded(b), tx); });
  else if constexpr (std::same_as<Delivery, sl::idempotent>)
    run(p, c, sl::assume_idempotent{[&](sl::batch const& b) { p.handle_keyed(bounded(b)); }});
  else
    run(p, c, [&](sl::batch const& b) { p.handle(bounded(b)); });
}

/// Sees batches before a handler of one record does.
struct watcher {
  using slot = sl::observer_slot;
  st::process* p = nullptr;
  void on_handling(sl::batch const& b) { p->about_to_handle(b); }
};

/// One record at a time, tried again and then skipped.
template <class Delivery>
void skipping(st::process& p) {
  using on_failure = sl::retry<sl::skip>;
  sl::stream_consumer<Delivery, st::simulated_offsets, st::simulated_kafka, st::simulated_clock, on_failure, watcher> c{
      p.kafka(),   p.offsets(),
      p.clock(),   on_failure{.times = p.choose(3)},
      watcher{&p}, sl::micro_batch{.max_records = 1 + p.choose(8)}};
  if constexpr (std::same_as<Delivery, sl::transactional>)
    run(p, c, sl::each{[&](sl::record r, st::simulated_transaction& tx) { p.handle_some(r, tx); }});
  else
    run(p, c, sl::each{[&](sl::record r) { p.handle_some(r); }});
}

/// What a limit lets pass of each partition, by a clock that does not stand still when the process does: in any time t at most
/// rate × t, and a burst.
class meter {
  struct passed {
    std::int32_t partition;
    std::int64_t from, until;
    std::chrono::microseconds asked;  // of the step that brought it
    double records;
  };
  st::process& p_;
  double rate_, burst_;
  std::vector<passed> all_{};
  std::chrono::microseconds asked_{};

  std::chrono::microseconds now() const { return std::chrono::microseconds{p_.around()->world.now}; }

 public:
  meter(st::process& p, double rate, double burst) : p_(p), rate_(rate), burst_(burst) {}
  void asks() { asked_ = now(); }
  void operator()(sl::batch const& b) {
    for (auto const& part : b.partitions()) {
      auto const& r = *part.ranges().begin();
      auto const same = [&](passed const& x) {
        return x.partition == r.of.partition && x.from == r.from.value() && x.until == r.until.value();
      };
      if (std::any_of(all_.begin(), all_.end(), same)) continue;  // perhaps the same batch, offered again
      all_.push_back({r.of.partition, r.from.value(), r.until.value(), asked_, static_cast<double>(part.size())});
      double sum = 0;
      for (auto i = all_.size(); i-- > 0;) {
        if (all_[i].partition != r.of.partition) continue;
        sum += all_[i].records;
        auto const t = std::chrono::duration<double>(now() - all_[i].asked).count();
        if (sum > rate_ * t + burst_ + 1e-6)
          p_.broken("rate", std::to_string(sum) + " records of partition " + std::to_string(r.of.partition) + " in " +
                                std::to_string(t) + " s");
      }
    }
  }
};

/// In batches of half a second, or as records come.
inline void limited(st::process& p) {
  constexpr double rate = 5;
  bool const by_time = p.choose(2) == 0;
  std::chrono::milliseconds const interval{by_time ? 500 : 0};
  sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka, st::simulated_clock,
                      sl::max_rate_per_partition>
      c{p.kafka(), p.offsets(), p.clock(), sl::max_rate_per_partition{rate},
        sl::micro_batch{.interval = interval, .max_records = 1 + p.choose(50)}};
  // By time: what was left of a quota, the batch that is late, the one that is due, each with a fraction carried on.
  meter measured{p, rate, by_time ? 3 * rate * 0.5 + 1 : rate};
  run(
      p, c,
      [&](sl::batch const& b) {
        measured(b);
        p.handle(b);
      },
      [&] { measured.asks(); });
}

/// As quick as its handler, and no quicker than it may be.
inline void paced(st::process& p) {
  constexpr double least = 5, most = 10, interval = 0.2;
  bool const capped = p.choose(2) == 0;
  sl::stream_consumer<sl::at_least_once, st::simulated_offsets, st::simulated_kafka, st::simulated_clock,
                      sl::pid_backpressure>
      c{p.kafka(), p.offsets(), p.clock(),
        sl::pid_backpressure{.interval = std::chrono::milliseconds{200},
                             .initial_rate = 20,
                             .min_rate = least,
                             .max_rate_per_partition = capped ? most : 0}};
  meter measured{p, most, 3 * most * interval + 1};
  run(
      p, c,
      [&](sl::batch const& b) {
        if (capped) measured(b);
        p.handle(b);
      },
      [&] {
        measured.asks();
        if (auto const now = c.statistics().rate; now != 0 && !(now >= least && now <= 1e12))
          p.broken("rate", "the rate is " + std::to_string(now));
      });
}

/// Called at each interval, with partitions that have nothing, too: what time-outs and windows need.
struct ticker {
  st::process& p;
  bool wants_empty_batches = true;
  void operator()(sl::batch const& b, st::simulated_transaction& tx) const {
    for (auto const& r : b.ranges()) tx.touch(r.of.partition);
    p.handle(b, tx);
  }
};
inline void ticking(st::process& p) {
  sl::stream_consumer<sl::transactional, st::simulated_offsets, st::simulated_kafka, st::simulated_clock> c{
      p.kafka(), p.offsets(), p.clock(),
      sl::micro_batch{.interval = std::chrono::milliseconds{2000}, .max_records = 1 + p.choose(8)}};
  run(p, c, ticker{p});
}

/// Partitions by hand, now and then those of another process, too; now and then it goes back.
template <class Delivery>
void by_hand(st::process& p) {
  auto source = p.kafka_partitions();
  bool const greedy = p.choose(8) == 0;
  int const known = p.partitions();
  for (int i = 0; i < known; ++i)
    if (greedy || i % p.processes() == p.number()) source.partitions.push_back({p.topic(), i});
  if (source.partitions.empty()) source.partitions.push_back({p.topic(), 0});
  sl::stream_consumer<Delivery, st::simulated_offsets, st::simulated_kafka_partitions, st::simulated_clock> c{
      std::move(source), p.offsets(), p.clock(), sl::micro_batch{.max_records = 1 + p.choose(8)}};
  std::vector<sl::position> first;
  auto const go_back = [&] {
    if (p.partitions() != known) throw std::runtime_error("there are more partitions: start again, and read them, too");
    for (auto const& at : c.positions()) {
      auto const seen = std::find_if(first.begin(), first.end(), [&](auto const& x) { return x.of == at.of; });
      if (seen == first.end())
        first.push_back(at);
      else if (p.choose(100) == 0) {
        auto const to = std::max(seen->next, sl::offset{at.next.value() - static_cast<std::int64_t>(p.choose(6))});
        p.seeks(at.of, to);
        c.seek(at.of, to);
      }
    }
  };
  if constexpr (std::same_as<Delivery, sl::idempotent>)
    run(p, c, sl::assume_idempotent{[&](sl::batch const& b) { p.handle_keyed(b); }}, go_back);
  else
    run(p, c, [&](sl::batch const& b) { p.handle(b); }, go_back);
}

template <class Delivery>
constexpr st::promise promise_of() {
  return std::same_as<Delivery, sl::at_most_once>    ? st::promise::at_most_once
         : std::same_as<Delivery, sl::at_least_once> ? st::promise::at_least_once
         : std::same_as<Delivery, sl::idempotent>    ? st::promise::idempotent
                                                     : st::promise::transactional;
}

template <class Delivery>
st::simulation on_store() {
  return {promise_of<Delivery>(), [](st::process& p) { program<Delivery>(p, p.offsets()); }};
}
template <class Delivery>
st::simulation on_group() {
  return {promise_of<Delivery>(), [](st::process& p) { program<Delivery>(p, sl::kafka_offsets{}); }, true};
}
template <class Delivery>
st::simulation on_group_at_intervals() {
  constexpr auto store = [](st::process& p) {
    return sl::periodic_kafka_offsets{.interval = std::chrono::milliseconds{1 + p.choose(3000)}};
  };
  return {promise_of<Delivery>(), [store](st::process& p) { program<Delivery>(p, store(p)); }, true};
}
inline void stores_later(st::simulation& sim) { sim.stores_later = true; }
template <class Delivery>
st::simulation on_store_skipping() {
  return {promise_of<Delivery>(), [](st::process& p) { skipping<Delivery>(p); }};
}
template <st::promise Promise, void (*Program)(st::process&)>
st::simulation as() {
  return {Promise, Program};
}

}  // namespace simulated_consumers
