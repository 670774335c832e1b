#include <sluice/offset_store/redis_claiming.hpp>

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

TEST_CASE("a partition that was forgotten begins above all lives that it had") {
  redis_fixture f;
  auto [r, set, s, c] = claim_orders(f, {0});
  auto const far = std::to_string(wall_ms() + 1'000'000);
  the_redis().ask(
      {"HSET", f.topic("orders"), "0",
       "10 " + far + " " + std::to_string(c[0].mine.turn) + " " + std::to_string(c[0].mine.nonce) + " -1 - -"});
  auto const back = s->record({{set[0], offset{3}, c[0].mine, "seek"}}, soon());
  REQUIRE(back[0].what == sl::claimed::stored);
  f.forget("billing", set[0]);
  auto const again = claim(*s, "billing", set, r);
  CHECK(again[0].what == sl::claimed::missing);
  CHECK(again[0].log.incarnation > back[0].log.incarnation);
}

TEST_CASE("claims of a thousand partitions are one round trip, the first are two") {
  redis_fixture f;
  servers::proxy p{f.port()};
  resolver r{{{"orders", std::vector<offset>(1000, offset{10})}}};
  auto const set = partitions("orders", up_to(1000));
  auto const s = f.open(p.port());
  auto const before = p.round_trips();
  s->claim("billing", set, r, soon());
  auto const first = p.round_trips();
  CHECK(first - before == 2);
  s->claim("billing", set, r, soon());
  CHECK(p.round_trips() - first == 1);
}
