#include <sluice/testing/simulation/witness.hpp>

#include "catch.hpp"

namespace st = sluice::testing;
using namespace st::simulated;

namespace {
/// A partition with ten records, all of which process 0 may be handed.
struct bench final : surroundings {
  st::simulated::world world{};
  st::simulated::topic topic{world};
  st::simulated::witness witness{world, topic};

  explicit bench(st::promise kept) {
    world.reset({.processes = 1, .partitions = 1, .records = 0}, *this);
    topic.reset();
    topic.log(0) = {};
    witness.reset(kept);
    topic.append(0, 10, 'k');
    witness.began(0, 0, 1);
    witness.claimed(0, 0, true);
  }
  std::string broken() const { return {world.broken.begin(), world.broken.end()}; }
  std::uint32_t at(std::int64_t place) { return topic.log(0).entries[topic.entry_at(0, place)]; }
  void store(std::int64_t from, std::int64_t until, std::int64_t incarnation = 1) {
    witness.moved(0, from, until, incarnation, nullptr, {});
  }
  void handle(std::int64_t from, std::int64_t until, std::int64_t incarnation = 1, bool current = true) {
    witness.took(at(until - 1));
    witness.handling(0, 0, from, until, incarnation, topic.visible(0, from, until), at(until - 1), true, current);
    for (auto i = from; i < until; ++i) {
      witness.started(0, topic.record(at(i)), incarnation);
      witness.done(topic.record(at(i)), incarnation);
    }
  }
  void cut(std::int64_t at, int more) {
    topic.truncate(0, at);
    topic.append(0, more, 'k');
    witness.excuse(0);
    witness.told_ends(0, topic.log(0).low, topic.log(0).high);
  }

  void main(int) override {}
  void silent(int) override {}
  void speaks(int) override {}
  bool happen(st::decision const&) override { return false; }
  bool busy(int) const override { return false; }
  void look_around() override {}
};
}  // namespace

TEST_CASE("at_most_once: after a rewind, too, what is handled must be stored") {
  bench b{st::promise::at_most_once};
  b.store(0, 5);
  b.handle(0, 5);
  b.witness.rewound(0, 2, 2, "seek");
  SECTION("under the rewind's incarnation") {
    b.handle(2, 4, 2);
    CHECK(b.broken() == "handled before stored");
  }
  SECTION("and not twice") {
    b.store(2, 4, 2);
    b.handle(2, 4, 2);
    REQUIRE(b.broken() == "");
    b.handle(2, 4, 2);
    CHECK(b.broken() == "handled twice");
  }
  SECTION("a batch from before it may be handled late") {
    b.handle(2, 5, 1, false);
    CHECK(b.broken() == "");
  }
  SECTION("as far as it was stored then") {
    b.handle(2, 6, 1, false);
    CHECK(b.broken() == "handled before stored");
  }
  SECTION("there is no other incarnation") {
    b.handle(2, 4, 3);
    CHECK(b.broken() == "incarnation");
  }
}

TEST_CASE("an effect is there once, also after a rewind, which makes it due again") {
  bench b{st::promise::transactional};
  st::simulated::list<std::uint32_t> const effects{b.at(0), b.at(1)};
  b.witness.moved(0, 0, 2, 1, &effects, {});
  b.witness.wrote(effects);
  b.witness.rewound(0, 0, 2, "seek");
  SECTION("once again is well") {
    b.witness.moved(0, 0, 2, 2, &effects, {});
    b.witness.wrote(effects);
    CHECK(b.broken() == "");
    b.witness.all_read();
    CHECK(b.broken() == "");
    b.witness.wrote(effects);
    CHECK(b.broken() == "doubled");
  }
  SECTION("not at all is not") {
    b.witness.moved(0, 0, 2, 2, nullptr, {});
    CHECK(b.broken() == "effects");
  }
}

TEST_CASE("what has grown again is owed once a rewind has come to it, and only then") {
  bench b{st::promise::at_least_once};
  b.handle(0, 8);
  b.store(0, 8);
  b.cut(5, 5);
  SECTION("its reader may go on, and need not know of it") {
    b.handle(8, 10);
    b.store(8, 10);
    CHECK(b.witness.at_end());
    b.witness.all_read();
    CHECK(b.broken() == "");
  }
  SECTION("after the rewind it is to be read to its end") {
    b.witness.rewound(0, 0, 2, "truncated");
    REQUIRE(b.broken() == "");
    CHECK_FALSE(b.witness.at_end());
    b.store(0, 6, 2);
    CHECK(b.broken() == "lost");
  }
  SECTION("and so is what comes then") {
    b.witness.rewound(0, 0, 2, "truncated");
    b.handle(0, 10, 2);
    b.store(0, 10, 2);
    CHECK(b.witness.at_end());
    b.topic.append(0, 1, 'k');
    CHECK_FALSE(b.witness.at_end());
    b.store(10, 11, 2);
    CHECK(b.broken() == "lost");
  }
  SECTION("a seek goes over some, which are owed no more") {
    b.witness.rewound(0, 0, 2, "truncated");
    b.witness.rewound(0, 9, 3, "seek");
    b.handle(9, 10, 3);
    b.store(9, 10, 3);
    b.witness.all_read();
    CHECK(b.broken() == "");
  }
}

TEST_CASE("a position error is recorded once, under its name") {
  bench b{st::promise::at_least_once};
  b.handle(0, 8);
  b.store(0, 8);
  SECTION("nothing has happened") {
    b.witness.rewound(0, 0, 2, "truncated");
    CHECK(b.broken() == "rewind");
  }
  SECTION("what was cut off lies behind the position") {
    b.cut(8, 2);
    b.witness.rewound(0, 0, 2, "truncated");
    CHECK(b.broken() == "rewind");
  }
  SECTION("it was retention") {
    b.topic.retain_from(0, 9);
    b.witness.rewound(0, 9, 2, "truncated");
    CHECK(b.broken() == "rewind");
  }
  SECTION("nobody was told of such ends") {
    b.topic.retain_from(0, 9);
    b.witness.rewound(0, 9, 2, "out of range");
    CHECK(b.broken() == "rewind");
  }
  SECTION("each once") {
    b.topic.retain_from(0, 9);
    b.witness.told_ends(0, 9, 10);
    b.witness.rewound(0, 9, 2, "out of range");
    REQUIRE(b.broken() == "");
    b.witness.rewound(0, 9, 3, "out of range");
    CHECK(b.broken() == "rewind");
  }
  SECTION("cut off, and told so once") {
    b.cut(5, 5);
    b.witness.rewound(0, 0, 2, "truncated");
    REQUIRE(b.broken() == "");
    b.witness.rewound(0, 0, 3, "truncated");
    CHECK(b.broken() == "rewind");
  }
}

TEST_CASE("a rewind goes where policy, or the program, wants it") {
  bench b{st::promise::at_least_once};
  b.handle(0, 8);
  b.store(0, 8);
  SECTION("to the log's beginning") {
    b.cut(5, 5);
    b.witness.rewound(0, 5, 2, "truncated");
    CHECK(b.broken() == "rewind");
  }
  SECTION("or as near as it can") {
    b.witness.on_position_error = sluice::position_error::nearest;
    b.cut(5, 5);
    bool const near = GENERATE(true, false);
    b.witness.rewound(0, near ? 8 : 0, 2, "truncated");
    CHECK(b.broken() == (near ? "" : "rewind"));
  }
  SECTION("not over what is still there") {
    b.topic.retain_from(0, 9);
    b.witness.told_ends(0, 9, 10);
    b.witness.rewound(0, 10, 2, "out of range");
    CHECK(b.broken() == "rewind");
  }
  SECTION("where a seek was announced") {
    b.witness.seeks(0, 3);
    b.witness.rewound(0, 3, 2, "seek");
    REQUIRE(b.broken() == "");
    b.witness.rewound(0, 4, 3, "seek");
    CHECK(b.broken() == "rewind");
  }
}

TEST_CASE("who claims anew what is its own has no reason to handle anything again; another one has") {
  bench b{st::promise::at_least_once};
  b.handle(0, 2);
  bool const meanwhile = GENERATE(true, false);
  if (meanwhile) b.witness.claimed(0, 0, false);
  b.witness.claimed(0, 0, true);
  b.handle(0, 2);
  CHECK(b.broken() == (meanwhile ? "" : "handled twice"));
}

TEST_CASE("what grows again where somebody was need not be read, and what grows behind that must") {
  bench b{st::promise::at_least_once};
  b.handle(0, 4);
  b.store(0, 4);
  b.witness.fetched(0, 6);
  b.topic.truncate(0, 2);
  b.topic.is_new_from(0, b.witness.reached(0));
  b.topic.append(0, 8, 'k');
  b.store(4, 6);
  REQUIRE(b.broken() == "");
  b.store(6, 7);
  CHECK(b.broken() == "lost");
}

TEST_CASE("a consumer that has drained leaves nothing behind that it handled") {
  bench b{st::promise::at_least_once};
  b.handle(0, 4);
  SECTION("it is not stored") {
    b.witness.drained(0);
    CHECK(b.broken() == "drained");
  }
  SECTION("all is well") {
    SECTION("it is stored") { b.store(0, 4); }
    SECTION("it could not be") { b.witness.excuse(0); }
    SECTION("its program went elsewhere") { b.witness.seeks(0, 9); }
    b.witness.drained(0);
    CHECK(b.broken() == "");
  }
}

TEST_CASE("a stranger's position has no incarnation before one is stored with it, and keeps that") {
  bench b{st::promise::at_least_once};
  b.witness.reset(st::promise::at_least_once);
  b.witness.left_by_stranger(0, 5);
  b.witness.claimed(0, 0, true);
  SECTION("handled before") {
    b.handle(5, 6, 7);
    CHECK(b.broken() == "incarnation");
  }
  SECTION("stored with it, then handled") {
    b.witness.stays(0, 7);
    b.handle(5, 10, 7);
    b.store(5, 10, 7);
    b.witness.all_read();
    CHECK(b.broken() == "");
    b.witness.stays(0, 8);
    CHECK(b.broken() == "incarnation");
  }
}

TEST_CASE("a position beyond its log is no end, once a fetch was told so") {
  bench b{st::promise::at_least_once};
  b.handle(0, 10);
  b.store(0, 10);
  CHECK(b.witness.at_end());
  b.topic.truncate(0, 3);
  CHECK(b.witness.at_end());
  b.witness.told_outside(0);
  CHECK_FALSE(b.witness.at_end());
}

TEST_CASE("an aborted record is not handed over") {
  bench b{st::promise::at_least_once};
  b.topic.append(0, 1, 'k', true);
  b.witness.handed_over(b.topic.records().back());
  CHECK(b.broken() == "isolation");
}

TEST_CASE("what stands behind an open transaction is not handed over until that has ended, and what is in none stays") {
  bench b{st::promise::at_least_once};
  REQUIRE(b.topic.hold(0, 5 * seconds));
  CHECK_FALSE(b.topic.hold(0, 5 * seconds));
  auto const behind = b.topic.records().back();
  CHECK(b.topic.log(0).end() == 10);
  SECTION("while it is open") {
    b.witness.handed_over(behind);
    CHECK(b.broken() == "isolation");
  }
  SECTION("afterwards") {
    b.topic.end_transaction(0);
    CHECK(b.topic.log(0).end() == b.topic.log(0).high);
    CHECK(b.topic.record(behind.id).visible);
    b.witness.handed_over(behind);
    CHECK(b.broken() == "");
  }
}

TEST_CASE("an idle owner need not know of a stranger's rewind; one that has something to read must come to it") {
  bench b{st::promise::at_least_once};
  b.handle(0, 10);
  b.store(0, 10);
  b.witness.rewound(0, 4, 2, "seek", false);
  CHECK(b.witness.at_end());
  SECTION("records come") {
    b.topic.append(0, 1, 'k');
    CHECK_FALSE(b.witness.at_end());
  }
  SECTION("it hears of it") {
    b.witness.heard(0);
    CHECK_FALSE(b.witness.at_end());
  }
  SECTION("it rewinds itself, to elsewhere") {
    b.witness.rewound(0, 9, 3, "seek");
    CHECK_FALSE(b.witness.at_end());
  }
}
