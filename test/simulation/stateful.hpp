/// \file simulation/stateful.hpp  A consumer with all kinds of state: by key with a time-out, windows over batches and over event time.
#pragma once
#include <sluice/testing/simulation/state.hpp>
#include <sluice/window/over_batches.hpp>
#include <sluice/window/over_event_time.hpp>

#include "consumers.hpp"
#include "reference.hpp"

namespace simulated_consumers {

/// State, offsets and times are one cut at each commit, and what is given is what a reference has computed of it.
inline void stateful(st::process& p) {
  using std::chrono::milliseconds;
  using times = state_times;
  auto const key_of = [](sl::record r) { return std::to_string(r.partition()) + std::string{r.key_text()}; };
  auto const number_of = [](sl::record r) { return std::string{r.text()} + ","; };
  auto const join = [](std::string a, std::string const& b) { return std::move(a) + b; };
  auto const partition_of = [](std::string const& key) {
    return static_cast<std::int32_t>(std::strtol(key.c_str(), nullptr, 10));
  };
  auto const ms = [](sl::wall_time t) { return std::to_string(t.time_since_epoch().count()); };

  bool const little_memory = p.choose(2) == 0;
  sl::keyed_state<std::string, std::string> counts{.name = "counts",
                                                   .max_bytes = little_memory ? std::size_t{900} : std::size_t{1} << 20,
                                                   .timeout = milliseconds{times::timeout},
                                                   .when_partitions_grow = sl::partition_growth::accept};
  auto sums = sl::reduce_by_key_and_window(
      {.name = "sums",
       .size = milliseconds{times::size},
       .slide = milliseconds{times::slide},
       .when_partitions_grow = sl::partition_growth::accept},
      key_of, number_of, join, [&](sl::window_span const& span, auto const& results, st::simulated_transaction& tx) {
        for (auto const& [key, numbers] : results)
          tx.emit(partition_of(key), "window " + ms(span.end) + " " + key + "=" + numbers);
      });
  auto events = sl::reduce_by_key_and_event_window(
      {.name = "events",
       .size = milliseconds{times::events},
       .slide = milliseconds{times::step},
       .out_of_order = milliseconds{times::disorder},
       .allowed_lateness = milliseconds{times::late},
       .when_partitions_grow = sl::partition_growth::accept},
      [&](sl::record r) {
        auto const& it = p.number_of(r);
        return sl::wall_time{milliseconds{times::event_time(it.stamp_ms, it.id)}};
      },
      key_of, number_of, join,
      [&](sl::window_span const& span, std::string const& key, std::string const& numbers,
          st::simulated_transaction& tx) {
        tx.emit(partition_of(key), "event " + ms(span.begin) + " " + key + "=" + numbers);
      },
      [&](sl::record r, st::simulated_transaction& tx) { tx.emit(r.partition(), "late " + number_of(r)); });

  struct handler {
    std::function<void(sl::batch const&, st::simulated_transaction&)> call;
    bool wants_empty_batches = true;
    void operator()(sl::batch const& b, st::simulated_transaction& tx) const { call(b, tx); }
  };
  sl::stream_consumer<sl::transactional, st::simulated_offsets, st::simulated_kafka, st::simulated_clock> c{
      p.kafka(), p.offsets(), p.clock(),
      sl::micro_batch{.interval = milliseconds{times::interval}, .max_records = 1 + p.choose(8)}};
  run(p, c, handler{[&](sl::batch const& b, st::simulated_transaction& tx) {
        bool const effects_first = p.choose(2) == 0;  // what fails there finds the states as they were, or changed
        if (effects_first) p.handle(b, tx);
        for (auto const& r : b.ranges())
          tx.emit(r.of.partition, "batch " + ms(b.time()) + (b.more_follows() ? "+" : ""));
        counts.update(
            b, tx, key_of,
            [&](std::string const& key, std::span<sl::record const> news, std::optional<std::string>& numbers) {
              if (!numbers) numbers.emplace();
              for (auto const& r : news) *numbers += number_of(r);
              tx.emit(partition_of(key), "count " + key + "=" + *numbers);
            },
            [&](std::string const& key, std::string const& numbers) {
              tx.emit(partition_of(key), "gone " + key + "=" + numbers);
            });
        sums(b, tx);
        events(b, tx);
        if (!effects_first) p.handle(b, tx);
      }});
}

inline void with_reference(st::simulation& world) {
  auto const checked = std::make_shared<reference>();
  world.sends_within = std::chrono::milliseconds{400};
  world.on_begin = [checked] { checked->begin(); };
  world.on_commit = [checked, &world](st::simulated_commit const& c) { return checked->look_at(world, c); };
}

}  // namespace simulated_consumers
