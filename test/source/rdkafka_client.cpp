#include <sluice/source/rdkafka_client.hpp>

#include <sys/eventfd.h>

#include "reading_client.hpp"

static_assert(client::kafka_client<rdkafka_client>);

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
  auto const limits = r.client.limits(r.queues[{"apart", 1}]);
  CHECK(limits.known);
  CHECK(limits.low == offset{0});
  CHECK(limits.high == offset{300});
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

TEST_CASE("what was fetched behind an error is gone when its partition is given back", "[client]") {
  embedded_broker own;  // whose next fetch is this client's, not that of one which is still closing
  own.create_topic("behind", 1);
  own.produce_all("behind", 0, std::vector<testing::produced>(10, {.value = "v"}));
  topic_partition const of{"behind", 0};
  auto settings = by_hand();
  settings.brokers = own.bootstrap();
  rdkafka_client client{std::move(settings)};
  auto const queue = client.open_queue(of);
  own.fail_next(request::fetch, {RD_KAFKA_RESP_ERR_INVALID_MSG});
  client.incremental_assign({{of, offset{5}}});
  // Both have come when they are looked for: one look brings the error, and what lies behind it.
  for (auto const by = in(10s); client.limits(queue).high < offset{10} && std::chrono::steady_clock::now() < by;)
    std::this_thread::sleep_for(5ms);
  std::this_thread::sleep_for(50ms);
  std::vector<detail::message> some(10);
  auto t = client.take(queue, some);
  CHECK(t.trouble != "");
  CHECK(t.count == 0);
  client.incremental_unassign({of});
  client.incremental_assign({{of, offset{2}}});
  for (auto const by = in(10s); t.count == 0 && std::chrono::steady_clock::now() < by; t = client.take(queue, some))
    client.wait(std::min(by, in(50ms)));
  REQUIRE(t.count > 0);
  CHECK(some[0].at == 2);
  client.release({some.data(), t.count});
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
  // The embedded broker may leave a member out of a rebalance, or of several.
  REQUIRE(first.until(halves, 90s));
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
