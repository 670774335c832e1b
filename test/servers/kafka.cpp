#include "servers/kafka.hpp"

#include <librdkafka/rdkafka.h>

#include "catch.hpp"

TEST_CASE("a Kafka of one node starts, is killed, and starts again") {
  servers::kafka broker;
  auto const port = std::stoi(broker.bootstrap().substr(broker.bootstrap().find(':') + 1));
  CHECK(servers::listens(port));
  broker.kill(0);
  CHECK_FALSE(servers::listens(port));
  broker.start(0);
  CHECK(servers::listens(port));
}
