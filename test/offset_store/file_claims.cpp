#include <sluice/offset_store/file_claims.hpp>

#include "contract.hpp"

namespace {

namespace sl = sluice;
namespace d = sl::detail;
using contract::partitions;
using contract::resolver;
using contract::soon;
using sl::offset;
using state = sl::file_generation;

sl::topic_partition const zero{"orders", 0};
sl::fence const mine{7, 99};

state::partition at(std::int64_t next) { return {.there = true, .next = offset{next}, .owner = mine}; }
sl::move to(std::int64_t from, std::int64_t until) { return {zero, offset{from}, offset{until}, mine, {}}; }

struct claiming {
  state s{};
  resolver r{{{"orders", {offset{10}, offset{20}}}}};

  std::vector<sl::claimed> claim(std::vector<int> const& numbers) {
    auto const set = partitions("orders", numbers);
    d::file_claim<state> edit{.group = "billing", .set = set, .resolve = r, .by = soon()};
    edit(s);
    return edit.answers;
  }
  std::vector<state::partition>& orders() { return s.topics.at({"billing", "orders"}); }
};

}  // namespace

TEST_CASE("a move fits where position and fence are as it says") {
  auto const here = at(10);
  CHECK(d::check_move(&here, to(10, 15)) == d::cas::fits);
  CHECK(d::check_move(&here, to(5, 10)) == d::cas::already);
  CHECK(d::check_move(&here, to(9, 15)) == d::cas::refused);
  CHECK(d::check_move(&here, to(10, 9)) == d::cas::refused);
  CHECK(d::check_move<state::partition>(nullptr, to(10, 15)) == d::cas::refused);
  auto other = to(10, 15);
  other.mine.nonce = 98;
  CHECK(d::check_move(&here, other) == d::cas::refused);
  auto gone = here;
  gone.there = false;
  CHECK(d::check_move(&gone, to(10, 15)) == d::cas::refused);
  auto nobodys = here;
  nobodys.owner = {7, 0};
  other.mine = nobodys.owner;
  CHECK(d::check_move(&nobodys, other) == d::cas::refused);
}

TEST_CASE("a move is looked for in the group in which its fence holds") {
  state s;
  s.topics[{"billing", "orders"}] = {at(10)};
  s.topics[{"audit", "orders"}] = {at(30)};
  s.topics[{"audit", "orders"}][0].owner = {8, 1};
  d::known_groups<state> groups{"billing"};
  groups.add("audit");
  CHECK(groups.find(s, to(10, 15))->next == offset{10});
  auto other = to(30, 31);
  other.mine = {8, 1};
  CHECK(groups.find(s, other)->next == offset{30});
  CHECK(groups.latest() == "audit");
  other.of.partition = 1;
  CHECK(groups.find(s, other) == nullptr);
  other.of.partition = -1;
  CHECK(groups.find(s, other) == nullptr);
}

TEST_CASE_METHOD(claiming, "the first claim of a topic brings the starts of all its partitions") {
  auto const answers = claim({1});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].what == sl::claimed::first);
  CHECK(answers[0].next == offset{20});
  REQUIRE(orders().size() == 2);
  CHECK(orders()[0].next == offset{10});
  CHECK(orders()[0].owner.nonce == 0);
  CHECK(orders()[1].owner == answers[0].mine);
}

TEST_CASE_METHOD(claiming, "a later claim takes what is stored, with a new fence, and asks for nothing") {
  auto const first = claim({0});
  orders()[0].next = offset{15};
  auto const later = claim({0});
  CHECK(later[0].what == sl::claimed::stored);
  CHECK(later[0].next == offset{15});
  CHECK(later[0].mine.turn == first[0].mine.turn + 1);
  CHECK(later[0].mine.nonce != first[0].mine.nonce);
  CHECK(r.asked == 1);
}

TEST_CASE_METHOD(claiming, "a partition that was added starts at its earliest offset; those between are known too") {
  claim({0});
  auto const added = claim({3});
  CHECK(added[0].what == sl::claimed::added);
  CHECK(added[0].next == offset{103});
  REQUIRE(orders().size() == 4);
  CHECK(orders()[2].next == offset{102});
  CHECK(claim({2})[0].what == sl::claimed::stored);
}

TEST_CASE_METHOD(claiming, "a position that is gone is missing, not started anew; a negative partition is nobody's") {
  claim({0});
  orders()[0].there = false;
  CHECK(claim({0})[0].what == sl::claimed::missing);
  CHECK(orders()[0].owner.nonce != 0);
  CHECK(claim({-1})[0].what == sl::claimed::failed);
}

TEST_CASE_METHOD(claiming, "a claim that is tried on a state that has it already is made once") {
  auto const set = partitions("orders", {0, 1});
  d::file_claim<state> edit{.group = "billing", .set = set, .resolve = r, .by = soon()};
  CHECK(edit(s) == true);
  auto const before = s;
  CHECK(edit(s) == false);
  CHECK(s == before);
  auto const taken = claim({0});
  CHECK(edit(s) == true);
  CHECK(orders()[0].owner.turn == taken[0].mine.turn + 1);
  CHECK(orders()[1] == before.topics.at({"billing", "orders"})[1]);
  CHECK(r.asked == 1);
}

TEST_CASE_METHOD(claiming, "a rewind takes a new fence and a later incarnation, and is listed") {
  auto const c = claim({0})[0];
  auto const ahead = c.log.incarnation + 1'000'000'000;
  orders()[0].log.incarnation = ahead;
  d::known_groups<state> const groups{"billing"};
  std::vector<sl::rewind> const wanted{{.of = zero, .to = offset{3}, .mine = c.mine, .cause = "seek"},
                                       {.of = zero, .to = offset{4}, .mine = c.mine, .cause = "again"}};
  d::file_rewind<state> edit{.groups = groups, .rewinds = wanted};
  CHECK(edit(s) == true);
  CHECK(edit.answers[0].what == sl::claimed::stored);
  CHECK(edit.answers[0].next == offset{3});
  CHECK(edit.answers[0].log.incarnation == ahead + 1);
  CHECK(edit.answers[0].mine != c.mine);
  CHECK(edit.answers[1].what == sl::claimed::failed);
  REQUIRE(s.jumps.size() == 1);
  CHECK(s.jumps[0].cause == "seek");
  CHECK(s.jumps[0].from == offset{10});
  auto const before = s;
  CHECK(edit(s) == false);
  CHECK(s == before);
}

TEST_CASE_METHOD(claiming, "of the rewinds the newest are kept") {
  claim({0});
  d::known_groups<state> const groups{"billing"};
  for (std::size_t i = 0; i < state::max_jumps + 5; ++i) {
    std::vector<sl::rewind> const wanted{
        {.of = zero, .to = offset{3}, .mine = orders()[0].owner, .cause = std::to_string(i)}};
    d::file_rewind<state>{.groups = groups, .rewinds = wanted}(s);
  }
  CHECK(s.jumps.size() == state::max_jumps);
  CHECK(s.jumps.front().cause == "5");
}
