#include <sluice/source/rdkafka_ask.hpp>

#include "reading_client.hpp"

TEST_CASE("the brokers are asked for partitions, ends and times", "[client]") {
  broker().create_topic("asked", 3);
  for (int i = 0; i < 5; ++i) broker().produce("asked", 1, "k", "v");
  rdkafka_client client{by_hand()};
  CHECK(client.partition_count("asked", in(5s)) == 3);
  auto const ends = client.ends({{"asked", 1}, {"asked", 0}}, in(5s));
  CHECK(ends[0].known);
  CHECK(ends[0].low == offset{0});
  CHECK(ends[0].high == offset{5});
  CHECK(ends[1].known);
  CHECK(ends[1].high == offset{0});
  CHECK(client.offsets_at({{"asked", 1}}, wall_time{1s}, in(5s)) == std::vector{offset{5}});
  CHECK(client.ends({}, in(5s)).empty());

  broker().refuse_topic("no.such.topic", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  try {
    client.partition_count("no.such.topic", in(5s));
    FAIL("found");
  } catch (error const& e) {
    CHECK(e.code() == errc::unknown_topic);
    CHECK_THAT(e.what(), ContainsSubstring("no.such.topic"));
  }
  // One unknown partition does not hide the others.
  auto const mixed = client.ends({{"asked", 1}, {"asked", 99}, {"no.such.topic", 0}}, in(5s));
  CHECK(mixed[0].known);
  CHECK(mixed[0].high == offset{5});
  CHECK_FALSE(mixed[1].known);
  CHECK_FALSE(mixed[2].known);
  // Nor does a broker's refusal of one.
  broker().fail_next(request::list_offsets, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  for (auto const& w : client.ends({{"asked", 0}, {"asked", 1}, {"asked", 2}}, in(5s))) CHECK(w.known);
}

TEST_CASE("a leader that is away holds up no answer, and is found when it is back", "[client]") {
  broker().create_topic("leaderless", 2);
  broker().produce("leaderless", 0, "k", "v");
  broker().move_leader("leaderless", 0, -1);
  rdkafka_client client{by_hand()};
  for (int i = 0; i < 3; ++i) {
    auto const start = std::chrono::steady_clock::now();
    auto const ends = client.ends({{"leaderless", 0}, {"leaderless", 1}}, in(20s));
    CHECK_FALSE(ends[0].known);
    CHECK(ends[1].known);
    CHECK_FALSE(client.ends({{"leaderless", 0}}, in(20s))[0].known);
    CHECK(std::chrono::steady_clock::now() - start < 5s);
  }
  broker().move_leader("leaderless", 0, 1);
  CHECK(client.ends({{"leaderless", 0}}, in(8s))[0].known);
}

TEST_CASE("a time is asked for until the leader is back", "[client]") {
  broker().create_topic("leaderless.once", 1);
  broker().move_leader("leaderless.once", 0, -1);
  rdkafka_client client{by_hand()};
  std::thread mended{[] {
    std::this_thread::sleep_for(100ms);
    broker().move_leader("leaderless.once", 0, 1);
  }};
  CHECK(client.offsets_at({{"leaderless.once", 0}}, wall_time{1s}, in(8s)) == std::vector{offset{0}});
  mended.join();
}

TEST_CASE("without a broker questions end in time and say where was asked", "[client]") {
  rdkafka_client client{{.brokers = "127.0.0.1:1", .group = "g"}};
  auto const start = std::chrono::steady_clock::now();
  std::function<void()> const questions[] = {
      [&] { client.partition_count("t", in(300ms)); },
      [&] { client.ends({{"t", 0}}, in(300ms)); },
      [&] { client.offsets_at({{"t", 0}}, wall_time{1s}, in(300ms)); },
  };
  for (auto const& question : questions) {
    try {
      question();
      FAIL("answered");
    } catch (error const& e) {
      CHECK(e.code() == errc::no_broker);
      CHECK_THAT(e.what(), ContainsSubstring("127.0.0.1:1") && ContainsSubstring("kafka{.brokers}") &&
                               ContainsSubstring("refused"));
    }
  }
  CHECK_THROWS_AS(client.positions().read({{"t", 0}}, in(300ms)), store_error);
  CHECK(store_one(client, {.of = {"t", 0}, .next = offset{1}}, 300ms) == outcome::unknown);
  CHECK(std::chrono::steady_clock::now() - start < 4s);
  auto const closing = std::chrono::steady_clock::now();
  client.close(in(300ms));
  CHECK(std::chrono::steady_clock::now() - closing < 2s);
}
