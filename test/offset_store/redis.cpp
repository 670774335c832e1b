#include <sluice/offset_store/redis.hpp>

#include "contract_network.hpp"
#include "redis_support.hpp"

static_assert(sl::transactional_store<sl::redis_offset_store>);
static_assert(sl::redis_offset_store::durable_at_advance && !sl::lossy_redis_offset_store::durable_at_advance);
static_assert(sl::legal<sl::transactional, sl::redis_offsets> && sl::legal<sl::transactional, sl::lossy_redis_offsets>);
static_assert(sl::legal<sl::at_most_once, sl::redis_offsets> && !sl::legal<sl::at_most_once, sl::lossy_redis_offsets>);

namespace {

using namespace contract;
using words = std::vector<std::string>;

}  // namespace

TEST_CASE("redis_offsets keeps the contract of stores") { contract::holds<redis_fixture>(); }

TEST_CASE("lossy_redis_offsets keeps the contract of stores") { contract::holds<lossy_redis_fixture>(); }

TEST_CASE("redis_offsets keeps the contract of stores behind a network") {
  contract::holds_over_network<redis_fixture>();
}

TEST_CASE("20 kills of Redis in mid-store lose nothing that it acknowledged", "[.long]") {
  contract::server_killed_often<redis_fixture>();
}

TEST_CASE("what Redis holds can be read by people, and has a format") {
  redis_fixture f;
  auto r = orders();
  auto const s = f.open();
  auto const c = claim(*s, "bill:{ing}", partitions("orders", {1}), r);
  auto m = to(c[0], 25);
  m.log.last = sl::fingerprint{offset{24}, 77};
  CHECK(advance(*s, {m}) == all{outcome::applied});
  auto const key = "{" + f.config.prefix + ":bill%3A%7Bing%7D}:offsets:orders";
  CHECK(the_redis().tell({"HGET", key, "format"}) == "1");
  CHECK(the_redis().tell({"HGET", key, "partitions"}) == "2");
  auto const p = [](auto n) { return std::to_string(n); };
  CHECK(the_redis().tell({"HGET", key, "1"}) ==
        "25 " + p(c[0].log.incarnation) + " 1 " + p(c[0].mine.nonce) + " -1 24 77");
  CHECK(the_redis().tell({"HGET", key, "0"}).starts_with("10 "));
}

TEST_CASE("what is in Redis and can't be read is told, and left as it was") {
  redis_fixture f;
  auto [r, set, s, c] = claim_orders(f);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto const key = f.topic("orders");
  auto const told = [&](auto call, std::string const& part = "") {
    auto const before = the_redis().tell({"DUMP", key});
    auto const e = error_of(call);
    CHECK(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring("redis_offsets") && ContainsSubstring(part));
    CHECK(the_redis().tell({"DUMP", key}) == before);
    return e.code;
  };
  auto const everything = [&](sl::errc code, std::string const& part) {
    CHECK(told([&] { s->claim("billing", set, r, soon()); }, part) == code);
    CHECK(told([&] { s->advance(moves, soon()); }, part) == code);
    CHECK(told([&] { s->record({{set[1], offset{1}, c[1].mine, "seek"}}, soon()); }, part) == code);
    CHECK(told(
              [&] {
                auto& tx = s->begin(moves, soon());
                f.write(tx, "x");
                s->advance(tx, moves, soon());
                s->commit(tx, soon());
              },
              part) == code);
    CHECK(f.results().empty());
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::unknown));
  };
  SECTION("a key of another type") {
    the_redis().ask({"DEL", key});
    the_redis().ask({"SET", key, "mine"});
    everything(sl::errc::store_damaged, "another type");
  }
  SECTION("a position that is none") {
    for (auto const* bad : {"rubbish", "", "1 2 3 4 5 6", "x 2 3 4 -1 - -", "1 2 3 4 -1 - - 8"}) {
      the_redis().ask({"HSET", key, "1", bad});
      everything(sl::errc::store_damaged, key);
    }
  }
  SECTION("numbers that do not fit") {
    for (auto const* bad :
         {"99999999999999999999 2 3 4 -1 - -", "1 99999999999999999999 3 4 -1 - -", "1 2 3 4 - - -", "1 2 3 4 -1 7 -",
          "1 2 3 4 -1 - 7", "1-1 2 3 4 -1 - -", "1 2 99999999999999999999 4 -1 - -"}) {
      the_redis().ask({"HSET", key, "1", bad});
      auto const e = error_of([&] { s->claim("billing", set, r, soon()); });
      CHECK(e.code == sl::errc::store_damaged);
      CHECK_THAT(e.text, ContainsSubstring("orders/1"));
    }
  }
  SECTION("a number of partitions that is none") {
    the_redis().ask({"HSET", key, "partitions", "two"});
    CHECK(told([&] { s->claim("billing", set, r, soon()); }, "partitions") == sl::errc::store_damaged);
  }
  SECTION("somebody else's hash") {
    the_redis().ask({"DEL", key});
    the_redis().ask({"HSET", key, "a", "b"});
    CHECK(told([&] { s->claim("billing", set, r, soon()); }, "prefix") == sl::errc::store_damaged);
  }
  SECTION("a newer format") {
    the_redis().ask({"HSET", key, "format", "2"});
    CHECK(told([&] { s->claim("billing", set, r, soon()); }, "format 2") == sl::errc::store_newer);
  }
  SECTION("a list of rewinds that is none") {
    the_redis().ask({"SET", f.slot() + ":rewinds", "mine"});
    CHECK(told([&] { s->record({{set[1], offset{1}, c[1].mine, "seek"}}, soon()); }) == sl::errc::store_damaged);
  }
}

TEST_CASE("a Redis without memory is full, and nothing is stored") {
  redis_fixture f;
  auto [r, set, s, c] = claim_orders(f);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  the_redis().ask({"CONFIG", "SET", "maxmemory", "1"});
  auto const full = [](thrown const& e) { return e.code == sl::errc::store_full && e.of_store; };
  CHECK(full(error_of([&] { s->advance(moves, soon()); })));
  CHECK(full(error_of([&] { s->claim("billing", set, r, soon()); })));
  CHECK(full(error_of([&] {
    auto& tx = s->begin(moves, soon());
    f.write(tx, "gone");
    s->advance(tx, moves, soon());
    s->commit(tx, soon());
  })));
  the_redis().ask({"CONFIG", "SET", "maxmemory", "0"});
  CHECK(f.results().empty());
  CHECK(advance(*s, moves) == all(2, outcome::applied));
}

TEST_CASE("somebody's script that does not end is told, and waited for no longer than the deadline") {
  redis_fixture f;
  auto [r, set, s, c] = claim_orders(f, {0});
  the_redis().ask({"CONFIG", "SET", "busy-reply-threshold", "50"});
  auto const other = the_redis().connect();
  redisAppendCommand(other.get(), "EVAL %s 0", "while true do end");
  for (int done = 0; !done;) redisBufferWrite(other.get(), &done);
  auto e = error_of([&] { s->advance(std::vector{to(c[0], 15)}, soon()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("SCRIPT KILL"));
  e = error_of([&] { f.open(); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("SCRIPT KILL"));
  CHECK(the_redis().tell({"SCRIPT", "KILL"}) == "OK");
  while (the_redis().tell({"PING"}) != "PONG") std::this_thread::yield();
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}

TEST_CASE("a connection that a handler has left in the middle of something is not trusted") {
  redis_fixture f;
  auto [r, set, s, c] = claim_orders(f, {0});
  std::vector const moves{to(c[0], 15)};
  auto& tx = s->begin(moves, soon());
  f.write(tx, "once");
  SECTION("a reply that was not fetched") {
    redisAppendCommand(tx.native_handle(), "PING");
    for (int done = 0; !done;) redisBufferWrite(tx.native_handle(), &done);
  }
  SECTION("a reply that looks like ours") {
    redisAppendCommand(tx.native_handle(), "EVAL %s 0", "return {'0123456789abcdef', 'applied', 'a'}");
    for (int done = 0; !done;) redisBufferWrite(tx.native_handle(), &done);
  }
  SECTION("MULTI") { freeReplyObject(redisCommand(tx.native_handle(), "MULTI")); }
  s->advance(tx, moves, soon());
  CHECK(s->commit(tx, soon()) == outcome::unknown);
  CHECK(copy(s->settle(moves, soon())) == all{outcome::applied});
  CHECK(f.results() == words{"once"});
}

TEST_CASE("beside a partition that tells what became of a commit, those without records are not claimed again") {
  redis_fixture f;
  servers::proxy p{f.port()};
  auto r = orders();
  auto const s = f.open(p.port());
  auto const c = claim(*s, "billing", partitions("orders", {0, 1}), r);
  std::vector const moves{to(c[0], 15), to(c[1], c[1].next.value())};
  auto& tx = s->begin(moves, soon());
  f.write(tx, "once");
  s->advance(tx, moves, soon());
  p.arrange(servers::proxy::trouble::cut_after);
  CHECK(s->commit(tx, soon()) == outcome::unknown);
  CHECK(copy(s->settle(moves, soon())) == all(2, outcome::applied));
  CHECK(f.results() == words{"once"});
}

TEST_CASE("a commit without records whose answer is lost stays unknown, and is no other owner's doing") {
  redis_fixture f;
  servers::proxy p{f.port()};
  auto r = orders();
  auto const s = f.open(p.port());
  auto const set = partitions("orders", {0, 1});
  for (auto const when : {servers::proxy::trouble::cut_after, servers::proxy::trouble::cut_before}) {
    auto const c = claim(*s, "billing", set, r);
    std::vector const still{to(c[0], c[0].next.value()), to(c[1], c[1].next.value())};
    auto& tx = s->begin(still, soon());
    f.write(tx, "result");
    s->advance(tx, still, soon());
    p.arrange(when);
    CHECK(s->commit(tx, soon()) == outcome::unknown);
    CHECK(copy(s->settle(still, soon())) == all(2, outcome::unknown));
    CHECK(f.results() == words{"result"});                              // of the first one
    CHECK(copy(s->settle(still, soon())) == all(2, outcome::refused));  // under this fence nothing will be
  }
}

TEST_CASE("a connection that ends while much is sent ends neither the program nor the promise") {
  redis_fixture f;
  servers::proxy p{f.port()};
  auto r = orders();
  auto const s = f.open(p.port());
  auto const c = claim(*s, "billing", partitions("orders", {0}), r);
  std::vector const moves{to(c[0], 15)};
  auto& tx = s->begin(moves, soon());
  f.write(tx, std::string(16 << 20, 'x'));
  p.refuse(true);
  s->advance(tx, moves, soon());
  CHECK(s->commit(tx, soon()) == outcome::unknown);
  CHECK(copy(s->settle(moves, soon())) == all{outcome::unknown});
  p.refuse(false);
  CHECK(copy(s->settle(moves, soon())) == all{outcome::applied});
  auto const there = f.results();
  REQUIRE(there.size() == 1);
  CHECK(there[0].size() == 16 << 20);
}
