#include <sluice/source/rdkafka_records.hpp>

#include "reading_client.hpp"

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
