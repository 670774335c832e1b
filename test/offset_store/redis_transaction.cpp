#include <sluice/offset_store/redis_transaction.hpp>

#include <sluice/sluice.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include "../seed.hpp"
#include "contract.hpp"
#include "redis_support.hpp"

namespace {

using namespace contract;
using words = std::vector<std::string>;

/// One partition, claimed; transactions on it one after the other.
struct one_partition : redis_fixture {
  std::unique_ptr<store> s = open();
  sl::claimed mine{};
  one_partition() { claim_anew(); }
  void claim_anew() {
    resolver r{{{"orders", {offset{0}}}}};
    mine = claim(*s, "billing", partitions("orders", {0}), r)[0];
  }
  std::string key(std::string const& name) const { return slot() + ":" + name; }
  std::int64_t stands() const { return std::stoll(the_redis().tell({"HGET", topic("orders"), "0"})); }
  /// What commit answers; where it is applied the next transaction goes on from there.
  template <class F>
  outcome transact(F write) {
    std::vector const moves{to(mine, mine.next.value() + 1)};
    auto& tx = s->begin(moves, soon());
    write(tx);
    s->advance(tx, moves, soon());
    auto const o = s->commit(tx, soon());
    if (o == outcome::applied) mine.next = moves[0].until;
    return o;
  }
  /// Refused as the handler's failure, and nothing has happened.
  template <class F>
  void refuses(std::string const& why, F write) {
    auto const before = stands();
    auto const e = error_of([&] { (void)transact(write); });
    INFO(e.text);
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring(why));
    CHECK(stands() == before);
  }
};

}  // namespace

TEST_CASE("values are sent as what Redis makes of them") {
  auto const text = [](sl::redis_value const& v) { return v.text(); };
  CHECK(text("a") == "a");
  CHECK(text(std::string_view{"a\0b", 3}) == std::string("a\0b", 3));
  CHECK(text(sl::as_bytes("xyz")) == "xyz");
  CHECK(text(std::string_view{"", 0}).empty());
  CHECK(text(-7) == "-7");
  CHECK(text(18446744073709551615u) == "18446744073709551615");
  CHECK(text(true) == "1");
  CHECK(text(0.1) == "0.1");
  CHECK(text(1e300) == "1e+300");
  CHECK(text(offset{5}) == "5");
  CHECK(text(sl::wall_time{1234ms}) == "1234");
  for (auto const& e : {error_of([] { sl::redis_value{sl::bytes{}}; }), error_of([] { sl::redis_value{nullptr}; }),
                        error_of([] { sl::redis_value{static_cast<char const*>(nullptr)}; }),
                        error_of([] { sl::redis_value{std::string_view{}}; })}) {
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_THAT(e.text, ContainsSubstring("null"));
  }
}

TEST_CASE("every command does what Redis's own does") {
  one_partition f;
  auto const k = [&](char const* name) { return f.key(name); };
  CHECK(f.transact([&](sl::redis_transaction& tx) {
    CHECK(tx.slot() == f.slot());
    tx.set(k("s"), "text");
    tx.incr_by(k("n"), 5);
    tx.incr_by(k("n"), -7);
    tx.hset(k("h"), "a", 1);
    tx.hset(k("h"), "b", 2);
    tx.hincr_by(k("h"), "a", 10);
    tx.hdel(k("h"), "b");
    tx.sadd(k("set"), "x");
    tx.sadd(k("set"), "y");
    tx.srem(k("set"), "x");
    tx.rpush(k("l"), "1");
    tx.rpush(k("l"), "2");
    tx.zadd(k("z"), 0.5, "m");
    tx.zadd(k("z"), std::numeric_limits<double>::infinity(), "n");
    tx.zadd(k("z"), 1, "o");
    tx.zrem(k("z"), "o");
    tx.set(k("gone"), "x");
    tx.del(k("gone"));
  }) == outcome::applied);
  auto& r = the_redis();
  CHECK(r.ask({"GET", k("s")}) == words{"text"});
  CHECK(r.ask({"GET", k("n")}) == words{"-2"});
  CHECK(r.ask({"HGETALL", k("h")}) == words{"a", "11"});
  CHECK(r.ask({"SMEMBERS", k("set")}) == words{"y"});
  CHECK(r.ask({"LRANGE", k("l"), "0", "-1"}) == words{"1", "2"});
  CHECK(r.ask({"ZRANGE", k("z"), "0", "-1", "WITHSCORES"}) == words{"m", "0.5", "n", "inf"});
  CHECK(r.ask({"EXISTS", k("gone")}) == words{"0"});
}

TEST_CASE("a command that Redis would refuse fails the whole batch, and nothing of it is there") {
  one_partition f;
  auto const k = [&](char const* name) { return f.key(name); };
  auto& r = the_redis();
  r.ask({"SET", k("text"), "x y"});
  r.ask({"SET", k("most"), "9223372036854775807"});
  r.ask({"SET", k("least"), "-9223372036854775808"});
  r.ask({"HSET", k("h"), "most", "9223372036854775807", "text", "x"});
  r.ask({"SADD", k("set"), "x"});
  r.ask({"ZADD", k("z"), "1", "x"});
  r.ask({"XADD", k("stream"), "*", "a", "b"});
  using tx_t = sl::redis_transaction;
  auto const bad = [&](std::string const& why, auto command) {
    f.refuses(why, [&](tx_t& tx) {
      tx.rpush(k("before"), "1");
      command(tx);
      tx.rpush(k("after"), "1");
    });
    CHECK(r.ask({"EXISTS", k("before"), k("after")}) == words{"0"});
  };
  bad("holds a set", [&](tx_t& tx) { tx.hset(k("set"), "a", "b"); });
  bad("holds a set", [&](tx_t& tx) { tx.hdel(k("set"), "a"); });
  bad("holds a hash", [&](tx_t& tx) { tx.sadd(k("h"), "a"); });
  bad("holds a hash", [&](tx_t& tx) { tx.srem(k("h"), "a"); });
  bad("holds a string", [&](tx_t& tx) { tx.rpush(k("text"), "a"); });
  bad("holds a string", [&](tx_t& tx) { tx.hincr_by(k("text"), "a", 1); });
  bad("holds a list", [&](tx_t& tx) { tx.zadd(k("before"), 1, "a"); });
  bad("holds a zset", [&](tx_t& tx) { tx.incr_by(k("z"), 1); });
  bad("holds a stream", [&](tx_t& tx) { tx.zrem(k("stream"), "a"); });
  bad("no integer", [&](tx_t& tx) { tx.incr_by(k("text"), 1); });
  bad("no integer", [&](tx_t& tx) { tx.hincr_by(k("h"), "text", 1); });
  bad("no integer", [&](tx_t& tx) {
    tx.set(k("new"), "1x");
    tx.incr_by(k("new"), 1);
  });
  bad("does not fit", [&](tx_t& tx) { tx.incr_by(k("most"), 1); });
  bad("does not fit", [&](tx_t& tx) { tx.incr_by(k("least"), -1); });
  bad("does not fit", [&](tx_t& tx) { tx.hincr_by(k("h"), "most", 1); });
  bad("does not fit", [&](tx_t& tx) {
    tx.incr_by(k("new"), std::numeric_limits<std::int64_t>::max());
    tx.incr_by(k("new"), -5);
    tx.incr_by(k("new"), 6);
  });
  bad("store's own", [&](tx_t& tx) { tx.del(f.topic("orders")); });
  bad("store's own", [&](tx_t& tx) { tx.rpush(f.slot() + ":rewinds", "x"); });
  bad("not a number", [&](tx_t& tx) { tx.zadd(k("z"), std::numeric_limits<double>::quiet_NaN(), "a"); });

  SECTION("what would fail by itself and doesn't here") {
    CHECK(f.transact([&](tx_t& tx) {
      tx.set(k("set"), "7");
      tx.incr_by(k("set"), 1);
      tx.del(k("h"));
      tx.sadd(k("h"), "a");
      tx.incr_by(k("most"), -1);
      tx.incr_by(k("most"), 1);
    }) == outcome::applied);
    CHECK(r.ask({"GET", k("set")}) == words{"8"});
    CHECK(r.ask({"SMEMBERS", k("h")}) == words{"a"});
    CHECK(r.ask({"GET", k("most")}) == words{"9223372036854775807"});
  }
}

TEST_CASE("a text names command and key, and no value") {
  one_partition f;
  the_redis().ask({"SET", f.key("k\x1b"), "canary1"});
  f.refuses("HSET of \"" + f.key("k?") + "\"", [&](auto& tx) { tx.hset(f.key("k\x1b"), "canary2", "canary3"); });
}

TEST_CASE("which record the refused command belonged to is known") {
  one_partition f;
  the_redis().ask({"SET", f.key("text"), "x"});
  std::vector const moves{to(f.mine, 1)};
  auto& tx = f.s->begin(moves, soon());
  sl::detail::cursor at{};
  tx.follow(at);
  for (std::size_t part = 0; part < 3; ++part)
    for (std::size_t index = 0; index < 3; ++index) {
      at = {part, index};
      tx.incr_by(f.key(part == 1 && index == 2 ? "text" : "n"), 1);
    }
  at = {3, 0};
  f.s->advance(tx, moves, soon());
  CHECK(error_of([&] { (void)f.s->commit(tx, soon()); }).code == sl::errc::bad_statement);
  CHECK(f.s->failed_at() == sl::detail::cursor{1, 2});
}

TEST_CASE("a user's missing right is found before anything is done") {
  one_partition f;
  auto& r = the_redis();
  r.ask({"ACL", "SETUSER", "half", "reset", "on", ">canary-half", "~{" + f.config.prefix + ":*", "+@all", "-sadd"});
  f.config.user = "half";
  f.config.password = "canary-half";
  f.s = f.open();
  f.claim_anew();
  f.refuses("no right", [&](auto& tx) {
    tx.rpush(f.key("l"), "1");
    tx.sadd(f.key("s"), "1");
  });
  f.refuses("no right", [&](auto& tx) {
    tx.rpush(f.key("l"), "1");
    tx.set("elsewhere", "1");
  });
  CHECK(r.ask({"EXISTS", f.key("l")}) == words{"0"});
  CHECK(f.transact([&](auto& tx) { tx.rpush(f.key("l"), "1"); }) == outcome::applied);
}

TEST_CASE("a right that the store itself misses at a commit is no failure of the handler, and nothing is done") {
  one_partition f;
  auto& r = the_redis();
  r.ask({"ACL", "SETUSER", "losing", "reset", "on", ">canary-losing", "~*", "+@all"});
  f.config.user = "losing";
  f.config.password = "canary-losing";
  f.s = f.open();
  f.claim_anew();
  std::vector<words> const losses{{"-hset"}, {"-hget"}, {"resetkeys", "~" + f.key("l")}, {"-eval", "-evalsha"}};
  for (auto const& rights : losses)
    for (bool const writes : {true, false}) {
      INFO(rights.back() << (writes ? ", with a command" : ", with none"));
      words change{"ACL", "SETUSER", "losing"};
      change.insert(change.end(), rights.begin(), rights.end());
      CHECK(r.tell(change) == "OK");
      auto const e = error_of([&] {
        (void)f.transact([&](auto& tx) {
          if (writes) tx.rpush(f.key("l"), "1");
        });
      });
      INFO(e.text);
      CHECK(e.code == sl::errc::bad_configuration);
      CHECK(e.of_store);
      CHECK(r.ask({"EXISTS", f.key("l")}) == words{"0"});
      CHECK(f.stands() == 0);
      CHECK(r.tell({"ACL", "SETUSER", "losing", "allkeys", "+@all"}) == "OK");
    }
  r.ask({"ACL", "SETUSER", "losing", "resetkeys", "~" + f.slot() + "*"});
  f.refuses("no right", [&](auto& tx) { tx.set("elsewhere", "1"); });
  CHECK(f.transact([&](auto& tx) { tx.rpush(f.key("l"), "1"); }) == outcome::applied);
}

TEST_CASE("of a transaction that is too large the handler is told") {
  one_partition f;
  f.refuses("max_records", [&](auto& tx) {
    for (int i = 0; i < 250'000; ++i) tx.incr_by(f.key("n"), 1);
  });
}

TEST_CASE("after a refused commit the next one says which partition is lost") {
  redis_fixture f;
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const a = f.open(), b = f.open();
  auto const old = claim(*a, "billing", partitions("orders", {0, 1}), r);
  claim(*b, "billing", partitions("orders", {1}), r);
  std::vector const moves{to(old[0], 15), to(old[1], 25)};
  auto& tx = a->begin(moves, soon());
  f.write(tx, "x");
  CHECK(copy(a->advance(tx, moves, soon())) == all(2, outcome::applied));
  CHECK(a->commit(tx, soon()) == outcome::refused);
  auto& again = a->begin(moves, soon());
  f.write(again, "x");
  CHECK(copy(a->advance(again, moves, soon())) == all{outcome::applied, outcome::refused});
  a->rollback(again);
  CHECK(f.results().empty());
}

/// A commit goes through if and only if Redis would do all of its commands, and leaves what they leave. (Where a removal may
/// have emptied a key, it may be refused besides: that is said.)
TEST_CASE("what is refused and what is done agrees with Redis itself") {
  one_partition f;
  auto& r = the_redis();
  std::mt19937 random{seed()};
  auto const any = [&](auto const& of) { return of[random() % std::size(of)]; };
  std::vector<std::string> const names{"a", "b", "c"}, fields{"f", "g"};
  std::vector<std::string> const values{
      "0",  "1",   "-1", "-0", "007", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
      "1x", "1.0", "",   " 1", "+1",  "999999999",           "1000000000",           "-1000000000"};
  std::vector<std::int64_t> const amounts{0,
                                          1,
                                          -1,
                                          999'999'999,
                                          1'000'000'000,
                                          -1'000'000'000,
                                          INT64_MAX,
                                          INT64_MIN,
                                          INT64_MAX - 1,
                                          5'000'000'000'000'000'000};
  auto const contents = [&](std::string const& where) {
    std::vector<std::string> all;
    for (auto const& n : names) {
      auto const key = f.key(where + n);
      auto const type = r.tell({"TYPE", key});
      all.push_back(type);
      auto some = type == "string" ? r.ask({"GET", key})
                  : type == "hash" ? r.ask({"HGETALL", key})
                  : type == "set"  ? r.ask({"SMEMBERS", key})
                  : type == "list" ? r.ask({"LRANGE", key, "0", "-1"})
                  : type == "zset" ? r.ask({"ZRANGE", key, "0", "-1", "WITHSCORES"})
                                   : words{};
      if (type == "set" || type == "hash") std::sort(some.begin(), some.end());
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  };
  int done = 0, refused = 0;
  for (int round = 0; round < 400; ++round) {
    for (auto const& n : names)
      for (auto const* where : {"mine", "shadow"}) r.ask({"DEL", f.key(where + n)});
    std::vector<words> commands;
    for (auto n = 1 + random() % 6; n > 0; --n) {
      auto const amount = std::to_string(any(amounts));
      std::vector<words> const kinds{{"SET", "", any(values)},
                                     {"INCRBY", "", amount},
                                     {"INCRBY", "", amount},
                                     {"HSET", "", any(fields), any(values)},
                                     {"HINCRBY", "", any(fields), amount},
                                     {"HINCRBY", "", any(fields), amount},
                                     {"SADD", "", "m"},
                                     {"RPUSH", "", "v"},
                                     {"ZADD", "", "1", "m"},
                                     {"DEL", ""},
                                     {"HDEL", "", any(fields)},
                                     {"SREM", "", "m"},
                                     {"ZREM", "", "m"}};
      auto c = any(kinds);
      c[1] = any(names);
      commands.push_back(c);
    }
    auto const before = random() % (commands.size() + 1);  // so many are there already
    bool fits = true, removes = false;
    std::string said;
    for (std::size_t i = 0; i < commands.size(); ++i) {
      auto c = commands[i];
      said += "\n";
      for (auto const& w : c) said += w + " ";
      auto const name = c[1];
      c[1] = f.key("shadow" + name);
      auto const answer = r.ask(c);
      bool const failed = !answer.empty() && (answer[0].starts_with("WRONGTYPE") || answer[0].starts_with("ERR"));
      if (i < before) {
        c[1] = f.key("mine" + name);
        r.ask(c);
      } else {
        fits = fits && !failed;
        removes = removes || c[0] == "HDEL" || c[0] == "SREM" || c[0] == "ZREM";
      }
    }
    INFO("the first " << before << " of these are there already:" << said);
    auto const as_it_was = contents("mine");
    bool applied = false;
    try {
      applied = f.transact([&](sl::redis_transaction& tx) {
        for (auto i = before; i < commands.size(); ++i) {
          auto const& c = commands[i];
          auto const key = f.key("mine" + c[1]);
          if (c[0] == "SET") tx.set(key, c[2]);
          if (c[0] == "INCRBY") tx.incr_by(key, std::stoll(c[2]));
          if (c[0] == "HSET") tx.hset(key, c[2], c[3]);
          if (c[0] == "HINCRBY") tx.hincr_by(key, c[2], std::stoll(c[3]));
          if (c[0] == "SADD") tx.sadd(key, c[2]);
          if (c[0] == "RPUSH") tx.rpush(key, c[2]);
          if (c[0] == "ZADD") tx.zadd(key, 1, c[3]);
          if (c[0] == "DEL") tx.del(key);
          if (c[0] == "HDEL") tx.hdel(key, c[2]);
          if (c[0] == "SREM") tx.srem(key, c[2]);
          if (c[0] == "ZREM") tx.zrem(key, c[2]);
        }
      }) == outcome::applied;
    } catch (sl::error const& e) { CHECK(e.code() == sl::errc::bad_statement); }
    if (!fits) CHECK_FALSE(applied);
    if (fits && !removes) CHECK(applied);
    if (applied) CHECK(contents("mine") == contents("shadow"));
    if (!applied) CHECK(contents("mine") == as_it_was);
    ++(applied ? done : refused);
  }
  CHECK(done > 50);
  CHECK(refused > 50);
}

// ---- with the whole consumer

namespace {

struct told {
  using slot = sl::observer_slot;
  using must_be_configured = void;
  using runtime = told;
  std::vector<std::string>* retries = nullptr;
  static runtime open(told const& self, sl::context const&) { return self; }
  void on_retry(sl::retry_event const& e) const { retries->push_back(e.error); }
};

/// Counts of orders by their key, in the same Redis as the offsets.
struct counting {
  redis_fixture f{};
  sl::testing::embedded_broker broker{};
  int produced = 0;

  counting() { broker.create_topic("orders", 2); }
  void produce(std::string const& key, int n) {
    for (int i = 0; i < n; ++i) broker.produce("orders", produced++ % 2, key, "1");
  }
  sl::kafka_partitions source() {
    return {.brokers = broker.bootstrap(), .group = "billing", .partitions = {{"orders", 0}, {"orders", 1}}};
  }
  std::string counts() const { return f.slot() + ":counts"; }
  std::string count(std::string const& key) const { return the_redis().tell({"HGET", counts(), key}); }
  std::int64_t stands() const {
    std::int64_t sum = 0;
    for (auto const* p : {"0", "1"}) sum += std::stoll(the_redis().tell({"HGET", f.topic("orders"), p}));
    return sum;
  }
  auto handler() {
    return sl::each([this](sl::record r, sl::redis_transaction& tx) {
      tx.hincr_by(counts(), r.key(), std::stoll(std::string{r.text()}));
    });
  }
  /// Until so many are counted, or a few more.
  template <class Consumer, class Handler>
  void read(Consumer& c, Handler&& h, std::int64_t until) {
    std::size_t handled = 0;
    for (auto const give_up = soon(); (handled == 0 || stands() < until) && std::chrono::steady_clock::now() < give_up;)
      handled += c.step(h, 100ms).records;
    CHECK(stands() >= until);
  }
};

}  // namespace

TEST_CASE("orders are counted by key in the same Redis, each once, through restarts of program and server") {
  counting t;
  t.produce("a", 20);
  t.produce("b", 7);
  using ingest = sl::stream_consumer<sl::transactional, sl::redis_offsets, sl::micro_batch, sl::kafka_partitions>;
  {
    ingest consumer{t.source(), t.f.config, sl::micro_batch{.max_records = 5}};
    t.read(consumer, t.handler(), 12);
    the_redis().restart();
    t.read(consumer, t.handler(), 27);
  }
  t.produce("a", 3);
  ingest consumer{t.source(), t.f.config, sl::micro_batch{.max_records = 5}};
  t.read(consumer, t.handler(), 30);
  CHECK(t.count("a") == "23");
  CHECK(t.count("b") == "7");
  CHECK(t.stands() == 30);
}

TEST_CASE("a command that Redis would refuse is the handler's failure: stop throws it, and the batch stays") {
  counting t;
  t.produce("a", 4);
  the_redis().ask({"HSET", t.counts(), "a", "many"});
  sl::stream_consumer consumer{sl::transactional{}, t.source(), t.f.config};
  thrown e;
  for (auto const give_up = soon(); !e.code && std::chrono::steady_clock::now() < give_up;)
    e = error_of([&] { consumer.step(t.handler(), 100ms); });
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_FALSE(e.of_store);
  CHECK(t.stands() == 0);
  the_redis().ask({"HSET", t.counts(), "a", "10"});
  t.read(consumer, t.handler(), 4);
  CHECK(t.count("a") == "14");
  CHECK(t.stands() == 4);
}

TEST_CASE("a command that Redis would refuse is tried again by retry, and counted as one record's failure") {
  counting t;
  t.produce("good", 3);
  t.produce("bad", 1);
  t.produce("good", 2);
  the_redis().ask({"HSET", t.counts(), "bad", "many"});
  std::vector<std::string> retries;
  sl::stream_consumer consumer{sl::transactional{}, t.source(), t.f.config, sl::retry<>{.times = 2, .backoff = 1ms},
                               told{&retries}};
  thrown e;
  for (auto const give_up = soon(); !e.code && std::chrono::steady_clock::now() < give_up;)
    e = error_of([&] { consumer.step(t.handler(), 100ms); });
  CHECK(e.code == sl::errc::bad_statement);
  REQUIRE(retries.size() == 2);
  CHECK_THAT(retries[0], ContainsSubstring("HINCRBY"));
  CHECK(consumer.statistics().retries == 2);
  CHECK(consumer.statistics().store_failures == 0);
  the_redis().ask({"HDEL", t.counts(), "bad"});
  t.read(consumer, t.handler(), 6);
  CHECK(t.count("good") == "5");
  CHECK(t.count("bad") == "1");
}

TEST_CASE("a store that may lose offsets starts at the earliest, or not at all") {
  counting t;
  sl::lossy_redis_offsets const lossy{
      .host = "127.0.0.1", .port = t.f.port(), .password = the_redis().password(), .prefix = t.f.config.prefix};
  auto source = t.source();
  auto const open = [&] { return error_of([&] { sl::stream_consumer const c{sl::at_least_once{}, source, lossy}; }); };
  for (auto const& start : {sl::start_at::latest, sl::start_at::must_exist, sl::start_at::at(offset{3})}) {
    source.start = start;
    auto const e = open();
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring(".start"));
  }
  source.start = sl::start_at::earliest;
  CHECK(open().text.empty());
  source.start.reset();
  t.produce("a", 4);
  sl::stream_consumer consumer{sl::transactional{}, source, lossy};
  t.read(consumer, t.handler(), 4);
  CHECK(t.count("a") == "4");
}
