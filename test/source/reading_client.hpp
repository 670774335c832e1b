/// \file reading_client.hpp  A client of the embedded broker that reads as the source does, and keeps what it read and heard.
#pragma once
#include <sluice/source/rdkafka_client.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include <functional>
#include <thread>

#include "catch.hpp"

using namespace sluice;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using testing::embedded_broker;
using testing::request;

inline embedded_broker& broker() {
  static embedded_broker b;
  return b;
}

inline time_point in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

inline rdkafka_settings by_hand(std::string group = "by hand") {
  return {.brokers = broker().bootstrap(), .group = std::move(group), .subscribe = false};
}

inline rdkafka_settings member(std::string group) {
  return {.brokers = broker().bootstrap(),
          .group = std::move(group),
          .properties = {{"session.timeout.ms", "6000"}, {"heartbeat.interval.ms", "200"}}};
}

/// Looks for what has come until there are `out.size()` records.
inline bool fill(rdkafka_client& client, std::size_t queue, std::span<detail::message> out) {
  std::size_t count = 0;
  for (auto const by = in(10s); std::chrono::steady_clock::now() < by;) {
    count += client.take(queue, out.subspan(count)).count;
    if (count == out.size()) return true;
    client.wait(std::min(by, in(1s)));
  }
  return false;
}

/// A client that reads as the source does, and keeps copies of what it read.
struct reader {
  struct copy {
    std::string partition{}, key{}, value{};
    bool has_key = false, tombstone = false;
    std::int64_t at = 0;
  };
  rdkafka_client client;
  std::map<topic_partition, std::size_t> queues{};
  std::vector<copy> records{};
  std::vector<client::event> events{};
  bool answer = true;

  explicit reader(rdkafka_settings s) : client(std::move(s)) {}

  void read_from(std::vector<position> const& from) {
    for (auto const& p : from)
      if (!queues.contains(p.of)) queues[p.of] = client.open_queue(p.of);
    client.assign(from);
  }

  void poll() {
    while (auto e = client.poll()) {
      if (auto const* a = std::get_if<client::assigned>(&*e); a && answer) {
        std::vector<position> from;
        for (auto const& of : a->set) from.push_back({of, offset{0}});
        read_from(from);
      }
      if (std::holds_alternative<client::revoked>(*e) && answer) {
        for (auto const& [of, queue] : queues) client.close_queue(queue);
        queues.clear();
        client.assign({});
      }
      events.push_back(std::move(*e));
    }
  }

  void take() {
    std::vector<detail::message> some(100);
    for (auto const& [of, queue] : queues) {
      auto const t = client.take(queue, some);
      detail::part const part{some.data(), some.data() + t.count, {.of = of}, client.access()};
      for (std::size_t i = 0; i < t.count; ++i) {
        record const r{&some[i], &part};
        records.push_back({to_string(of), std::string(r.key_text()), std::string(r.text()), r.has_key(),
                           r.is_tombstone(), r.offset().value()});
      }
      client.release({some.data(), t.count});
      if (t.out_of_range) events.push_back(client::out_of_range{of});
      if (!t.trouble.empty()) events.push_back(client::trouble{errc::client_failed, t.trouble});
    }
  }

  bool until(std::function<bool()> const& done, std::chrono::milliseconds limit = 10s) {
    auto const by = in(limit);
    for (;;) {
      poll();
      take();
      if (done()) return true;
      if (std::chrono::steady_clock::now() >= by) return false;
      client.wait(std::min(by, in(50ms)));
    }
  }

  template <class Event>
  Event const* heard() const {
    for (auto const& e : events)
      if (auto const* found = std::get_if<Event>(&e)) return found;
    return nullptr;
  }
};

inline outcome store_one(rdkafka_client& client, group_position p, std::chrono::milliseconds limit = 5s) {
  return client.positions().store({std::move(p)}, in(limit)).front();
}
