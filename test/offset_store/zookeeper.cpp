#include <sluice/offset_store/zookeeper.hpp>

#include "contract_network.hpp"
#include "zookeeper_support.hpp"

static_assert(sl::offset_store<sl::zookeeper_offset_store>);
static_assert(!sl::transactional_store<sl::zookeeper_offset_store>);
static_assert(sl::zookeeper_offset_store::durable_at_advance);
static_assert(sl::legal<sl::at_most_once, sl::zookeeper_offsets> && sl::legal<sl::idempotent, sl::zookeeper_offsets>);
static_assert(!sl::legal<sl::transactional, sl::zookeeper_offsets>);

TEST_CASE("zookeeper_offsets keeps the contract of stores") { contract::holds<zookeeper_fixture>(); }
TEST_CASE("zookeeper_offsets keeps the contract of stores behind a network") {
  contract::holds_over_network<zookeeper_fixture>();
}

TEST_CASE("20 kills of ZooKeeper in mid-store lose nothing that it acknowledged", "[.long]") {
  contract::server_killed_often<zookeeper_fixture>();
}

namespace {

using contract::advance;
using contract::all;
using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using contract::to;
using sl::offset;
using sl::outcome;
using namespace std::chrono_literals;

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }

}  // namespace

TEST_CASE_METHOD(zookeeper_fixture, "any program can read the offsets, and people can read the rest") {
  auto r = orders();
  auto const s = open();
  auto const c = claim(*s, "billing", partitions("orders", {1}), r);
  auto m = to(c[0], 25);
  m.log.last = sl::fingerprint{offset{24}, 77};
  CHECK(advance(*s, {m}) == all{outcome::applied});
  CHECK(the_zookeeper().get(root + "/consumers/offsets/billing/orders/1") == "25");
  CHECK(the_zookeeper().get(root + "/consumers/offsets/billing/orders/0") == "10");
  CHECK(the_zookeeper().children(root + "/consumers/offsets/billing/orders") == std::vector<std::string>{"0", "1"});
  auto const state = root + "/sluice/consumers/offsets/billing/orders";
  CHECK(the_zookeeper().get(state) == "sluice 1 2");
  auto const p = [](auto n) { return std::to_string(n); };
  CHECK(the_zookeeper().get(state + "/" + zk::state_name(1, c[0].mine)) ==
        "25 " + p(c[0].log.incarnation) + " 1 " + p(c[0].mine.nonce) + " -1 24 77");
  CHECK(the_zookeeper().children(state).size() == 3);
}

TEST_CASE_METHOD(zookeeper_fixture, "an advance over what another program set is refused, for that partition alone") {
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const s = open();
  auto const c = claim(*s, "billing", set, r);
  SECTION("another number") { the_zookeeper().put(offset_of(set[0]), "12"); }
  SECTION("the number that was to be stored") { the_zookeeper().put(offset_of(set[0]), "15"); }
  SECTION("nothing") { the_zookeeper().remove(offset_of(set[0])); }
  SECTION("a node of the same version") {
    the_zookeeper().remove(offset_of(set[0]));
    the_zookeeper().put(offset_of(set[0]), "12");
    auto const o = contract::copy(s->settle(std::vector{to(c[0], 15), to(c[1], 25)}, soon()));
    CHECK(o == all{outcome::refused, outcome::applied});
    return;
  }
  auto const left = the_zookeeper().get(offset_of(set[0]));
  CHECK(advance(*s, {to(c[0], 15), to(c[1], 25)}) == all{outcome::refused, outcome::applied});
  CHECK(the_zookeeper().get(offset_of(set[0])) == left);
  REQUIRE_FALSE(told.empty());
  CHECK_THAT(told.back(), ContainsSubstring("another program has set " + offset_of(set[0]) + " from 10"));
  if (!left) return;
  auto const rewound = s->record({{set[0], offset{3}, c[0].mine, "seek"}}, soon());
  CHECK(rewound[0].what == sl::claimed::failed);
  CHECK_THAT(rewound[0].why, ContainsSubstring("another program"));
  CHECK(claim(*s, "billing", set, r)[0].next == offset{std::stoll(*left)});
}

TEST_CASE_METHOD(zookeeper_fixture, "another program that writes the same number again is not in the way") {
  auto r = orders();
  auto const s = open();
  auto const c = claim(*s, "billing", partitions("orders", {0}), r);
  the_zookeeper().put(offset_of({"orders", 0}), "10");
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(the_zookeeper().get(offset_of({"orders", 0})) == "15");
}

TEST_CASE_METHOD(zookeeper_fixture,
                 "what settle has answered stays so when the late request of a client that is gone comes") {
  servers::proxy p{port()};
  auto r = orders();
  auto const set = partitions("orders", {0});
  config.session_timeout = 10s;
  auto const s = open(p.port());
  auto const c = claim(*s, "billing", set, r);
  std::vector const moves{to(c[0], 15)};
  p.arrange(servers::proxy::trouble::hold, 0,
            true);  // if it came back, the server would end the connection of the late one
  CHECK(advance(*s, moves) == all{outcome::unknown});
  auto const other = open();
  auto const now = [&] { return the_zookeeper().get(offset_of(set[0])); };
  SECTION("a request that may be carried out is") {
    CHECK(p.deliver());
    CHECK(now() == "15");
    CHECK(contract::copy(other->settle(moves, soon())) == all{outcome::applied});
  }
  SECTION("applied, and further") {
    CHECK(contract::copy(other->settle(moves, soon())) == all{outcome::applied});
    auto next = moves[0];
    next.from = offset{15};
    next.until = offset{16};
    CHECK(advance(*other, {next}) == all{outcome::applied});
    CHECK(p.deliver());
    CHECK(now() == "16");
  }
  SECTION("refused, since another program has made the node anew, with the same version") {
    the_zookeeper().remove(offset_of(set[0]));
    the_zookeeper().put(offset_of(set[0]), "12");
    CHECK(contract::copy(other->settle(moves, soon())) == all{outcome::refused});
    CHECK(p.deliver());
    CHECK(now() == "12");
  }
  SECTION("refused, since somebody else owns it") {
    claim(*other, "billing", set, r);
    CHECK(contract::copy(other->settle(moves, soon())) == all{outcome::refused});
    CHECK(p.deliver());
    CHECK(now() == "10");
  }
}

TEST_CASE_METHOD(zookeeper_fixture, "a claim amid advances begins where the last one that was applied has ended") {
  resolver r{{{"orders", {offset{0}}}}};
  auto const set = partitions("orders", {0});
  auto const a = open(), b = open();
  std::int64_t stood = 0;
  for (int round = 0; round < 40; ++round) {
    auto const mine = claim(*a, "billing", set, r);
    REQUIRE(mine[0].next == offset{stood});
    std::latch begun{2};
    std::thread other{[&] {
      begun.arrive_and_wait();
      for (auto m = to(mine[0], stood + 1); advance(*a, {m}) == all{outcome::applied}; m.until = m.from.next())
        m.from = offset{++stood};
    }};
    begun.arrive_and_wait();
    std::this_thread::sleep_for(std::chrono::microseconds{round * 100});
    auto const theirs = b->claim("billing", set, r, soon());
    other.join();
    CHECK(theirs[0].next == offset{stood});
  }
  CHECK(causes().empty());
  CHECK(told.empty());
}

TEST_CASE_METHOD(zookeeper_fixture,
                 "counters of 64 bits are kept, and a rewind raises a life that began in the future") {
  auto r = orders();
  auto const set = partitions("orders", {0});
  claim(*open(), "billing", set, r);
  auto const far = contract::wall_ms() + 1'000'000;
  the_zookeeper().remove(state_of(set[0]));
  sl::fence const last{18446744073709551614u, 18446744073709551615u};
  the_zookeeper().put(at().state_of(zk::state_name(0, last)),
                      sl::detail::position_words(offset{10}, last, {.incarnation = far}));
  auto const s = open();
  auto const c = claim(*s, "billing", set, r);
  CHECK(c[0].mine.turn == 18446744073709551615u);
  CHECK(c[0].log.incarnation == far);
  CHECK(s->record({{set[0], offset{1}, c[0].mine, "seek"}}, soon())[0].log.incarnation == far + 1);
}

TEST_CASE_METHOD(zookeeper_fixture, "nobody owns what was made or released, and a fence of nobody advances nothing") {
  auto r = orders();
  auto const set = partitions("orders", {0});
  auto const s = open();
  auto c = claim(*s, "billing", set, r);
  auto nobodys = to(c[0], 15);
  nobodys.of.partition = 1;
  nobodys.from = offset{20};
  nobodys.until = offset{25};
  nobodys.mine = {};
  CHECK(advance(*s, {nobodys}) == all{outcome::refused});
  CHECK(s->record({{{"orders", 1}, offset{1}, {}, "seek"}}, soon())[0].what == sl::claimed::failed);
  s->release(c, soon());
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::refused});
  CHECK(zk::read_state_name(state_of(set[0]).substr(at().state.size() + 1))->mine == sl::fence{1, 0});
}

TEST_CASE_METHOD(zookeeper_fixture, "a session that expired meanwhile costs nothing but another one") {
  config.session_timeout = 1s;
  servers::proxy p{port()};
  auto r = orders();
  auto const set = partitions("orders", {0});
  auto const s = open(p.port());
  auto c = claim(*s, "billing", set, r);
  auto const sessions = p.round_trips();
  p.refuse(true);
  std::this_thread::sleep_for(2500ms);  // the server forgets after 1 s, and looks every half second
  p.refuse(false);
  auto moves = std::vector{to(c[0], 15)};
  auto answers = advance(*s, moves);
  contract::settle(*s, moves, answers);
  CHECK(answers == all{outcome::applied});
  CHECK(p.round_trips() > sessions + 2);
}

TEST_CASE_METHOD(zookeeper_fixture,
                 "round trips: claims of a thousand partitions, and advances some of which are refused") {
  servers::proxy p{port()};
  resolver r{{{"orders", std::vector<offset>(1000, offset{10})}}};
  auto const set = partitions("orders", contract::up_to(1000));
  auto const s = open(p.port());
  auto const c = claim(*s, "billing", set, r);
  for (int const n : {3, 700}) claim(*open(), "billing", {set[static_cast<std::size_t>(n)]}, r);
  p.be_long(200ms);
  auto before = p.round_trips();
  auto const o = advance(*s, contract::to_all(c, 5));
  CHECK(std::ranges::count(o, outcome::refused) == 2);
  CHECK(std::ranges::count(o, outcome::applied) == 998);
  CHECK(p.round_trips() - before == 3);
  before = p.round_trips();
  claim(*s, "billing", set, r);
  CHECK(p.round_trips() - before == 3);
}

TEST_CASE("what a store's configuration can't be is told with its key") {
  auto const bad = [](sl::zookeeper_offsets const& c, std::string const& part) {
    auto const e = error_of([&] { auto const s = sl::zookeeper_offsets::open(c, {}); });
    INFO(e.text);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("zookeeper_offsets." + part));
  };
  bad({.servers = ""}, "servers");
  bad({.servers = "/x"}, "servers");
  bad({.servers = "a:1/x/"}, "servers");
  bad({.path = "/offsets/{group}/{topic}"}, "path");
  bad({.path = "/sluice/{group}/{topic}/{partition}"}, "path");
  bad({.state = "sluice"}, "state");
  bad({.user = "app"}, "user");
  bad({.user = "a:b", .password = "canary"}, "user");
  bad({.password = "canary"}, "password");
  bad({.user = "app", .password = "canary", .password_file = "/nowhere"}, "password");
  bad({.acl = sl::zookeeper_acl::creator_all}, "acl");
  bad({.connect_timeout = 0ms}, "connect_timeout");
  bad({.session_timeout = 0ms}, "session_timeout");
  bad({.max_request = 1000}, "max_request");
}
