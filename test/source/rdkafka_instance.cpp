#include <sluice/source/rdkafka_instance.hpp>

#include "reading_client.hpp"

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
