#include <sluice/source/rdkafka_sockets.hpp>

#include "reading_client.hpp"

TEST_CASE("a commit that waits for its coordinator dies with an abandoned client", "[positions]") {
  embedded_broker own{2};
  own.create_topic("cut", 2);
  own.move_leader("cut", 0, 1);
  own.move_leader("cut", 1, 1);
  own.move_coordinator("cut", 2);
  auto settings = by_hand("cut");
  settings.brokers = own.bootstrap();
  settings.properties = {{"reconnect.backoff.max.ms", "100"}};
  rdkafka_client client{settings};
  auto& positions = client.positions();
  REQUIRE(store_one(client, {.of = {"cut", 0}, .next = offset{1}}) == outcome::applied);
  own.broker_down(2);
  // librdkafka keeps it for later.
  CHECK(store_one(client, {.of = {"cut", 0}, .next = offset{2}}, 300ms) == outcome::unknown);
  positions.abandon();
  client.renew();
  own.broker_up(2);
  REQUIRE(store_one(client, {.of = {"cut", 1}, .next = offset{1}}, 10s) == outcome::applied);
  // One that is not cut would be back in a tenth of a second.
  for (auto const by = in(1500ms); std::chrono::steady_clock::now() < by; client.wait(in(100ms)))
    REQUIRE(positions.read({{"cut", 0}}, in(5s))[0].next == offset{1});
}
