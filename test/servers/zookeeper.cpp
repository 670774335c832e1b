#include "servers/zookeeper.hpp"

#include "catch.hpp"

using namespace std::chrono_literals;

TEST_CASE("a ZooKeeper answers, keeps what it was given through a kill, and ends with its object") {
  int port = 0;
  {
    servers::zookeeper z;
    port = z.port();
    z.put("/a/b", "c");
    z.restart();
    CHECK(z.get("/a/b") == "c");
    CHECK(z.children("/a") == std::vector<std::string>{"b"});
    z.remove("/a");
    CHECK_FALSE(z.get("/a"));
  }
  CHECK_FALSE(servers::listens(port));
}

TEST_CASE("a frozen ZooKeeper does not answer until it goes on") {
  servers::zookeeper const z;
  CHECK(z.four_letters("ruok") == "imok");
  z.freeze(true);
  CHECK(z.four_letters("ruok", 50ms).empty());
  z.freeze(false);
  CHECK(z.four_letters("ruok") == "imok");
}
