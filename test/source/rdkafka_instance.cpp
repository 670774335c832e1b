#include <sluice/source/rdkafka_instance.hpp>

#include <dlfcn.h>

#include <atomic>

#include "reading_client.hpp"

namespace {
std::atomic<bool> has_left{false};
std::atomic<int> asked_after_leaving{0};
}  // namespace

/// In the place of librdkafka's.
extern "C" char const* rd_kafka_rebalance_protocol(rd_kafka_t* client) {
  static auto const real =
      reinterpret_cast<decltype(&::rd_kafka_rebalance_protocol)>(::dlsym(RTLD_NEXT, "rd_kafka_rebalance_protocol"));
  if (!has_left) return real(client);
  ++asked_after_leaving;
  return nullptr;
}

TEST_CASE("an abandoned member leaves, and its successor is a new member with the same subscription", "[group]") {
  broker().create_topic("renewed", 1);
  reader r{member("renewers")};
  r.client.subscribe({"renewed"});
  REQUIRE(r.until([&] { return r.queues.size() == 1; }, 15s));
  auto const before = r.client.positions().group_metadata();
  r.client.positions().abandon();
  r.client.close_queue(r.queues.begin()->second);
  r.queues.clear();
  r.client.renew();
  REQUIRE(r.until([&] { return r.queues.size() == 1; }, 15s));
  CHECK(r.client.positions().group_metadata() != before);
  CHECK(store_one(r.client, {.of = {"renewed", 0}, .next = offset{1}}) == outcome::applied);
}

TEST_CASE("a rebalance that is heard of when the client has left its group ends nothing but the client", "[group]") {
  broker().create_topic("left", 1);
  reader r{member("leavers")};
  r.client.subscribe({"left"});
  REQUIRE(r.until([&] { return r.queues.size() == 1; }, 15s));
  has_left = true;
  r.client.close(in(5s));
  has_left = false;
  CHECK(asked_after_leaving > 0);
}

TEST_CASE("brokers that go away are told, and closing keeps its time", "[client]") {
  embedded_broker own;
  own.create_topic("t", 1);
  std::string lines;
  reader r{{.brokers = own.bootstrap(), .group = "g", .subscribe = false, .log = [&](int, std::string_view line) {
              lines += std::string(line) + "\n";
            }}};
  r.read_from({{{"t", 0}, offset{0}}});
  CHECK(r.client.partition_count("t", in(5s)) == 1);
  own.broker_down();
  REQUIRE(r.until([&] { return r.heard<client::trouble>() != nullptr; }));
  CHECK(r.heard<client::trouble>()->code == errc::no_broker);
  CHECK_THAT(lines, ContainsSubstring("Kafka client: brokers="));
  auto const start = std::chrono::steady_clock::now();
  r.client.close(in(300ms));
  CHECK(std::chrono::steady_clock::now() - start < 2s);
}
