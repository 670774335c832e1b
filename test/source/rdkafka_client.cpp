#include <sluice/source/rdkafka_client.hpp>

#include <sys/eventfd.h>

#include "reading_client.hpp"

static_assert(client::kafka_client<rdkafka_client>);

TEST_CASE("null and empty keys and values are told apart, and large ones arrive", "[client]") {
  broker().create_topic("shapes", 1);
  std::string const large(1 << 20, 'x');
  broker().produce_all("shapes", 0,
                       std::vector<testing::produced>{{.key = {}, .value = {}},
                                                      {.key = "", .value = ""},
                                                      {.key = "k", .value = std::string("a\0b", 3)},
                                                      {.key = "large", .value = large}});
  reader r{by_hand()};
  r.read_from({{{"shapes", 0}, offset{0}}});
  REQUIRE(r.until([&] { return r.records.size() == 4; }));
  CHECK_FALSE(r.records[0].has_key);
  CHECK(r.records[0].tombstone);
  CHECK(r.records[1].has_key);
  CHECK_FALSE(r.records[1].tombstone);
  CHECK(r.records[1].key.empty());
  CHECK(r.records[1].value.empty());
  CHECK(r.records[2].value == std::string("a\0b", 3));
  CHECK(r.records[3].value == large);
  for (std::size_t i = 0; i < 4; ++i) CHECK(r.records[i].at == static_cast<std::int64_t>(i));
}

TEST_CASE("headers keep their order, repeated names and null values; timestamps are the producer's", "[client]") {
  broker().create_topic("headers", 1);
  broker().produce("headers", 0,
                   {.value = "v",
                    .headers = {{"a", "1"}, {"b", std::nullopt}, {"a", "2"}, {"empty", ""}},
                    .timestamp = 1'600'000'000'123});
  broker().produce("headers", 0, {.value = "none"});
  rdkafka_client client{by_hand()};
  auto const queue = client.open_queue({"headers", 0});
  client.assign({{{"headers", 0}, offset{0}}});
  std::vector<detail::message> some(2);
  REQUIRE(fill(client, queue, some));
  detail::part const part{some.data(), some.data() + 2, {}, client.access()};
  record const first{&some[0], &part};
  CHECK(first.timestamp().time_since_epoch().count() == 1'600'000'000'123);
  std::vector<std::string> all;
  for (auto const& h : first.headers())
    all.push_back(std::string(h.name) + "=" + (h.value.data() ? std::string(as_text(h.value)) : "null"));
  CHECK(all == std::vector<std::string>{"a=1", "b=null", "a=2", "empty="});
  record const second{&some[1], &part};
  CHECK(second.headers().begin() == second.headers().end());
  client.release(some);
  CHECK(client.close(in(5s)));
}

TEST_CASE("a partition's records come out of its own queue only, and in pieces of any size", "[client]") {
  broker().create_topic("apart", 2);
  for (std::int32_t p : {0, 1})
    broker().produce_all("apart", p, std::vector<testing::produced>(300, {.value = std::to_string(p)}));
  reader r{by_hand()};
  r.read_from({{{"apart", 0}, offset{0}}, {{"apart", 1}, offset{100}}});
  REQUIRE(r.until([&] { return r.records.size() >= 500; }));
  CHECK(r.records.size() == 500);
  // A record on the main queue would have come as an event.
  CHECK(r.events.empty());
  std::map<std::string, std::int64_t> next{{"apart/0", 0}, {"apart/1", 100}};
  for (auto const& one : r.records) {
    CHECK(one.at == next[one.partition]++);
    CHECK(one.partition == "apart/" + one.value);
  }
  CHECK(r.client.end(r.queues[{"apart", 1}]) == 300);
}

TEST_CASE("assign again reads from there, without what was fetched before", "[client]") {
  broker().create_topic("again", 1);
  broker().produce_all("again", 0, std::vector<testing::produced>(500, {.value = "v"}));
  reader r{by_hand()};
  for (std::int64_t const from : {0, 450, 10}) {
    r.read_from({{{"again", 0}, offset{from}}});
    r.records.clear();
    REQUIRE(r.until([&] { return !r.records.empty(); }));
    CHECK(r.records.front().at == from);
  }
}

TEST_CASE("an offset outside the log is told", "[client]") {
  broker().create_topic("outside", 1);
  broker().produce_all("outside", 0, std::vector<testing::produced>(10, {.value = "v"}));
  reader r{by_hand()};
  r.read_from({{{"outside", 0}, offset{5000}}});
  REQUIRE(r.until([&] { return r.heard<client::out_of_range>() != nullptr; }));
  CHECK(r.heard<client::out_of_range>()->of == topic_partition{"outside", 0});
  CHECK(r.records.empty());
  // And reading goes on where it is told to.
  r.read_from({{{"outside", 0}, offset{8}}});
  REQUIRE(r.until([&] { return r.records.size() == 2; }));
}

TEST_CASE("what lies behind an error is kept for the next take", "[client]") {
  std::vector<rd_kafka_message_t> raw(4);
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i].offset = static_cast<std::int64_t>(i);
  std::vector<rd_kafka_message_t*> from;
  for (auto& m : raw) from.push_back(&m);
  std::vector<detail::message> out(3);
  client::taken t;
  auto const rest = detail::translate<void>(from, out, t);
  CHECK(t.count == 3);
  REQUIRE(rest.size() == 1);
  CHECK(rest[0] == &raw[3]);
}

TEST_CASE("a right that is missing is told, in the background too", "[client]") {
  broker().create_topic("denied", 1);
  reader r{by_hand("denied")};
  broker().fail_next(request::offset_commit, {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED});
  r.client.positions().store_later({{.of = {"denied", 0}, .next = offset{1}}});
  REQUIRE(r.until([&] { return r.heard<client::trouble>() != nullptr; }));
  auto const& told = *r.heard<client::trouble>();
  CHECK(told.code == errc::access_denied);
  CHECK_THAT(told.text, ContainsSubstring("\"denied\"") && ContainsSubstring("READ on the group"));
}

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
  // A stranger's note with a zero in it is read up to there, and no further than librdkafka copied.
  CHECK(store_one(other, {.of = {"kept", 1}, .next = offset{1}, .note = std::string("ab\0cd", 5)}) == outcome::applied);
  CHECK(writer.positions().read({{"kept", 1}}, in(5s))[0].note == "ab");
  CHECK(other.positions().store({}, in(1s)).empty());
  CHECK(other.positions().group_metadata().empty());
}

TEST_CASE("what a commit's answer means", "[positions]") {
  broker().create_topic("answers", 1);
  rdkafka_client client{by_hand("answers")};
  REQUIRE(store_one(client, {.of = {"answers", 0}, .next = offset{1}}) == outcome::applied);
  for (auto const& [e, means] : {std::pair{RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, outcome::postponed},
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

  broker().delay_next(request::offset_commit, 1500ms);
  CHECK(store_one(r.client, {.of = {"late", 0}, .next = offset{2}}, 200ms) == outcome::unknown);
  CHECK_FALSE(r.client.spent());
  r.client.positions().abandon();
  CHECK(r.client.spent());
  CHECK(store_one(r.client, {.of = {"late", 0}, .next = offset{9}}, 200ms) == outcome::refused);
  CHECK_THROWS_AS(r.client.positions().read({{"late", 0}}, in(200ms)), store_error);
  auto const start = std::chrono::steady_clock::now();
  r.client.renew();
  CHECK(std::chrono::steady_clock::now() - start < 500ms);
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

TEST_CASE("wait ends when records come, when woken, and at its time", "[wait]") {
  broker().create_topic("waited", 1);
  rdkafka_client client{by_hand()};
  auto const queue = client.open_queue({"waited", 0});
  client.assign({{{"waited", 0}, offset{0}}});
  // What librdkafka says to itself comes out of the queue, too.
  std::vector<detail::message> one(1);
  for (int quiet = 0; quiet < 3; ++quiet) {
    CHECK_FALSE(client.poll().has_value());
    CHECK(client.take(queue, one).count == 0);
    client.wait(in(50ms));
  }

  auto start = std::chrono::steady_clock::now();
  client.wait(in(50ms));
  CHECK(std::chrono::steady_clock::now() - start >= 50ms);

  std::thread waker{[&] { client.wake(); }};
  client.wait(in(10s));
  waker.join();
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  client.wait(in(0ms));

  int const fd = ::eventfd(0, EFD_NONBLOCK);
  client.wake_on(fd);
  std::thread producer{[] { broker().produce("waited", 0, "k", "v"); }};
  client.wait(in(10s));
  producer.join();
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  REQUIRE(fill(client, queue, one));
  client.release(one);
  std::uint64_t written = 0;
  CHECK(::read(fd, &written, sizeof written) == 8);
  client.wake_on(-1);
  client.wake();
  CHECK(::read(fd, &written, sizeof written) == -1);
  ::close(fd);
}

TEST_CASE("a group's life: assigned, a commit before the answer, a second member, revoked, closed", "[group]") {
  broker().create_topic("shared", 4);
  for (std::int32_t p = 0; p < 4; ++p)
    broker().produce_all("shared", p, std::vector<testing::produced>(50, {.value = "v"}));
  reader first{member("sharers")};
  CHECK_FALSE(first.client.cooperative());
  first.answer = false;
  first.client.subscribe({"shared"});
  REQUIRE(first.until([&] { return first.heard<client::assigned>() != nullptr; }, 15s));
  auto const set = first.heard<client::assigned>()->set;
  CHECK(set.size() == 4);
  // Before the assignment is answered the member can store: so a claim can live in the group.
  CHECK(store_one(first.client, {.of = {"shared", 2}, .next = offset{5}, .note = "claim"}) == outcome::applied);
  CHECK(first.client.positions().read(set, in(5s))[2].note == "claim");
  CHECK_FALSE(first.client.positions().group_metadata().empty());

  // An assignment may be answered with nothing, and the member goes on taking part.
  first.client.assign({});
  first.answer = true;
  reader second{member("sharers")};
  second.client.subscribe({"shared"});
  auto const halves = [&] {
    second.poll();
    second.take();
    return first.queues.size() == 2 && second.queues.size() == 2 && first.records.size() >= 100 &&
           second.records.size() >= 100;
  };
  REQUIRE(first.until(halves, 20s));
  REQUIRE(first.heard<client::revoked>() != nullptr);
  CHECK_FALSE(first.heard<client::revoked>()->lost);
  CHECK(store_one(first.client, {.of = first.queues.begin()->first, .next = offset{9}}) == outcome::applied);

  // The second leaves by closing: the first gets all back sooner than after the session's end and a rebalance.
  CHECK(second.client.close(in(5s)));
  REQUIRE(first.until([&] { return first.queues.size() == 4; }, 8s));
  CHECK(first.client.close(in(5s)));
}

TEST_CASE("a member that does not poll is put out, and its partitions are lost", "[group]") {
  broker().create_topic("slow", 1);
  auto settings = member("slow ones");
  settings.properties["session.timeout.ms"] = "2500";
  settings.properties["max.poll.interval.ms"] = "2500";
  reader r{settings};
  r.client.subscribe({"slow"});
  REQUIRE(r.until([&] { return r.queues.size() == 1; }, 15s));
  std::this_thread::sleep_for(3500ms);
  REQUIRE(r.until([&] { return r.heard<client::revoked>() != nullptr; }, 5s));
  CHECK(r.heard<client::revoked>()->lost);
  CHECK(r.heard<client::revoked>()->set == std::vector<topic_partition>{{"slow", 0}});
  CHECK(r.heard<client::poll_exceeded>() != nullptr);
}

TEST_CASE("a subscription to an unknown topic is told", "[group]") {
  broker().refuse_topic("not.there", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  reader r{member("strangers")};
  r.client.subscribe({"not.there"});
  REQUIRE(r.until([&] { return r.heard<client::trouble>() != nullptr; }, 15s));
  CHECK(r.heard<client::trouble>()->code == errc::unknown_topic);
  CHECK_FALSE(r.heard<client::trouble>()->fatal);
  CHECK_THAT(r.heard<client::trouble>()->text, ContainsSubstring("not.there"));
}
