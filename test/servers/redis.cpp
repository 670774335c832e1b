#include "servers/redis.hpp"

#include "catch.hpp"

using words = std::vector<std::string>;

TEST_CASE("a Redis answers, keeps what it was given through a kill, and ends with its object") {
  int port = 0;
  {
    servers::redis r;
    port = r.port();
    CHECK(r.ask({"SET", "a", "b"}) == words{"OK"});
    r.restart();
    CHECK(r.ask({"GET", "a"}) == words{"b"});
    CHECK(r.ask({"CONFIG", "GET", "appendfsync"}) == words{"appendfsync", "always"});
  }
  CHECK_FALSE(servers::listens(port));
}

TEST_CASE("a Redis wants its password, and can be set otherwise") {
  servers::redis const r{{"--appendonly", "no"}};
  std::unique_ptr<redisContext, decltype(&redisFree)> const c{redisConnect("127.0.0.1", r.port()), &redisFree};
  CHECK(servers::redis::ask(*c, {"PING"}).front().starts_with("NOAUTH"));
  CHECK(servers::redis::ask(*r.connect(), {"CONFIG", "GET", "appendonly"}) == words{"appendonly", "no"});
}

TEST_CASE("a frozen Redis does not answer until it goes on") {
  servers::redis r;
  auto const c = r.connect();
  r.freeze(true);
  redisSetTimeout(c.get(), {0, 50'000});
  CHECK(servers::redis::ask(*c, {"PING"}).empty());
  r.freeze(false);
  CHECK(r.ask({"PING"}) == words{"PONG"});
}
