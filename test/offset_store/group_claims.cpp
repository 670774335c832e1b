#include <sluice/offset_store/group_claims.hpp>

#include "catch.hpp"
#include "scripted_positions.hpp"

namespace sl = sluice;
using scripted::of;
using scripted::soon;

namespace {

struct member {
  scripted::positions positions;
  scripted::starts starts{};
  sl::detail::group_ledger ledger{};
  explicit member(scripted::log_of_commits& group, bool by_hand = false) : positions(group) {
    ledger.bind(positions, !by_hand);
  }
  std::vector<sl::claimed> claim(std::vector<sl::topic_partition> const& set) {
    return sl::detail::group_claim{ledger, starts, soon()}(set);
  }
};

sl::group_note note_at(scripted::log_of_commits const& group, std::string const& topic, int p) {
  auto const note = sl::read_note(group.at.at({topic, p}).second);
  REQUIRE(note);
  return *note;
}

}  // namespace

TEST_CASE("the owner of partition 0 makes the first claim, one commit for all") {
  scripted::log_of_commits group;
  member one{group}, two{group};

  auto busy = two.claim(of("orders", {2, 3}));
  for (auto const& c : busy) {
    CHECK(c.what == sl::claimed::busy);
    CHECK(c.why.find("orders/0") != c.why.npos);
  }
  CHECK(two.positions.stores.empty());
  CHECK(two.starts.asked == 0);

  auto const first = one.claim(of("orders", {1, 0}));
  REQUIRE(one.positions.stores.size() == 1);
  CHECK(one.positions.stores[0].size() == 4);
  CHECK(first[0].what == sl::claimed::first);
  CHECK(first[0].next == sl::offset{101});
  CHECK(first[1].next == sl::offset{100});
  CHECK(first[0].mine != first[1].mine);
  CHECK(first[0].log.incarnation > 1'600'000'000'000);
  CHECK(note_at(group, "orders", 0).partitions == 4);

  two.starts.partitions = 99;  // the start is stored: nobody resolves it again
  auto const stored = two.claim(of("orders", {2, 3}));
  CHECK(stored[0].what == sl::claimed::stored);
  CHECK(stored[0].next == sl::offset{102});
  CHECK(stored[1].next == sl::offset{103});
  CHECK(two.starts.asked == 0);
}

TEST_CASE("a crash before the first advance starts again at the same place") {
  scripted::log_of_commits group;
  member{group}.claim(of("orders", {0, 1, 2, 3}));
  member after{group};
  auto const c = after.claim(of("orders", {0, 3}));
  CHECK(c[0].what == sl::claimed::stored);
  CHECK(c[0].next == sl::offset{100});
  CHECK(c[1].next == sl::offset{103});
  CHECK(after.positions.stores.empty());
}

TEST_CASE("several topics are claimed for the first time in one commit") {
  scripted::log_of_commits group;
  member one{group};
  auto set = of("orders", {0, 1});
  set.push_back({"clicks", 0});
  set.push_back({"late", 1});
  auto const c = one.claim(set);
  CHECK(one.positions.stores.size() == 1);
  CHECK(one.positions.stores[0].size() == 8);
  CHECK(c[2].what == sl::claimed::first);
  CHECK(c[3].what == sl::claimed::busy);
}

TEST_CASE("a first claim whose commit does not hold is no claim") {
  auto const bad = GENERATE(sl::outcome::refused, sl::outcome::postponed);
  scripted::log_of_commits group;
  member one{group};
  one.positions.next_outcomes = {bad};
  for (auto const& c : one.claim(of("orders", {0, 1}))) {
    CHECK(c.what == sl::claimed::failed);
    CHECK_FALSE(c.why.empty());
    CHECK(c.mine == sl::fence{});
  }
  CHECK(group.at.empty());
  CHECK(one.claim(of("orders", {0, 1}))[0].what == sl::claimed::first);
}

TEST_CASE("one partition that is not stored makes the topic's first claim fail, another topic's holds") {
  scripted::log_of_commits group;
  member one{group};
  one.positions.refuses = {{"orders", 3}};
  auto set = of("orders", {0});
  set.push_back({"clicks", 0});
  auto const c = one.claim(set);
  CHECK(c[0].what == sl::claimed::failed);
  CHECK(c[1].what == sl::claimed::first);
}

TEST_CASE("a first claim without an answer abandons the client") {
  scripted::log_of_commits group;
  member one{group};
  one.positions.next_outcomes = {sl::outcome::unknown};
  CHECK(one.claim(of("orders", {0}))[0].what == sl::claimed::failed);
  CHECK(one.positions.abandoned == 1);
  CHECK(one.claim(of("orders", {0}))[0].what == sl::claimed::failed);
  CHECK(one.positions.stores_after_abandon == 0);
  CHECK(one.positions.abandoned == 1);
}

TEST_CASE("partitions beyond the known number are new, and known from then on") {
  scripted::log_of_commits group;
  member one{group}, two{group};
  one.claim(of("orders", {0, 1, 2, 3}));

  auto const added = two.claim(of("orders", {5}));
  CHECK(added[0].what == sl::claimed::added);
  CHECK(added[0].next == sl::offset{5});
  CHECK(group.at.at({"orders", 5}).first == sl::offset{5});
  CHECK(note_at(group, "orders", 0).partitions == 4);

  SECTION("another one's partition is known once no hole lies before it") {
    auto const c = one.claim(of("orders", {0, 4}));
    CHECK(c[1].what == sl::claimed::added);
    CHECK(note_at(group, "orders", 0).partitions == 6);
    CHECK(group.at.at({"orders", 0}).first == sl::offset{100});
    group.at.erase({"orders", 5});
    CHECK(member{group}.claim(of("orders", {5}))[0].what == sl::claimed::missing);
  }
  SECTION("partition 0 that is ours since an earlier claim says so with its next advance") {
    one.claim(of("orders", {4}));
    auto const& zero = *one.ledger.find({"orders", 0});
    CHECK(zero.partitions == 6);
    CHECK(zero.next == sl::offset{100});
    CHECK(note_at(group, "orders", 0).partitions == 4);
  }
}

TEST_CASE("a new partition whose start is not stored is not ours") {
  scripted::log_of_commits group;
  member{group}.claim(of("orders", {0}));
  member two{group};
  two.positions.next_outcomes = {sl::outcome::refused};
  CHECK(two.claim(of("orders", {4, 1}))[0].what == sl::claimed::failed);
  CHECK_FALSE(group.at.contains({"orders", 4}));
}

TEST_CASE("a position that is gone is missing, never a start") {
  scripted::log_of_commits group;
  member{group}.claim(of("orders", {0}));

  SECTION("below the known number") {
    group.at.erase({"orders", 2});
    member two{group};
    auto const c = two.claim(of("orders", {2, 3}));
    CHECK(c[0].what == sl::claimed::missing);
    CHECK(c[1].what == sl::claimed::stored);
    CHECK(two.positions.stores.empty());
    CHECK(two.ledger.answered_here(scripted::onward(c[0], 1)) == sl::outcome::refused);
    CHECK(two.ledger.record({{c[0].of, sl::offset{77}, c[0].mine, "missing"}}, soon())[0].what == sl::claimed::stored);
    CHECK(group.at.at({"orders", 2}).first == sl::offset{77});
    CHECK(note_at(group, "orders", 2).cause == "missing");
  }
  SECTION("of partition 0, where the group has others") {
    group.at.erase({"orders", 0});
    member two{group};
    auto const c = two.claim(of("orders", {0, 1}));
    CHECK(c[0].what == sl::claimed::missing);
    CHECK(c[1].what == sl::claimed::stored);
    CHECK(two.positions.stores.empty());
    two.ledger.record({{c[0].of, sl::offset{77}, c[0].mine, "missing"}}, soon());
    CHECK(note_at(group, "orders", 0).partitions == 4);
  }
  SECTION("of partition 0, where only partitions of other members are left") {
    group.at.erase({"orders", 0});
    group.at.erase({"orders", 1});
    CHECK(member{group}.claim(of("orders", {0, 1}))[0].what == sl::claimed::missing);
  }
  SECTION("of partition 0, seen by somebody else") {
    group.at.erase({"orders", 0});
    group.at.erase({"orders", 2});
    auto const c = member{group}.claim(of("orders", {2, 3}));
    CHECK(c[0].what == sl::claimed::busy);
    CHECK(c[1].what == sl::claimed::stored);
  }
}

TEST_CASE("where partition 0 is ours since earlier, and all is gone, nothing starts anew") {
  scripted::log_of_commits group;
  member one{group};
  one.claim(of("orders", {0}));
  one.positions.stores.clear();
  group.at.clear();
  CHECK(one.claim(of("orders", {1}))[0].what == sl::claimed::busy);
  CHECK(one.positions.stores.empty());
}

TEST_CASE("what a stranger committed is resumed from") {
  scripted::log_of_commits group;
  group.at[{"orders", 0}] = {sl::offset{7}, ""};
  group.at[{"orders", 1}] = {sl::offset{8}, "{\"by\":\"somebody\"}"};
  member one{group};
  auto const c = one.claim(of("orders", {0, 1, 2}));
  CHECK(c[0].what == sl::claimed::stored);
  CHECK(c[0].next == sl::offset{7});
  CHECK(c[1].next == sl::offset{8});
  CHECK(c[1].log.incarnation > 1'600'000'000'000);
  CHECK(c[2].what == sl::claimed::missing);
  CHECK(note_at(group, "orders", 0).log.incarnation == c[0].log.incarnation);
  CHECK(note_at(group, "orders", 1).log.incarnation == c[1].log.incarnation);
  CHECK(group.at.at({"orders", 1}).first == sl::offset{8});
  CHECK(member{group}.claim(of("orders", {1}))[0].log.incarnation == c[1].log.incarnation);
  CHECK(member{group}.claim(of("orders", {2}))[0].what == sl::claimed::missing);
  CHECK(one.ledger.find({"orders", 0})->partitions == 4);
}

TEST_CASE("what a stranger committed is no claim before its incarnation is stored") {
  scripted::log_of_commits group;
  group.at[{"orders", 0}] = {sl::offset{7}, ""};
  member one{group};
  one.positions.next_outcomes = {GENERATE(sl::outcome::refused, sl::outcome::postponed)};
  CHECK(one.claim(of("orders", {0}))[0].what == sl::claimed::failed);
  CHECK(group.at.at({"orders", 0}).second.empty());
  CHECK(one.claim(of("orders", {0}))[0].what == sl::claimed::stored);
}

TEST_CASE("what a local store keeps is not taken over") {
  scripted::log_of_commits group;
  group.at[{"orders", 0}] = {sl::offset{7}, sl::to_text({.partitions = 4, .store_id = "5eed"})};
  auto const c = member{group}.claim(of("orders", {0}));
  CHECK(c[0].what == sl::claimed::foreign);
  CHECK(c[0].why.find("5eed") != c[0].why.npos);
}

TEST_CASE("what a later version wrote is refused, not read") {
  scripted::log_of_commits group;
  group.at[{"orders", 0}] = {sl::offset{7}, "sluice2;x=1"};
  member one{group};
  try {
    one.claim(of("orders", {1}));
    FAIL("claimed");
  } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_newer); }
  CHECK(one.positions.stores.empty());
}

TEST_CASE("by hand each makes the first claim of its own partitions, and of no others") {
  scripted::log_of_commits group;
  member one{group, true}, two{group, true};
  auto const mine = one.claim(of("orders", {1, 3}));
  CHECK(mine[0].what == sl::claimed::first);
  CHECK(mine[0].next == sl::offset{101});
  CHECK(mine[1].next == sl::offset{103});
  REQUIRE(one.positions.stores.size() == 1);
  CHECK(one.positions.stores[0].size() == 2);

  group.at[{"orders", 1}].first = sl::offset{170};  // it goes on, while another process begins
  auto const others = two.claim(of("orders", {0, 2}));
  CHECK(others[0].what == sl::claimed::first);
  CHECK(others[0].next == sl::offset{100});
  CHECK(others[1].next == sl::offset{102});
  CHECK(group.at.at({"orders", 1}).first == sl::offset{170});
  CHECK(note_at(group, "orders", 0).partitions == 4);

  member after{group, true};
  auto const again = after.claim(of("orders", {3, 1}));
  CHECK(again[0].what == sl::claimed::stored);
  CHECK(again[1].next == sl::offset{170});
  CHECK(after.positions.stores.empty());
  CHECK(after.starts.asked == 0);
}

TEST_CASE("by hand a first claim that failed is tried again in pieces, and holds for all") {
  auto const bad = GENERATE(sl::outcome::refused, sl::outcome::postponed);
  scripted::log_of_commits group;
  member one{group, true};
  one.positions.next_outcomes = {bad};
  for (auto const& c : one.claim(of("orders", {1, 3}))) CHECK(c.what == sl::claimed::failed);
  CHECK(group.at.empty());
  CHECK(one.claim(of("orders", {3}))[0].what == sl::claimed::first);
  auto const c = one.claim(of("orders", {1}));
  CHECK(c[0].what == sl::claimed::stored);
  CHECK(c[0].next == sl::offset{101});
}

TEST_CASE("by hand a position that is gone is missing, never a start, whatever other processes have") {
  scripted::log_of_commits group;
  member one{group, true};
  one.claim(of("orders", {1, 3}));
  group.at[{"orders", 0}] = {sl::offset{7}, ""};  // another process's

  SECTION("one of several") {
    group.at.erase({"orders", 3});
    auto const c = member{group, true}.claim(of("orders", {3, 1}));
    CHECK(c[0].what == sl::claimed::missing);
    CHECK(c[1].what == sl::claimed::stored);
  }
  SECTION("one of several, and the claim is tried again in pieces") {
    group.at.erase({"orders", 3});
    member two{group, true};
    two.positions.unreadable = {{"orders", 1}};
    for (auto const& c : two.claim(of("orders", {3, 1}))) CHECK(c.what == sl::claimed::failed);
    two.positions.unreadable.clear();
    CHECK(two.claim(of("orders", {3}))[0].what == sl::claimed::missing);
  }
  SECTION("all, since this process has had them") {
    group.at.clear();
    CHECK(one.claim(of("orders", {1, 3}))[0].what == sl::claimed::missing);
  }
  SECTION("all, found by a new process: the group starts anew") {
    group.at.erase({"orders", 1});
    group.at.erase({"orders", 3});
    auto const c = member{group, true}.claim(of("orders", {1, 3}));
    CHECK(c[0].what == sl::claimed::first);
    CHECK(group.at.at({"orders", 0}).first == sl::offset{7});
  }
  SECTION("not before Kafka has told of each") {
    group.at.erase({"orders", 1});
    group.at.erase({"orders", 3});
    member two{group, true};
    two.positions.unreadable = {{"orders", 3}};
    CHECK(two.claim(of("orders", {1, 3}))[0].what == sl::claimed::failed);
    CHECK(two.positions.stores.empty());
  }
}

TEST_CASE("by hand a partition beyond the known number is new") {
  scripted::log_of_commits group;
  member{group, true}.claim(of("orders", {0, 1}));
  member after{group, true};
  after.starts.partitions = 6;
  auto const c = after.claim(of("orders", {0, 1, 2, 4}));
  CHECK(c[2].what == sl::claimed::missing);
  CHECK(c[3].what == sl::claimed::added);
  CHECK(c[3].next == sl::offset{5});
}

TEST_CASE("without an answer for a partition, or for partition 0, there is no claim") {
  scripted::log_of_commits group;
  member{group}.claim(of("orders", {0}));
  group.at.erase({"orders", 2});
  member one{group};
  one.positions.unreadable = {{"orders", 1}};
  auto const c = one.claim(of("orders", {1, 3}));
  CHECK(c[0].what == sl::claimed::failed);
  CHECK(c[1].what == sl::claimed::stored);
  one.positions.unreadable = {{"orders", 0}};
  CHECK(one.claim(of("orders", {2}))[0].what == sl::claimed::failed);
  CHECK(one.claim(of("orders", {3}))[0].what == sl::claimed::failed);  // its offset is told, the known number isn't

  scripted::log_of_commits fresh;
  member two{fresh};
  two.positions.unreadable = {{"orders", 2}};
  CHECK(two.claim(of("orders", {0, 1}))[0].what == sl::claimed::failed);
  CHECK(fresh.at.empty());
}

TEST_CASE("each claim makes a fence of its own, whose turn counts on over members") {
  scripted::log_of_commits group;
  member one{group};
  auto const a = one.claim(of("orders", {0}));
  auto const b = one.claim(of("orders", {0}));
  CHECK(b[0].mine.turn == a[0].mine.turn + 1);
  CHECK(b[0].mine.nonce != a[0].mine.nonce);
  member two{group};
  CHECK(two.claim(of("orders", {0}))[0].mine.turn > a[0].mine.turn);
}

TEST_CASE("a thousand partitions are two reads and one commit") {
  scripted::log_of_commits group;
  member one{group};
  one.starts.partitions = 1000;
  std::vector<sl::topic_partition> set;
  for (int p = 0; p < 1000; ++p) set.push_back({"orders", p});
  for (auto const& c : one.claim(set)) CHECK(c.what == sl::claimed::first);
  CHECK(one.positions.reads <= 2);
  CHECK(one.positions.stores.size() == 1);
}
