#include <sluice/offset_store/redis_read.hpp>

#include "reading.hpp"
#include "redis_support.hpp"

namespace {

struct fixture : redis_fixture {
  sl::context context() const { return {}; }
  void newer() { the_redis().ask({"HSET", topic("orders"), "format", "2"}); }
};

}  // namespace

TEST_CASE("positions in Redis are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("a topic is found among many keys, and what is no position is named") {
  fixture f;
  for (int i = 0; i < 3000; ++i) the_redis().ask({"SET", f.config.prefix + std::to_string(i), "x"});
  auto const s = f.open();
  contract::resolver r{{{"or*ders", {sl::offset{10}}}}};
  contract::claim(*s, "billing", {sl::topic_partition{"or*ders", 0}}, r);
  auto const found = reading::read(f);
  REQUIRE(found.size() == 1);
  CHECK(found[0].of.topic == "or*ders");
  the_redis().ask({"HSET", f.topic("or%2Aders"), "1", "12 monkeys"});
  CHECK_THROWS_WITH(reading::read(f), Catch::Matchers::ContainsSubstring("has a field 1 that is no position"));
}

TEST_CASE("a Redis that is not durable can be read") {
  fixture f;
  f.config.port = 1;
  CHECK_THROWS_WITH(reading::read(f), Catch::Matchers::ContainsSubstring("can't be reached"));
  servers::redis other{{"--appendfsync", "everysec"}};
  f.config.port = other.port();
  f.config.password = other.password();
  CHECK(reading::read(f).empty());
}
