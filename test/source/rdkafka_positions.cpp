#include <sluice/source/rdkafka_positions.hpp>

#include "reading_client.hpp"
#include "sanitized.hpp"

TEST_CASE("positions and notes are read back by another client", "[positions]") {
  broker().create_topic("kept", 2);
  rdkafka_client writer{by_hand("keepers")};
  std::string const note = "{\"turn\": 7}";
  CHECK(store_one(writer, {.of = {"kept", 0}, .next = offset{42}, .note = note}) == outcome::applied);
  rdkafka_client other{by_hand("keepers")};
  auto const found = other.positions().read({{"kept", 1}, {"kept", 0}}, in(5s));
  CHECK_FALSE(found[0].there);
  CHECK_FALSE(found[0].failed);
  CHECK(found[1].there);
  CHECK(found[1].next == offset{42});
  CHECK(found[1].note == note);
  if (!sanitized::addresses) {
    // A stranger's note with a zero in it is read up to there; librdkafka keeps that much of it, and copies all of its size.
    CHECK(store_one(other, {.of = {"kept", 1}, .next = offset{1}, .note = std::string("ab\0cd", 5)}) ==
          outcome::applied);
    CHECK(writer.positions().read({{"kept", 1}}, in(5s))[0].note == "ab");
  }
  CHECK(other.positions().store({}, in(1s)).empty());
  CHECK(other.positions().group_metadata().empty());
}

TEST_CASE("what a commit's answer means", "[positions]") {
  broker().create_topic("answers", 1);
  rdkafka_client client{by_hand("answers")};
  REQUIRE(store_one(client, {.of = {"answers", 0}, .next = offset{1}}) == outcome::applied);
  for (auto const& [e, means] : {std::pair{RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, outcome::postponed},
                                 {static_cast<rd_kafka_resp_err_t>(113), outcome::postponed},  // stale member epoch
                                 {static_cast<rd_kafka_resp_err_t>(110), outcome::refused},    // fenced member epoch
                                 {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, outcome::refused},
                                 {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, outcome::refused},
                                 {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, outcome::refused},
                                 {RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, outcome::refused},
                                 {RD_KAFKA_RESP_ERR_UNKNOWN, outcome::unknown}}) {
    CAPTURE(rd_kafka_err2name(e));
    broker().fail_next(request::offset_commit, {e});
    CHECK(store_one(client, {.of = {"answers", 0}, .next = offset{2}}) == means);
  }
  CHECK(client.positions().read({{"answers", 0}}, in(5s))[0].next == offset{1});
  CHECK(store_one(client, {.of = {"answers", 0}, .next = offset{3}}) == outcome::applied);
}

TEST_CASE("one partition's refusal is not the other's", "[positions]") {
  broker().create_topic("partly", 1);
  rdkafka_client client{by_hand("partly")};
  auto const outcomes = client.positions().store(
      {{.of = {"partly", 0}, .next = offset{7}, .note = "n"}, {.of = {"partly", 5}, .next = offset{7}}}, in(5s));
  CHECK(outcomes == std::vector{outcome::applied, outcome::refused});
  CHECK(client.positions().read({{"partly", 0}}, in(5s))[0].next == offset{7});
  bool told = false;
  while (auto const e = client.poll())
    if (auto const* t = std::get_if<client::trouble>(&*e)) told = told || t->text.find("partly/5") != std::string::npos;
  CHECK(told);
}

TEST_CASE("an answer that does not come is unknown, and the client behind it can be thrown away", "[positions]") {
  broker().create_topic("late", 1);
  broker().produce_all("late", 0, std::vector<testing::produced>(20, {.value = "v"}));
  reader r{by_hand("late")};
  REQUIRE(store_one(r.client, {.of = {"late", 0}, .next = offset{1}}) == outcome::applied);
  r.read_from({{{"late", 0}, offset{0}}});
  std::vector<detail::message> held(5);
  REQUIRE(fill(r.client, r.queues[{"late", 0}], held));

  broker().delay_next(request::offset_commit, 3s);
  CHECK(store_one(r.client, {.of = {"late", 0}, .next = offset{2}}, 200ms) == outcome::unknown);
  CHECK_FALSE(r.client.spent());
  r.client.positions().abandon();
  CHECK(r.client.spent());
  CHECK(store_one(r.client, {.of = {"late", 0}, .next = offset{9}}, 200ms) == outcome::refused);
  CHECK_THROWS_AS(r.client.positions().read({{"late", 0}}, in(200ms)), store_error);
  auto const start = std::chrono::steady_clock::now();
  r.client.renew();
  CHECK(std::chrono::steady_clock::now() - start < 2s);
  CHECK_FALSE(r.client.spent());

  // What was in hand stays readable, and goes back with what came later.
  r.queues.clear();
  r.read_from({{{"late", 0}, offset{10}}});
  std::vector<detail::message> fresh(1);
  REQUIRE(fill(r.client, r.queues[{"late", 0}], fresh));
  REQUIRE(fresh[0].at == 10);
  CHECK(held[4].at == 4);
  CHECK(as_text({static_cast<std::byte const*>(held[4].value), held[4].value_size}) == "v");
  held.push_back(fresh[0]);
  r.client.release(held);
  CHECK(store_one(r.client, {.of = {"late", 0}, .next = offset{3}}) == outcome::applied);
  CHECK(r.client.close(in(5s)));
}

TEST_CASE("in the background one request is in flight and the newest position wins", "[positions]") {
  broker().create_topic("background", 1);
  rdkafka_client client{by_hand("background")};
  auto& positions = client.positions();
  std::string failed;
  CHECK(positions.settled(failed));
  broker().delay_next(request::offset_commit, 300ms);
  for (std::int64_t i = 1; i <= 50; ++i) positions.store_later({{.of = {"background", 0}, .next = offset{i}}});
  CHECK_FALSE(positions.settled(failed));
  auto const settle = [&] {
    for (auto const by = in(10s); !positions.settled(failed) && std::chrono::steady_clock::now() < by;)
      client.wait(in(20ms));
    return positions.settled(failed);
  };
  CHECK(settle());
  CHECK(failed.empty());
  CHECK(positions.read({{"background", 0}}, in(5s))[0].next == offset{50});
  // A store that is waited for is not overtaken by what waited in the background.
  positions.store_later({{.of = {"background", 0}, .next = offset{60}}});
  positions.store_later({{.of = {"background", 0}, .next = offset{61}}});
  CHECK(store_one(client, {.of = {"background", 0}, .next = offset{70}}) == outcome::applied);
  CHECK(settle());
  CHECK(positions.read({{"background", 0}}, in(5s))[0].next == offset{70});
  broker().fail_next(request::offset_commit, {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION});
  positions.store_later({{.of = {"background", 0}, .next = offset{80}}});
  CHECK(settle());
  CHECK_FALSE(failed.empty());
}
