#include <sluice/offset_store/redis_scripts.hpp>

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

TEST_CASE("counters beyond 53 bits are kept exactly, and carried over") {
  redis_fixture f;
  auto r = orders();
  claim(*f.open(), "billing", partitions("orders", {0, 1}), r);
  auto const far = wall_ms() + 1'000'000;
  the_redis().ask(
      {"HSET", f.topic("orders"), "0", "9007199254740993 9223372036854775806 18446744073709551614 1 -1 - -"});
  the_redis().ask({"HSET", f.topic("orders"), "1", "7 " + std::to_string(far) + " 1999 1 -1 - -"});
  auto const s = f.open();
  auto const c = claim(*s, "billing", partitions("orders", {0, 1}), r);
  CHECK(c[0].next == offset{9007199254740993});
  CHECK(c[0].mine.turn == 18446744073709551615u);
  CHECK(c[0].log.incarnation == 9223372036854775806);
  CHECK(c[1].mine.turn == 2000);
  CHECK(advance(*s, {to(c[0], 9007199254740994)}) == all{outcome::applied});
  auto const back = s->record({{{"orders", 1}, offset{1}, c[1].mine, "seek"}}, soon());
  CHECK(back[0].log.incarnation == far + 1);
}

TEST_CASE("only the last thousand rewinds are kept") {
  redis_fixture f;
  auto r = orders();
  auto const s = f.open();
  auto c = claim(*s, "billing", partitions("orders", {0}), r);
  for (int i = 0; i < 3; ++i) {
    the_redis().ask(
        {"EVAL", "for i = 1, 600 do redis.call('RPUSH', KEYS[1], 'a b c d e f old') end", "1", f.slot() + ":rewinds"});
    c = s->record({{{"orders", 0}, offset{i}, c[0].mine, "seek " + std::to_string(i)}}, soon());
  }
  auto const causes = f.causes();
  CHECK(causes.size() == 1000);
  CHECK(causes.back() == "seek 2");
  CHECK(std::ranges::count(causes, "seek 1") == 1);
  CHECK(std::ranges::count(causes, "seek 0") == 0);
}

TEST_CASE("scripts that the server has forgotten are sent again") {
  redis_fixture f;
  servers::proxy p{f.port()};
  auto r = orders();
  auto const s = f.open(p.port());
  auto const c = claim(*s, "billing", partitions("orders", {0}), r);
  the_redis().ask({"SCRIPT", "FLUSH"});
  auto const before = p.round_trips();
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(p.round_trips() - before == 2);
}
