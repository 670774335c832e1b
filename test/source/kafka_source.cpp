#include <sluice/source/kafka_source.hpp>

#include <sluice/rate_limit/concept.hpp>

#include "catch.hpp"
#include "scripted_client.hpp"

using namespace scripted;

namespace {

of_t const a{"t", 0}, b{"t", 1};

/// Claims as it is told, writes down the rest.
struct owner final : sl::source_owner {
  std::map<of_t, std::int64_t> stored{};
  std::map<of_t, sl::log_state> logs{};
  std::map<of_t, sl::claimed::what_t> answers{};
  std::map<of_t, sl::offset> seeks{};
  std::vector<sl::position_event> events{};
  std::vector<sl::rewind> rewinds{};
  std::vector<std::string> troubles{};
  std::vector<std::string> rebalances{};
  std::vector<of_t> given_up{};
  std::set<of_t> held{};
  int claims = 0, put_outs = 0;
  bool records_hold = true;
  std::uint64_t turn = 0;
  sl::time_point limit = sl::time_point::max();
  std::function<void()> while_claiming{};

  std::vector<sl::claimed> claim(std::vector<of_t> const& set, sl::start_resolver&) override {
    ++claims;
    if (while_claiming) std::exchange(while_claiming, {})();
    std::vector<sl::claimed> all;
    for (auto const& of : set) {
      auto const at = answers.find(of);
      auto const what = at == answers.end() ? sl::claimed::stored : at->second;
      all.push_back({of, sl::offset{stored[of]}, logs[of], {++turn, 1}, what, "because"});
    }
    return all;
  }
  std::vector<sl::claimed> record(std::vector<sl::rewind> const& set) override {
    std::vector<sl::claimed> all;
    for (auto const& r : set) {
      rewinds.push_back(r);
      all.push_back({r.of, r.to, {}, {++turn, 1}, records_hold ? sl::claimed::stored : sl::claimed::failed, {}});
      if (records_hold) stored[r.of] = r.to.value(), logs[r.of] = {};
    }
    return all;
  }
  sl::time_point by() override { return limit; }
  bool in_hand(of_t const& of) const override { return held.contains(of); }
  void giving_up(std::vector<sl::lane> const& lanes, bool) override {
    for (auto const& l : lanes) given_up.push_back(l.of);
  }
  std::optional<sl::offset> sought(of_t const& of) override {
    auto const at = seeks.find(of);
    if (at == seeks.end()) return {};
    auto const to = at->second;
    seeks.erase(at);
    return to;
  }
  void found(sl::position_event const& e) override { events.push_back(e); }
  void rebalanced(sl::rebalance_event const& e) override {
    rebalances.push_back("arl"[e.what] + to_string(e.partitions.at(0)));
  }
  void troubled(sl::errc, std::string const& text) override { troubles.push_back(text); }
  void put_out(std::string const&) override { ++put_outs; }
};

struct rig {
  cluster world{};
  owner me{};
  sl::kafka_source<client> source;
  std::vector<std::int64_t> seen{};

  explicit rig(sl::kafka_plan plan = {.topics = {"t"}}) : source(std::move(plan), world, false) {
    world.create("t", 2);
  }
  ~rig() { CHECK(world.wrong() == ""); }

  void serve() { source.serve(me, world.now); }
  /// Serves twice, so that what the first one found out is acted on, and takes all there is; of a only.
  void read(std::size_t quota = sl::no_limit, std::size_t most = 1000, std::size_t bytes = 1 << 20) {
    serve();
    serve();
    sl::intake in;
    std::vector<std::size_t> const quotas(source.lanes().size(), quota);
    source.take(quotas, most, bytes, in);
    std::size_t k = 0;
    for (std::size_t i = 0; i < in.parts.size(); ++i)
      for (std::size_t n = 0; n < in.counts[i]; ++n, ++k)
        if (in.parts[i].range.of == a) seen.push_back(in.messages.all()[k].at);
    source.give_back(in);
  }
  sl::fingerprint print_of(std::int64_t at) {
    auto const& e = **world.logs[a].at_or_after(at);
    sl::detail::message const m{e.key.data(),
                                e.value.data(),
                                static_cast<std::uint32_t>(e.key.size()),
                                static_cast<std::uint32_t>(e.value.size()),
                                e.at,
                                &e};
    return sl::detail::fingerprint_of(m, *source.client().access());
  }
};
using numbers = std::vector<std::int64_t>;

template <class F>
std::optional<sl::errc> code(F&& f) {
  try {
    f();
  } catch (sl::error const& e) { return e.code(); }
  return {};
}

}  // namespace

TEST_CASE("reads from where the claim says; what is not claimed is not read") {
  rig r;
  r.world.produce(a, 6);
  r.world.produce(b, 6);
  r.me.stored[a] = 2;
  r.me.answers[b] = GENERATE(sl::claimed::busy, sl::claimed::failed);
  r.world.assign({a, b});
  r.read();
  CHECK(r.seen == numbers{2, 3, 4, 5});
  REQUIRE(r.source.lanes().size() == 2);
  CHECK(r.source.lanes()[0].next == sl::offset{6});
  CHECK_FALSE(r.source.lanes()[1].reading);
  auto const due = r.source.next_due();
  REQUIRE(due);
  CHECK(*due > r.world.now);  // tried again, later and later
  auto last = *due - r.world.now;
  auto const claims = r.me.claims;
  for (int i = 0; i < 6; ++i) {
    r.world.pass(*r.source.next_due() - r.world.now);
    r.serve();
  }
  CHECK(r.me.claims == claims + 6);
  CHECK(*r.source.next_due() - r.world.now > last);
  r.me.answers.clear();
  r.world.pass(10s);
  r.serve();
  CHECK(r.source.lanes()[1].reading);
  CHECK(r.me.rebalances == std::vector<std::string>{"at/0"});
}

TEST_CASE("old records, and records twice, are dropped and given back") {
  rig r;
  r.world.produce(a, 8);
  r.me.stored[a] = 3;
  r.world.assign({a});
  r.world.again[a] = {0, 2};
  r.read(2);
  CHECK(r.seen == numbers{3, 4});
  r.world.again[a] = {1, 4, 3};
  r.read();
  CHECK(r.seen == numbers{3, 4, 5, 6, 7});
}

TEST_CASE("a quota, a number of records and a size bound what is taken; the rest comes next time") {
  rig r;
  r.world.produce(a, 10);
  r.world.assign({a});
  r.read(3);
  CHECK(r.seen.size() == 3);
  r.read(sl::no_limit, 4);
  CHECK(r.seen.size() == 7);
  r.read(0);
  CHECK(r.seen.size() == 7);
  r.read();
  CHECK(r.seen == numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("outside of the log: nearest goes on at the end that is nearest, recorded and told; stop throws") {
  bool const low = GENERATE(true, false);
  auto const policy = GENERATE(sl::out_of_range::nearest, sl::out_of_range::stop);
  rig r({.topics = {"t"}, .on_out_of_range = policy});
  r.world.produce(a, 10);
  r.world.retain_from(a, 4);
  r.me.stored[a] = low ? 2 : 15;
  r.world.assign({a});
  if (policy == sl::out_of_range::stop) {
    CHECK(code([&] { r.serve(); }) == sl::errc::out_of_range);
    r.world.pass(10s);
    CHECK(code([&] { r.serve(); }) == sl::errc::out_of_range);
    CHECK(r.me.rewinds.empty());
    r.world.pass(10s);
    r.me.seeks[a] = sl::offset{8};
    r.read();
    CHECK(r.seen == numbers{8, 9});
  } else {
    r.read();
    r.world.produce(a, 1);
    r.read();
    CHECK(r.seen == (low ? numbers{4, 5, 6, 7, 8, 9, 10} : numbers{10}));
    REQUIRE(r.me.rewinds.size() == 1);
    CHECK(r.me.rewinds[0].cause == "out of range");
    REQUIRE(r.me.events.size() == 1);
    CHECK(r.me.events[0].cause == (low ? sl::position_event::out_of_range_low : sl::position_event::out_of_range_high));
    CHECK(r.me.events[0].stored == sl::offset{low ? 2 : 15});
    CHECK(r.me.events[0].resumed == sl::offset{low ? 4 : 10});
  }
}

TEST_CASE("a seek that goes with a position that stops is recorded before anything is thrown") {
  rig r({.topics = {"t"}, .on_out_of_range = sl::out_of_range::stop});
  r.world.produce(a, 5);
  r.world.produce(b, 5);
  r.me.stored[a] = 2;
  r.me.stored[b] = 99;
  r.me.seeks[a] = sl::offset{1};
  r.world.assign({a, b});
  CHECK(code([&] { r.serve(); }) == sl::errc::out_of_range);
  REQUIRE(r.me.rewinds.size() == 1);
  CHECK(r.me.rewinds[0].of == a);
  r.read();
  CHECK(r.seen == numbers{1, 2, 3, 4});
}

TEST_CASE("retention overtakes the reader") {
  rig r;
  r.world.produce(a, 10);
  r.world.assign({a});
  r.read(2);
  r.world.retain_from(a, 7);
  r.read();
  r.read();
  r.read();
  CHECK(r.seen == numbers{0, 1, 7, 8, 9});
  REQUIRE(r.me.events.size() == 1);
  CHECK(r.me.events[0].stored == sl::offset{2});
}

TEST_CASE("retention that comes near is told once, and again after it was left behind") {
  rig r;
  r.world.produce(a, 100);
  r.world.assign({a});
  r.read(50);
  auto const removed_below = [&](std::int64_t low) {
    r.world.retain_from(a, low);
    r.world.pass(10s);
    r.serve();
    return r.me.events.size();
  };
  CHECK(removed_below(0) == 0);
  SECTION("a removal as large as the last one would take what is unread") {
    r.world.pass(1h);
    CHECK(removed_below(20) == 0);
    REQUIRE(removed_below(35) == 0);  // the next one ends where reading does
    REQUIRE(removed_below(45) == 1);
  }
  SECTION("so would a minute of what is removed on average") {
    CHECK(removed_below(10) == 0);
    REQUIRE(removed_below(30) == 1);
    CHECK(removed_below(45) == 1);
  }
  CHECK(r.me.events[0].of == a);
  CHECK(r.me.events[0].cause == sl::position_event::retention_near);
  CHECK(r.me.events[0].stored == sl::offset{50});
  CHECK(r.me.events[0].resumed == sl::offset{50});
  CHECK(removed_below(48) == 1);
  r.world.produce(a, 1000);
  r.read(500);
  CHECK(removed_below(50) == 1);
  CHECK(removed_below(100) == 1);
  CHECK(removed_below(400) == 2);
  r.world.pass(1h);  // and no more is removed
  CHECK(removed_below(400) == 2);
  CHECK(r.me.rewinds.empty());
}

TEST_CASE("where all is read, or nothing was removed, retention is not near") {
  rig r;
  r.world.produce(a, 100);
  bool const all = GENERATE(true, false);
  if (!all) r.world.retain_from(a, 40);
  r.me.stored[a] = 40;
  r.world.assign({a});
  r.read(all ? sl::no_limit : 1);
  for (int i = 0; i < 5; ++i) {
    if (all) r.world.retain_from(a, 20 * i + 20);
    r.world.pass(10s);
    r.serve();
  }
  CHECK(r.me.events.empty());
}

TEST_CASE(
    "out of range, and grown past the position before the ends are asked for: other records are told from those that "
    "were read") {
  auto const policy = GENERATE(sl::position_error::stop, sl::position_error::earliest, sl::position_error::nearest);
  rig r({.topics = {"t"}, .on_position_error = policy});
  r.world.produce(a, 10);
  r.world.assign({a});
  r.read();
  REQUIRE(r.seen.size() == 10);
  r.seen.clear();
  r.world.truncate(a, 3);
  bool const detected = GENERATE(true, false);  // by the leader's epoch, or since the offset was refused
  if (detected)
    r.world.tell(sl::client::out_of_range{a});
  else
    r.read();
  for (int i = 3; i < 12; ++i) r.world.produce(a, "other " + std::to_string(i));
  r.read();
  if (policy == sl::position_error::stop) {
    CHECK(code([&] { r.read(); }) == sl::errc::position_truncated);
    CHECK(r.seen.empty());
    return;
  }
  r.read();
  CHECK(r.seen ==
        (policy == sl::position_error::earliest ? numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11} : numbers{10, 11}));
  REQUIRE(r.me.events.size() == 1);
  CHECK(r.me.events[0].cause == sl::position_event::truncated);
  CHECK(r.me.events[0].stored == sl::offset{10});
}

TEST_CASE("out of range though the log is as it was: read on where it stood") {
  rig r;
  r.world.produce(a, 5);
  r.world.assign({a});
  r.read();
  r.world.produce(a, 2);
  SECTION("") { r.world.tell(sl::client::out_of_range{a}); }
  SECTION("and the record consumed last is below the log meanwhile") {
    r.world.retain_from(a, 5);
    r.world.tell(sl::client::out_of_range{a});
  }
  r.read();
  r.read();
  CHECK(r.seen == numbers{0, 1, 2, 3, 4, 5, 6});
  for (auto const& e : r.me.events) CHECK(e.cause == sl::position_event::fingerprint_gone);
  CHECK(r.me.rewinds.empty());
}

TEST_CASE("a log that ends within a batch in hand is looked at when the batch is done with") {
  rig r;
  r.world.produce(a, 10);
  r.world.assign({a});
  r.read();
  r.me.held = {a};
  r.world.truncate(a, 3);
  r.world.tell(sl::client::out_of_range{a});
  r.serve();
  r.serve();
  CHECK(r.me.rewinds.empty());
  r.me.held.clear();
  r.serve();
  r.serve();
  REQUIRE(r.me.rewinds.size() == 1);
  CHECK(r.me.rewinds[0].to == sl::offset{3});
}

TEST_CASE("a record that stays out of range, though the log is said to hold it, is asked for less and less, and told") {
  rig r;
  r.world.produce(a, 5);
  r.world.assign({a});
  r.read();
  r.world.produce(a, 2);
  r.world.refused = {a};
  r.world.tell(sl::client::out_of_range{a});
  r.read();
  r.serve();
  CHECK(r.me.troubles.size() == 1);
  auto const due = r.source.next_due();
  REQUIRE(due);
  CHECK(*due > r.world.now);
  auto const first = *due - r.world.now;
  for (int i = 0; i < 6; ++i) {
    r.world.pass(*r.source.next_due() - r.world.now);
    r.read();
    r.serve();
  }
  CHECK(*r.source.next_due() - r.world.now > first);
  CHECK(r.me.troubles.size() == 7);
  CHECK(r.seen.size() == 5);
  r.world.refused = {};
  r.world.pass(10s);
  r.read();
  CHECK(r.seen == numbers{0, 1, 2, 3, 4, 5, 6});
  CHECK(r.me.rewinds.empty());
}

TEST_CASE("out of range, told of a partition that is not being read, changes nothing") {
  rig r;
  r.world.produce(a, 5);
  r.me.stored[a] = 3;
  r.me.answers[a] = sl::claimed::busy;
  r.world.assign({a});
  r.serve();
  r.world.tell(sl::client::out_of_range{a});
  r.read();
  CHECK(r.seen.empty());
  r.me.answers.clear();
  r.world.pass(10s);
  r.read();
  CHECK(r.seen == numbers{3, 4});
}

TEST_CASE("the record consumed last is compared: the same, another, gone") {
  rig r({.topics = {"t"},
         .on_position_error =
             GENERATE(sl::position_error::stop, sl::position_error::earliest, sl::position_error::nearest)});
  r.world.produce(a, 5);
  r.me.stored[a] = 3;
  r.me.logs[a].last = r.print_of(2);
  SECTION("the same") {
    r.world.assign({a});
    r.read();
    CHECK(r.seen == numbers{3, 4});
    CHECK(r.me.events.empty());
  }
  SECTION("compacted away") {
    r.world.remove(a, 2, 3);
    r.world.assign({a});
    r.read();
    r.serve();
    CHECK(r.seen == numbers{3, 4});
    REQUIRE(r.me.events.size() == 1);
    CHECK(r.me.events[0].cause == sl::position_event::fingerprint_gone);
  }
  SECTION("below the log") {
    r.world.retain_from(a, 3);
    r.world.assign({a});
    r.read();
    r.serve();
    CHECK(r.seen == numbers{3, 4});
    REQUIRE(r.me.events.size() == 1);  // told once
    CHECK(r.me.events[0].cause == sl::position_event::fingerprint_gone);
  }
}

TEST_CASE("truncated and grown again, or created again: by policy") {
  auto const policy = GENERATE(sl::position_error::stop, sl::position_error::earliest, sl::position_error::nearest);
  rig r({.topics = {"t"}, .on_position_error = policy});
  r.world.produce(a, 5);
  r.me.stored[a] = 3;
  r.me.logs[a].last = r.print_of(2);
  r.world.recreate(a);
  for (int i = 0; i < 6; ++i) r.world.produce(a, "other " + std::to_string(i));
  r.world.assign({a});
  r.read();
  CHECK(r.seen.empty());
  if (policy == sl::position_error::stop) {
    CHECK(code([&] { r.serve(); }) == sl::errc::position_truncated);
    CHECK(r.me.rewinds.empty());
    r.world.pass(10s);
    r.me.seeks[a] = sl::offset{5};
    r.read();
    CHECK(r.seen == numbers{5});
  } else {
    r.read();
    CHECK(r.seen == (policy == sl::position_error::earliest ? numbers{0, 1, 2, 3, 4, 5} : numbers{3, 4, 5}));
    REQUIRE(r.me.rewinds.size() == 1);
    CHECK(r.me.rewinds[0].cause == "truncated");
  }
}

TEST_CASE("missing: by policy; a seek cures it") {
  auto const policy = GENERATE(sl::position_error::stop, sl::position_error::earliest, sl::position_error::nearest);
  bool const sought = GENERATE(true, false);
  rig r({.topics = {"t"}, .on_position_error = policy});
  r.world.produce(a, 5);
  r.world.retain_from(a, 1);
  r.me.answers[a] = sl::claimed::missing;
  if (sought) r.me.seeks[a] = sl::offset{4};
  r.world.assign({a});
  if (!sought && policy == sl::position_error::stop) {
    CHECK(code([&] { r.serve(); }) == sl::errc::position_missing);
    CHECK_FALSE(r.source.lanes()[0].reading);
    return;
  }
  r.read();
  CHECK(r.seen == (sought ? numbers{4} : numbers{1, 2, 3, 4}));
  REQUIRE(r.me.rewinds.size() == 1);
  CHECK(r.me.rewinds[0].cause == (sought ? "seek" : "missing"));
  CHECK(r.me.events.size() == (sought ? 0 : 1));
}

TEST_CASE("a rewind that does not hold is not read from: claimed again") {
  rig r({.topics = {"t"}, .on_position_error = sl::position_error::earliest});
  r.world.produce(a, 5);
  r.me.answers[a] = sl::claimed::missing;
  r.me.records_hold = false;
  r.world.assign({a});
  r.read();
  CHECK(r.seen.empty());
  r.me.records_hold = true;
  r.world.pass(10s);
  r.read();
  CHECK(r.seen == numbers{0, 1, 2, 3, 4});
}

TEST_CASE("foreign is thrown, and the others are read all the same") {
  rig r;
  r.world.produce(a, 2);
  r.me.answers[b] = sl::claimed::foreign;
  r.world.assign({a, b});
  CHECK(code([&] { r.serve(); }) == sl::errc::foreign_store);
  r.read();
  CHECK(r.seen == numbers{0, 1});
}

TEST_CASE("revoked: told before the lanes are gone; assigned again: another assignment, claimed anew") {
  rig r;
  r.world.cooperative = GENERATE(true, false);
  r.world.produce(a, 4);
  r.world.assign({a, b});
  r.read(2);
  auto const before = r.source.lanes()[0].assignment;
  r.world.revoke({a, b});
  r.world.assign({a});
  r.me.stored[a] = 1;
  r.read();
  CHECK(r.me.given_up == std::vector<of_t>{a, b});
  CHECK(r.seen == numbers{0, 1, 1, 2, 3});
  REQUIRE(r.source.lanes().size() == 1);
  CHECK(r.source.lanes()[0].assignment != before);
  CHECK(r.me.claims == 2);
}

TEST_CASE("a revocation is answered where some partitions, or all, were never read") {
  rig r{{.topics = {"t"}, .on_out_of_range = sl::out_of_range::stop}};
  r.world.cooperative = GENERATE(true, false);
  r.world.produce(a, 4);
  bool const stops = GENERATE(true, false);
  if (stops)
    r.me.stored[b] = 99;
  else
    r.me.answers[b] = GENERATE(sl::claimed::busy, sl::claimed::failed);
  r.world.assign({a, b});
  if (stops) CHECK(code([&] { r.serve(); }) == sl::errc::out_of_range);
  r.read(2);
  CHECK(r.seen == numbers{0, 1});
  bool const all = !r.world.cooperative || GENERATE(true, false);
  r.world.revoke(all ? std::vector<of_t>{a, b} : std::vector<of_t>{b});
  r.serve();
  CHECK_FALSE(r.world.revocation_open);
  CHECK(r.source.lanes().size() == (all ? 0 : 1));
  if (all) r.world.assign({a});
  r.me.stored[a] = 2;
  r.read();
  CHECK(r.seen == numbers{0, 1, 2, 3});
}

TEST_CASE("what the group tells while a claim takes its time is heard before anything is read") {
  rig r;
  r.world.cooperative = GENERATE(true, false);
  r.world.produce(a, 4);
  r.world.assign({a, b});
  r.read(2);
  r.source.reclaim(a, r.world.now);
  bool const all = !r.world.cooperative || GENERATE(true, false);
  r.me.while_claiming = [&] {
    r.world.revoke(all ? std::vector<of_t>{a, b} : std::vector<of_t>{b});
    if (all) r.world.assign({a});
  };
  r.me.stored[a] = 1;
  r.read();
  CHECK(r.me.given_up == (all ? std::vector<of_t>{a, b} : std::vector<of_t>{b}));
  CHECK(r.seen == numbers{0, 1, 1, 2, 3});
  CHECK(r.source.lanes().size() == 1);
}

TEST_CASE("assigned and revoked before the first fetch leaves nothing open") {
  rig r;
  r.world.cooperative = GENERATE(true, false);
  r.world.assign({a});
  r.world.revoke({a});
  r.serve();
  CHECK(r.source.lanes().empty());
  CHECK(r.me.claims == 0);
  if (!r.world.cooperative) CHECK(r.world.assigns == 1);  // the answer to the revocation, and no other
}

TEST_CASE("a lane that comes later does not disturb those that are read") {
  rig r;
  r.world.cooperative = GENERATE(true, false);
  r.world.produce(a, 6);
  r.world.assign({a});
  r.read(2);
  r.world.assign(r.world.cooperative ? std::vector<of_t>{b} : std::vector<of_t>{a, b});
  r.read(2);
  r.read();
  CHECK(r.seen == numbers{0, 1, 2, 3, 4, 5});
  CHECK(r.source.lanes()[1].reading);
}

TEST_CASE("reclaim: claimed again not before its time, and read from there") {
  rig r;
  r.world.cooperative = GENERATE(true, false);
  r.world.produce(a, 4);
  r.world.assign({a});
  r.read(2);
  r.me.stored[a] = 1;
  r.source.reclaim(a, r.world.now + 5s);
  r.read();
  CHECK(r.seen == numbers{0, 1});
  r.world.pass(5s);
  r.read();
  CHECK(r.seen == numbers{0, 1, 1, 2, 3});
  r.source.reclaim({"t", 9}, r.world.now);  // not its own any more
  r.read();
  CHECK(r.seen.size() == 5);
}

TEST_CASE("of several positions that stop, the first is thrown") {
  rig r({.topics = {"t"}, .on_out_of_range = sl::out_of_range::stop});
  r.me.stored[a] = r.me.stored[b] = 15;
  r.world.assign({a, b});
  std::string said;
  try {
    r.serve();
  } catch (sl::error const& e) { said = e.what(); }
  CHECK(said.find("t/0") != said.npos);
  CHECK(said.find("t/1") == said.npos);
}

TEST_CASE("no broker, no leader: tried again, told") {
  rig r;
  r.world.produce(a, 2);
  r.world.assign({a});
  SECTION("no broker") {
    r.world.reachable = false;
    r.read();
    CHECK(r.me.troubles.size() == 1);
    r.world.reachable = true;
  }
  SECTION("no leader") {
    r.world.leaderless = {a};
    r.read();
    r.world.leaderless = {};
  }
  CHECK(r.seen.empty());
  r.world.pass(10s);
  r.read();
  CHECK(r.seen == numbers{0, 1});
}

TEST_CASE("trouble is told, fatal trouble thrown, the rest of the news is heard after it") {
  rig r;
  r.world.tell(sl::client::trouble{sl::errc::client_failed, "a hiccup"});
  r.serve();
  CHECK(r.me.troubles == std::vector<std::string>{"a hiccup"});
  r.world.tell(sl::client::trouble{sl::errc::client_failed, "the end", true});
  r.world.assign({a});
  r.world.tell(sl::client::poll_exceeded{"too slow"});
  CHECK(code([&] { r.serve(); }) == sl::errc::client_failed);
  r.serve();
  CHECK(r.source.lanes().size() == 1);
  CHECK(r.me.put_outs == 1);
  r.world.trouble[a] = "not authorized";
  r.read();
  r.serve();
  REQUIRE(r.me.troubles.size() == 2);
  CHECK(r.me.troubles[1] == "t/0: not authorized");
}

TEST_CASE("a right that is missing is thrown, whoever says so, and what is heard after it is not lost") {
  rig r;
  r.world.produce(a, 2);
  r.world.tell(sl::client::trouble{sl::errc::access_denied, "no right to the group"});
  r.world.assign({a});
  CHECK(code([&] { r.serve(); }) == sl::errc::access_denied);
  r.read();
  CHECK(r.seen == numbers{0, 1});
  r.world.trouble[a] = "no right to the topic";
  r.world.trouble_code = sl::errc::access_denied;
  r.read();
  CHECK(code([&] { r.serve(); }) == sl::errc::access_denied);
  CHECK(r.me.troubles.empty());
}

TEST_CASE("a pattern's topics are not asked for, but whether a broker is there") {
  rig r{{.topics = {"^t.*"}}};
  r.source.open(r.world.now + 1s);
  r.world.reachable = false;
  CHECK(code([&] { r.source.open(r.world.now + 1s); }) == sl::errc::no_broker);
}

TEST_CASE("a spent client is replaced: all is given up as lost, and claimed again with the new one") {
  rig r;
  r.world.produce(a, 4);
  r.world.assign({a});
  r.read(2);
  r.me.stored[a] = 2;
  r.world.rejoins_with = {a};
  r.source.positions().abandon();
  r.read();
  CHECK(r.world.renewed == 1);
  CHECK(r.me.given_up == std::vector<of_t>{a});
  CHECK(r.seen == numbers{0, 1, 2, 3});
}

TEST_CASE("partitions by hand: open refuses what isn't there; a new client reads them again") {
  cluster world;
  world.create("t", 2);
  owner me;
  SECTION("no such partition") {
    sl::kafka_source<client> s{{.by_hand = {{"t", 2}}}, world, true};
    CHECK(code([&] { s.open(world.now); }) == sl::errc::unknown_topic);
  }
  SECTION("no such topic") {
    sl::kafka_source<client> s{{.by_hand = {{"u", 0}}}, world, true};
    CHECK(code([&] { s.open(world.now); }) == sl::errc::unknown_topic);
  }
  SECTION("renewed") {
    sl::kafka_source<client> s{{.by_hand = {b}}, world, true};
    s.open(world.now);
    s.serve(me, world.now);
    CHECK(s.lanes()[0].reading);
    s.positions().abandon();
    s.serve(me, world.now);
    REQUIRE(s.lanes().size() == 1);
    CHECK(s.lanes()[0].reading);
    CHECK(me.claims == 2);
  }
  CHECK(world.wrong() == "");
}

TEST_CASE("lag: how far the end is ahead; not known where the log ends before the position") {
  rig r;
  r.world.produce(a, 5);
  r.world.assign({a});
  CHECK(r.source.lanes().empty());
  r.read(2);
  CHECK(r.source.lag_of(0) == 3);
  r.read();
  CHECK(r.source.lag_of(0) == 0);
  r.world.truncate(a, 3);
  CHECK_FALSE(r.source.lag_of(0));
}

TEST_CASE("a bounded read ends at an offset, and hands over nothing behind it") {
  rig r{{.topics = {"t"}, .until = sl::read_until::offset(sl::offset{3})}};
  r.world.produce(a, 5);
  r.world.assign({a});
  r.read();
  CHECK(r.seen == numbers{0, 1, 2});
  CHECK(r.source.finished());
  CHECK(r.source.lanes()[0].next == sl::offset{3});
  r.read();
  CHECK(r.seen.size() == 3);
}

TEST_CASE("a bounded read of what is there ends where no record stands before its end") {
  rig r{{.topics = {"t"}, .until = sl::read_until::end()}};
  r.world.produce(a, 5);
  r.world.gap(a, 2);  // commit markers
  r.world.assign({a});
  r.serve();
  CHECK_FALSE(r.source.finished());
  r.world.produce(a, 3);
  r.read();
  CHECK(r.seen == numbers{0, 1, 2, 3, 4});
  CHECK(r.source.finished());
}

TEST_CASE("markers alone before the end, and nothing behind it") {
  rig r{{.topics = {"t"}, .until = sl::read_until::end()}};
  r.world.produce(a, 2);
  r.world.gap(a, 2);
  r.world.assign({a});
  r.read(2);
  r.read();
  CHECK(r.seen == numbers{0, 1});
  CHECK(r.source.finished());
}

TEST_CASE("a bounded read goes on when its end has not come yet; no lanes are no end") {
  rig r{{.topics = {"t"}, .until = sl::read_until::offset(sl::offset{4})}};
  CHECK_FALSE(r.source.finished());
  r.world.produce(a, 2);
  r.world.assign({a});
  r.read();
  CHECK_FALSE(r.source.finished());
  r.world.produce(a, 2);
  r.read();
  CHECK(r.source.finished());
}

TEST_CASE("where all that comes lies behind the bound the position stays where it is stored") {
  rig r{{.topics = {"t"}, .until = sl::read_until::offset(sl::offset{3})}};
  r.world.gap(a, 10);
  r.world.produce(a, 5);
  r.world.assign({a});
  r.read();
  CHECK(r.seen.empty());
  CHECK(r.source.lanes()[0].next == sl::offset{0});
  CHECK(r.source.finished());
}

TEST_CASE("a bounded read of a time ends before the first record of that time or a later one, in each partition") {
  rig r{{.topics = {"t"}, .until = sl::read_until::time(sl::wall_time{std::chrono::milliseconds{2000}})}};
  for (int i = 0; i < 4; ++i) r.world.produce(a, std::to_string(i)).stamp = 1000 * i;
  r.world.produce(b, "early").stamp = 500;
  r.world.assign({a, b});
  r.read();
  CHECK(r.seen == numbers{0, 1});
  CHECK(r.source.finished());
  CHECK(r.source.lanes()[1].next == sl::offset{1});
}
