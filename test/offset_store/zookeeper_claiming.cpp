#include <sluice/offset_store/zookeeper_claiming.hpp>

#include "contract.hpp"
#include "zookeeper_support.hpp"

namespace {

using contract::advance;
using contract::all;
using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using contract::stands_at;
using contract::to;
using sl::offset;
using sl::outcome;
using sl::topic_partition;
using texts = std::vector<std::string>;

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}, offset{30}}}}}; }

/// As a source whose start is start_at::must_exist.
struct strict final : sl::start_resolver {
  sl::topic_start start_of(std::string const& topic, sl::time_point) override {
    throw sl::error(sl::errc::no_position, topic + " has no position");
  }
  offset earliest(topic_partition const&, sl::time_point) override { return offset{1}; }
};

}  // namespace

TEST_CASE_METHOD(zookeeper_fixture,
                 "offsets that others wrote are starts, without a fingerprint, and are left as they are") {
  for (int p = 0; p < 3; ++p) the_zookeeper().put(offset_of({"orders", p}), std::to_string(100 * (p + 1)));
  strict r;
  auto const s = open();
  auto const c = s->claim("billing", partitions("orders", {0, 2, 1}), r, soon());
  for (auto const& one : c) {
    CHECK(one.what == one.stored);
    CHECK(one.next == offset{100 * (one.of.partition + 1)});
    CHECK_FALSE(one.log.last);
    CHECK(one.log.incarnation > 0);
  }
  CHECK(the_zookeeper().stat(offset_of({"orders", 0})).version == 0);
  CHECK(advance(*s, {to(c[0], 107)}) == all{outcome::applied});
  CHECK(the_zookeeper().get(offset_of({"orders", 0})) == "107");
}

TEST_CASE_METHOD(zookeeper_fixture,
                 "a partition beyond those that others wrote is new, one between them is asked for") {
  the_zookeeper().put(offset_of({"orders", 0}), "100");
  the_zookeeper().put(offset_of({"orders", 2}), "300");
  the_zookeeper().put(at().offsets + "/readme", "not a partition");
  SECTION("with starts") {
    auto r = orders();
    auto const c = claim(*open(), "billing", partitions("orders", {0, 1, 2, 3}), r);
    CHECK(c[0].what == sl::claimed::stored);
    CHECK(c[1].what == sl::claimed::first);
    CHECK(c[2].what == sl::claimed::stored);
    CHECK(c[3].what == sl::claimed::added);
    CHECK(stands_at(*this, partitions("orders", {0, 1, 2, 3})) ==
          std::vector{offset{100}, offset{20}, offset{300}, offset{103}});
    CHECK(r.asked == 1);
  }
  SECTION("where a position must exist") {
    strict r;
    CHECK(error_of([&] { open()->claim("billing", {{"orders", 0}}, r, soon()); }).code == sl::errc::no_position);
    the_zookeeper().put(offset_of({"orders", 1}), "200");
    CHECK(open()->claim("billing", {{"orders", 1}}, r, soon())[0].next == offset{200});
  }
}

TEST_CASE_METHOD(zookeeper_fixture, "Kafka's old layout, a chroot and another root") {
  config.path = sl::zookeeper_offsets::kafka_path;
  config.state = "/own/state";
  the_zookeeper().put(root + "/consumers/billing/offsets/orders/0", "7");
  auto r = orders();
  auto const s = open();
  auto const c = claim(*s, "billing", partitions("orders", {0, 1}), r);
  CHECK(c[0].next == offset{7});
  CHECK(c[1].what == sl::claimed::added);
  CHECK(advance(*s, {to(c[0], 9)}) == all{outcome::applied});
  CHECK(the_zookeeper().get(root + "/consumers/billing/offsets/orders/0") == "9");
  CHECK(the_zookeeper().get(root + "/own/state/consumers/billing/offsets/orders") == "sluice 1 2");
}

TEST_CASE_METHOD(zookeeper_fixture, "what another program set is taken over as a rewind, never overwritten") {
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto s = open();
  auto const c = claim(*s, "billing", set, r);
  auto m = to(c[0], 15);
  m.log.last = sl::fingerprint{offset{14}, 77};
  CHECK(advance(*s, {m}) == all{outcome::applied});
  auto const far = contract::wall_ms() + 1'000'000;
  SECTION("while nobody runs, back") { the_zookeeper().put(offset_of(set[0]), "12"); }
  SECTION("its state is gone too") {
    the_zookeeper().put(offset_of(set[0]), "12");
    the_zookeeper().remove(state_of(set[0]));
  }
  SECTION("after it was removed") {
    forget("billing", set[0]);
    CHECK(claim(*s, "billing", set, r)[0].what == sl::claimed::missing);
    the_zookeeper().put(offset_of(set[0]), "12");
  }
  SECTION("in a life of the log that began in the future") {
    auto const path = state_of(set[0]);
    the_zookeeper().put(path, "15 " + std::to_string(far) + " 1 " + std::to_string(c[0].mine.nonce) + " -1 14 77");
    the_zookeeper().put(offset_of(set[0]), "12");
    CHECK(claim(*open(), "billing", set, r)[0].log.incarnation == far + 1);
    the_zookeeper().put(offset_of(set[0]), "13");
    the_zookeeper().remove(state_of(set[0]));
    CHECK(claim(*open(), "billing", set, r)[0].log.incarnation == far + 2);
    the_zookeeper().put(offset_of(set[0]), "12");
  }
  auto const again = claim(*open(), "billing", set, r);
  CHECK(again[0].what == sl::claimed::stored);
  CHECK(again[0].next == offset{12});
  CHECK(again[0].log.incarnation > c[0].log.incarnation);
  CHECK_FALSE(again[0].log.last);
  CHECK(again[1].next == offset{20});
  CHECK(again[1].log.incarnation == c[1].log.incarnation);
  CHECK(causes().back() == "set by another program");
  REQUIRE_FALSE(told.empty());
  CHECK_THAT(told.back(), ContainsSubstring("another program has set orders/0") && ContainsSubstring("to 12"));
  CHECK(the_zookeeper().get(offset_of(set[0])) == "12");
  CHECK(claim(*open(), "billing", set, r)[0].log.incarnation == again[0].log.incarnation);
}

TEST_CASE_METHOD(zookeeper_fixture, "a position is missing where its offset is gone, with its state or without") {
  auto r = orders();
  auto const set = partitions("orders", {0, 1, 2});
  auto const c = claim(*open(), "billing", set, r);
  the_zookeeper().remove(offset_of(set[0]));
  forget("billing", set[2]);
  for (int i = 0; i < 2; ++i) {
    auto const d = claim(*open(), "billing", set, r);
    CHECK(d[0].what == sl::claimed::missing);
    CHECK(d[1].what == sl::claimed::stored);
    CHECK(d[2].what == sl::claimed::missing);
    CHECK(d[0].log.incarnation == c[0].log.incarnation);
  }
  auto const s = open();
  auto const d = claim(*s, "billing", set, r);
  CHECK(advance(*s, {to(d[0], 5)}) == all{outcome::refused});
  auto const back = s->record({{set[0], offset{3}, d[0].mine, "nearest"}}, soon());
  CHECK(back[0].what == sl::claimed::stored);
  CHECK(back[0].log.incarnation > c[0].log.incarnation);
  CHECK(the_zookeeper().get(offset_of(set[0])) == "3");
}

TEST_CASE_METHOD(zookeeper_fixture, "two that find a position missing at once: one owns it") {
  auto r = orders();
  auto const set = partitions("orders", {0});
  claim(*open(), "billing", set, r);
  for (int round = 0; round < 20; ++round) {
    forget("billing", set[0]);
    auto const a = open(), b = open();
    std::vector<sl::claimed> ca, cb;
    std::string trouble;
    std::latch ready{2};
    std::thread other{[&] {
      resolver mine{{}};
      ready.arrive_and_wait();
      try {
        cb = claim(*b, "billing", set, mine);
      } catch (std::exception const& e) { trouble = e.what(); }
    }};
    ready.arrive_and_wait();
    ca = claim(*a, "billing", set, r);
    other.join();
    REQUIRE(trouble == "");
    auto const ra = a->record({{set[0], offset{1}, ca[0].mine, "a"}}, soon());
    auto const rb = b->record({{set[0], offset{2}, cb[0].mine, "b"}}, soon());
    CHECK((ra[0].what == sl::claimed::stored) != (rb[0].what == sl::claimed::stored));
  }
}

TEST_CASE_METHOD(zookeeper_fixture,
                 "more than one request holds is made in parts, also by the next one after a crash") {
  config.max_request = 16'384;
  constexpr int many = 150;
  resolver r{{{"orders", std::vector<offset>(many, offset{10})}}};
  auto const set = partitions("orders", contract::up_to(many));
  auto const s = open();
  SECTION("at once") {}
  SECTION("by the next one") {
    the_zookeeper().put(at().state, zk::to_text({2, std::vector<offset>(many - 2, offset{10})}));
    the_zookeeper().put(at().rewinds(), "");
    for (int p = 0; p < 2; ++p) {
      the_zookeeper().put(at().state_of(zk::state_name(p, {})), "10 1 0 0 -1 - -");
      the_zookeeper().put(offset_of({"orders", p}), "10");
    }
    r.topics.clear();
  }
  auto const c = claim(*s, "billing", set, r);
  std::vector<sl::move> moves;
  for (auto const& one : c) {
    CHECK(one.next == offset{10});
    moves.push_back(to(one, 11));
  }
  CHECK(the_zookeeper().get(at().state) == "sluice 1 " + std::to_string(many));
  CHECK(advance(*s, moves) == all(many, outcome::applied));
  for (int p = 0; p < many; ++p) the_zookeeper().put(offset_of({"orders", p}), std::to_string(p));
  auto const d = claim(*s, "billing", set, r);
  std::vector<sl::rewind> rewinds;
  for (auto const& one : d) {
    CHECK(one.next == offset{one.of.partition});
    rewinds.push_back({one.of, offset{5}, one.mine, "seek"});
  }
  for (auto const& one : s->record(rewinds, soon())) CHECK(one.what == sl::claimed::stored);
  CHECK(stands_at(*this, set) == std::vector(many, offset{5}));
}

TEST_CASE_METHOD(zookeeper_fixture, "what is there and can't be read is told, and nothing is stored") {
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const s = open();
  auto const c = claim(*s, "billing", set, r);
  auto const told_by = [&](auto call) {
    auto const before = the_zookeeper().children(at().state);
    auto const version = the_zookeeper().stat(state_of(set[0])).version;
    auto const e = error_of(call);
    CHECK(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring("zookeeper_offsets: ZooKeeper at 127.0.0.1"));
    CHECK(the_zookeeper().children(at().state) == before);
    CHECK(the_zookeeper().stat(state_of(set[0])).version == version);
    return e;
  };
  auto const claiming = [&](sl::errc code, std::string const& part) {
    auto const e = told_by([&] { s->claim("billing", set, r, soon()); });
    CHECK(e.code == code);
    CHECK_THAT(e.text, ContainsSubstring(part));
  };
  SECTION("an offset") {
    for (auto const* bad : {"", "-1", "rubbish", "1,2,3"}) {
      the_zookeeper().put(offset_of(set[1]), bad);
      claiming(sl::errc::store_damaged, offset_of(set[1]) + " holds");
    }
    the_zookeeper().put(offset_of(set[1]), "5");
    the_zookeeper().put(offset_of(set[1]) + "/child", "");
    claiming(sl::errc::store_damaged, "has children");
  }
  SECTION("a first claim's offset") {
    the_zookeeper().put(at("clicks").offset_of(0), "rubbish");
    resolver clicks{{{"clicks", {offset{1}}}}};
    auto const e = told_by([&] { s->claim("billing", {{"clicks", 0}}, clicks, soon()); });
    CHECK(e.code == sl::errc::store_damaged);
    CHECK_FALSE(the_zookeeper().get(at("clicks").state));
  }
  SECTION("an offset under an open claim") {
    the_zookeeper().put(offset_of(set[1]), "rubbish");
    auto const e = told_by([&] { s->advance(std::vector{to(c[0], 15), to(c[1], 25)}, soon()); });
    CHECK(e.code == sl::errc::store_damaged);
    CHECK(contract::copy(s->settle(std::vector{to(c[1], 25)}, soon())) == all{outcome::unknown});
    CHECK(told_by([&] { s->record({{set[1], offset{1}, c[1].mine, "seek"}}, soon()); }).code ==
          sl::errc::store_damaged);
  }
  SECTION("a state") {
    the_zookeeper().put(state_of(set[1]), "rubbish");
    claiming(sl::errc::store_damaged, state_of(set[1]) + " holds \"rubbish\"");
  }
  SECTION("a topic's record") {
    the_zookeeper().put(at().state, "rubbish");
    claiming(sl::errc::store_damaged, "choose another .state");
    the_zookeeper().put(at().state, "sluice 2 3");
    claiming(sl::errc::store_newer, "format 2");
  }
  SECTION("somebody else's node") {
    the_zookeeper().put(at().state + "/theirs", "");
    claiming(sl::errc::store_damaged, "\"theirs\"");
  }
  SECTION("no list of rewinds") {
    the_zookeeper().remove(at().rewinds());
    CHECK_THAT(told_by([&] { s->record({{set[1], offset{1}, c[1].mine, "seek"}}, soon()); }).text,
               ContainsSubstring("create " + at().rewinds()));
    the_zookeeper().put(offset_of(set[1]), "5");
    claiming(sl::errc::store_damaged, "create " + at().rewinds());
  }
}

TEST_CASE_METHOD(zookeeper_fixture, "with create = false the nodes that all share are named, and not made") {
  config.create = false;
  auto r = orders();
  auto const s = open();
  auto const e = error_of([&] { s->claim("billing", {{"orders", 0}}, r, soon()); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("create " + root + ", create " + root + "/consumers, create " + root +
                                       "/consumers/offsets, create " + root + "/sluice"));
  CHECK_FALSE(the_zookeeper().get(root));
  the_zookeeper().put(root + "/consumers/offsets", "");
  the_zookeeper().put(root + "/sluice", "");
  CHECK(claim(*s, "billing", {topic_partition{"orders", 0}}, r)[0].what == sl::claimed::first);
}

TEST_CASE_METHOD(zookeeper_fixture, "rights that are missing are told with the node, and nothing is stored") {
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  config.user = "app";
  config.password = the_zookeeper().password();
  auto const denied = [&](auto call, std::string const& part) {
    auto const e = error_of(call);
    INFO(e.text);
    CHECK(e.of_store);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring(part) && ContainsSubstring("getAcl"));
  };
  the_zookeeper().put(root, "");
  the_zookeeper().set_acl(root, ZOO_PERM_READ);
  denied([&] { open()->claim("billing", set, r, soon()); }, "making " + root + "/consumers");
  the_zookeeper().remove(root);

  auto const s = open();
  auto const c = claim(*s, "billing", set, r);
  the_zookeeper().set_acl(offset_of(set[1]), ZOO_PERM_READ | ZOO_PERM_ADMIN);
  denied([&] { s->advance(std::vector{to(c[0], 15), to(c[1], 25)}, soon()); }, "writing " + offset_of(set[1]));
  CHECK(the_zookeeper().get(offset_of(set[0])) == "10");
  the_zookeeper().set_acl(offset_of(set[1]), ZOO_PERM_WRITE | ZOO_PERM_ADMIN);
  denied([&] { s->claim("billing", set, r, soon()); }, "reading " + offset_of(set[1]));
}

TEST_CASE_METHOD(zookeeper_fixture, "what is made belongs to the user alone where that is wanted") {
  config.user = "app";
  config.password = the_zookeeper().password();
  config.acl = sl::zookeeper_acl::creator_all;
  auto r = orders();
  auto const s = open();
  auto const c = claim(*s, "billing", partitions("orders", {0}), r);
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  the_zookeeper().be("app", config.password);
  for (auto const& path :
       {offset_of({"orders", 0}), state_of({"orders", 0}), at().state, at().rewinds(), root + "/consumers"}) {
    INFO(path);
    CHECK_THAT(the_zookeeper().acl(path), ContainsSubstring("digest:app:") && !ContainsSubstring("world"));
  }
  config.password = "canary of somebody else";
  auto const e = error_of([&] { open()->claim("billing", {{"orders", 0}}, r, soon()); });
  CHECK(e.code == sl::errc::bad_configuration);
}
