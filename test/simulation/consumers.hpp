/// \file simulation/consumers.hpp  The library's consumers as simulated processes run them: each delivery, on each kind of store.
#pragma once
#include <sluice/offset_store/kafka.hpp>
#include <sluice/stream_consumer.hpp>
#include <sluice/testing/simulation.hpp>

namespace simulated_consumers {
namespace sl = sluice;
namespace st = sluice::testing;

/// A program that means well: it goes on after failures, and now and then starts anew.
template <class Consumer, class Handler>
void run(st::process& p, Consumer& c, Handler handler) {
  while (p.running()) {
    try {
      c.step(handler, std::chrono::milliseconds{1 + p.choose(200)});
    } catch (st::handler_failure const&) {
      if (p.choose(4) == 0) throw;
    } catch (sl::store_error const&) {
      if (p.choose(8) == 0) throw;
    }
  }
  (void)c.drain(std::chrono::seconds{10});
}

template <class Delivery, class Store>
void program(st::process& p, Store store) {
  sl::stream_consumer<Delivery, Store, st::simulated_kafka, st::simulated_clock> c{
      p.kafka(), std::move(store), p.clock(), sl::micro_batch{.max_records = 1 + p.choose(8)}};
  if constexpr (std::same_as<Delivery, sl::transactional>)
    run(p, c, [&](sl::batch const& b, st::simulated_transaction& tx) { p.handle(b, tx); });
  else if constexpr (std::same_as<Delivery, sl::idempotent>)
    run(p, c, sl::assume_idempotent{[&](sl::batch const& b) { p.handle_keyed(b); }});
  else
    run(p, c, [&](sl::batch const& b) { p.handle(b); });
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
st::simulation on_store_skipping() {
  return {promise_of<Delivery>(), [](st::process& p) { skipping<Delivery>(p); }};
}

}  // namespace simulated_consumers
