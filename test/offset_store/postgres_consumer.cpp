// A consumer on PostgreSQL as users write it, reading from a broker.
#include <sluice/offset_store/postgres.hpp>
#include <sluice/output/postgres_upsert.hpp>
#include <sluice/sluice.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include "postgres_support.hpp"

namespace {

using namespace std::chrono_literals;
using texts = std::vector<std::string>;

struct fixture : postgres_fixture {
  sl::testing::embedded_broker broker{};
  sl::kafka_partitions source{
      .brokers = broker.bootstrap(), .group = "billing", .partitions = {{"orders", 0}, {"orders", 1}}};

  fixture() {
    broker.create_topic("orders", 2);
    look("create table orders (name text, amount int)");
    look("create table totals (name text primary key, amount int)");
  }
  void produce(int from, int until) {
    for (int n = from; n < until; ++n) broker.produce("orders", n % 2, n % 3 == 0 ? "a" : "b", std::to_string(n));
  }
  template <class Consumer, class Handler>
  static void handle(Consumer& c, Handler&& h, std::size_t records) {
    while (records > 0) records -= std::min(records, c.step(h, 100ms).records);
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "each order counts once, also for a consumer that is started again") {
  using ingest = sl::stream_consumer<sl::transactional, sl::postgres_offsets, sl::kafka_partitions>;
  auto const handler = [](sl::batch const& batch, ingest::transaction& tx) {
    tx.append({.table = "orders", .columns = {"name", "amount"}}, batch,
              [](sl::record r) { return std::tuple{r.key_text(), r.text()}; });
    tx.execute(
        "insert into totals select name, sum(amount) from orders group by name"
        " on conflict (name) do update set amount = excluded.amount");
  };
  for (int begin : {0, 30}) {
    produce(begin, begin + 30);
    ingest consumer{source, config};
    handle(consumer, handler, 30);
  }
  CHECK(look("select count(*), sum(amount) from orders") == texts{"60|1770"});
  CHECK(look("select * from totals order by 1") == texts{"a|570", "b|1200"});
  CHECK(look("select next from sluice_offsets") == texts{"30", "30"});
}

TEST_CASE_METHOD(fixture, "what can't be handled is a row of the dead letters' table, in the same transaction") {
  using ingest =
      sl::stream_consumer<sl::transactional, sl::postgres_offsets, sl::kafka_partitions, sl::dead_letter_table>;
  produce(0, 10);
  broker.produce("orders", 0, "a", "no number");
  broker.produce("orders", 1, "a", "nor this");
  produce(10, 20);
  ingest consumer{source, config, sl::dead_letter_table{"dead"}};
  handle(consumer, sl::each([](sl::record r, ingest::transaction& tx) {
           tx.execute("insert into orders values ($1, 0)", "half of an effect");
           tx.execute("update orders set name = $1, amount = $2 where name = 'half of an effect'", r.key_text(),
                      r.text());
         }),
         22);
  CHECK(look("select count(*), sum(amount) from orders") == texts{"20|190"});
  CHECK(look("select encode(value, 'escape') from dead order by 1") == texts{"no number", "nor this"});
  CHECK(look("select next from sluice_offsets") == texts{"11", "11"});
}

TEST_CASE_METHOD(fixture, "a conflict runs the batch again") {
  using ingest = sl::stream_consumer<sl::transactional, sl::postgres_offsets, sl::kafka_partitions>;
  look("insert into totals values ('all', 100)");
  produce(0, 4);
  ingest consumer{source, config};
  int calls = 0;
  handle(
      consumer,
      [&](sl::batch const& batch, ingest::transaction& tx) {
        auto rows = tx.query("select amount from totals where name = 'all'");
        auto total = (*rows.begin()).get<int>(0);
        if (++calls == 1) look("update totals set amount = 200");
        for (sl::record r : batch) total += std::stoi(std::string(r.text()));
        tx.execute("update totals set amount = $1 where name = 'all'", total);
      },
      4);
  CHECK(calls >= 2);
  CHECK(look("select amount from totals") == texts{"206"});
}

TEST_CASE_METHOD(fixture, "idempotent, into an upsert") {
  produce(0, 20);
  sl::postgres_upsert out{{.connection = here(),
                           .table = "last",
                           .key = {"k"},
                           .columns = {"v"},
                           .version = [](sl::record r) { return std::stoll(std::string(r.text())); }},
                          [](sl::record r, auto& row) { row(r.key_text(), r.text()); }};
  sl::stream_consumer consumer{sl::idempotent{}, source, config};
  handle(consumer, out, 20);
  CHECK(look("select k, v from last order by 1") == texts{"a|18", "b|19"});
}
