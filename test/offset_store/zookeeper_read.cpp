#include <sluice/offset_store/zookeeper_read.hpp>

#include "reading.hpp"
#include "zookeeper_support.hpp"

namespace {

struct fixture : zookeeper_fixture {
  sl::context context() const { return {}; }
  void newer() { the_zookeeper().put(at("orders").state, "sluice 2 0"); }
};

}  // namespace

TEST_CASE("positions in ZooKeeper are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("what other programs wrote is read as it is: a number, of an incarnation that is not known") {
  fixture f;
  the_zookeeper().put(f.root + "/consumers/offsets/billing/orders/0", "17");
  the_zookeeper().put(f.root + "/consumers/offsets/billing/orders/2", "0");
  the_zookeeper().put(f.root + "/consumers/offsets/billing/orders/owner", "nobody");
  auto found = reading::read(f);
  REQUIRE(found.size() == 2);
  CHECK(found[0] == sl::kept_position{.of = {"orders", 0}, .next = sl::offset{17}});
  CHECK(found[1] == sl::kept_position{.of = {"orders", 2}, .next = sl::offset{0}});

  f.config.path = sl::zookeeper_offsets::kafka_path;
  the_zookeeper().put(f.root + "/consumers/billing/offsets/%2E/3", "5");
  found = reading::read(f);
  REQUIRE(found.size() == 1);
  CHECK(found[0].of == sl::topic_partition{".", 3});

  the_zookeeper().put(f.root + "/consumers/billing/offsets/%2E/3", "-5");
  CHECK_THROWS_WITH(reading::read(f), ContainsSubstring("/consumers/billing/offsets/%2E/3 holds \"-5\""));
}

TEST_CASE("an offset that another program has set since is what is read, without what was known of the old one") {
  fixture f;
  auto const s = f.open();
  contract::resolver r{{{"orders", {sl::offset{10}}}}};
  contract::claim(*s, "billing", {sl::topic_partition{"orders", 0}}, r);
  auto const before = reading::read(f).at(0);
  CHECK(before.held);
  CHECK(before.log.incarnation > 0);
  the_zookeeper().put(f.offset_of({"orders", 0}), "3");
  auto const after = reading::read(f).at(0);
  CHECK(after.next == sl::offset{3});
  CHECK(after.log == sl::log_state{});
}
