/// \file scripted_consumer.hpp  A real stream_consumer over the scripted cluster and store, and what its handlers saw.
#pragma once
#include <sluice/stream_consumer.hpp>

#include "scripted_client.hpp"
#include "scripted_store.hpp"

namespace scripted {

inline of_t const p0{"t", 0}, p1{"t", 1}, p2{"t", 2};

/// What is outside of the process: make it first, restart consumers on it.
struct outside {
  cluster world{};
  ledger disk{};

  explicit outside(int partitions = 1) { world.create("t", partitions); }

  source reading() { return {.world = &world}; }

  /// stream_consumer<Delivery, offsets, source, manual_clock, Configs...>, configured.
  template <class Delivery, class... Configs>
  auto start(Configs... configs) {
    return start_on<Delivery>(reading(), configs...);
  }
  template <class Delivery, class Source, class... Configs>
  auto start_on(Source from, Configs... configs) {
    return sl::stream_consumer<Delivery, offsets, Source, manual_clock, Configs...>{from, offsets{&disk},
                                                                                    manual_clock{&world}, configs...};
  }
};

inline effect place_of(sl::record r) { return {{std::string{r.topic()}, r.partition()}, r.offset().value()}; }

/// The offsets of one partition among the effects, in their order.
inline std::vector<std::int64_t> offsets_of(of_t const& of, std::vector<effect> const& all) {
  std::vector<std::int64_t> some;
  for (auto const& [where, at] : all)
    if (where == of) some.push_back(at);
  return some;
}
inline std::vector<std::int64_t> upto(std::int64_t until, std::int64_t from = 0) {
  std::vector<std::int64_t> all;
  for (; from < until; ++from) all.push_back(from);
  return all;
}

/// Keeps the place of each record that it is called with.
struct recorder {
  std::vector<effect>& seen;
  void operator()(sl::batch const& b) const {
    for (auto const& r : b) seen.push_back(place_of(r));
  }
};

/// Steps, without waiting, until nothing is handed over any more.
template <class Consumer, class Handler>
void drain_log(Consumer& c, Handler&& h, int most = 200) {
  for (int idle = 0; idle < 3 && most > 0; --most) idle = c.step(h).what == sl::step_result::handled ? 0 : idle + 1;
}
/// Steps, each waiting up to so long on the manual clock.
template <class Consumer, class Handler>
void steps(Consumer& c, Handler&& h, int n, std::chrono::milliseconds wait = std::chrono::seconds{1}) {
  for (int i = 0; i < n; ++i) c.step(h, wait);
}

template <class F>
std::optional<sl::errc> code_of(F&& f) {
  try {
    f();
  } catch (sl::error const& e) { return e.code(); }
  return std::nullopt;
}
/// What a step throws, stepping until one does.
template <class Consumer, class Handler>
std::optional<sl::errc> complaint_of(Consumer& c, Handler&& h, int most = 50) {
  for (; most > 0; --most)
    if (auto const code = code_of([&] { c.step(h, std::chrono::seconds{1}); })) return code;
  return std::nullopt;
}

}  // namespace scripted
