// The logs of simulations are held to those of a real Kafka: retention, aborts, compaction, a topic that is made again.
#define SLUICE_SIMULATION_PROGRAM
#include "servers/two_kafkas.hpp"

using namespace two_kafkas;

TEST_CASE("logs under readers: retention, ends, aborts, compaction, deleted and made again") {
  compare([](auto s) {
    s.world.produce(0, 6);
    s.world.produce(1, 4);
    s.world.grow(3);

    auto h = s.by_hand();
    s.world.delete_below(0, 4);
    s.see("after retention: " + s.ends(h.client, 0));
    h.read_from(0, 2);
    s.until([&] { return h.outside; }, {&h}, "an offset below the log is told");
    h.read_from(0, 4);
    s.until([&] { return h.read[0].size() == 2; }, {&h}, "the rest is read");
    s.see("from the first that is left: " + text(h.read[0]));
    h.read_from(0, 9);
    s.until([&] { return h.outside; }, {&h}, "an offset behind the log is told");
    // Twice: the first time what was said of the offset before may come late.
    for (int round = 0; round < 2; ++round) {
      h.read_from(0, 6);
      for (int i = 0; i < 20; ++i) h.turn();
    }
    s.see(std::string{"at the end: "} + (h.outside ? "outside" : "nothing comes"));

    // Aborted records are not seen; they and the marker take offsets.
    s.world.abort(1, 3);
    s.until([&] { return s.ends(h.client, 1) == "0 to 8"; }, {&h}, "the abort's marker is there");
    s.world.produce(1, 2);
    h.read_from(1, 0);
    s.until([&] { return h.read[1].size() == 6; }, {&h}, "what was not aborted is read");
    s.see("with aborted ones: " + text(h.read[1]) + ", ends " + s.ends(h.client, 1));
    s.world.abort(1, 1);
    s.until([&] { return s.ends(h.client, 1) == "0 to 12"; }, {&h}, "the marker moves the end");
    h.read_from(1, 9);
    s.until([&] { return h.read[1].size() == 1; }, {&h}, "the last one is read");

    // A position amid what was compacted away is no error: what comes next, comes.
    s.world.compact(2);
    auto c = s.by_hand();
    auto const last = c.client.ends({{s.world.topic(), 2}}, in(10s)).at(0).high.value() - 1;
    c.read_from(2, 0);
    s.until([&] { return !c.read[2].empty() && c.read[2].back() == last; }, {&c}, "the compacted log is read");
    s.see(std::string{"compacted: the first record "} + (c.read[2].front() > 0 ? "is gone" : "is there") +
          ", the log begins at " + std::to_string(c.client.ends({{s.world.topic(), 2}}, in(10s)).at(0).low.value()) +
          (std::is_sorted(c.read[2].begin(), c.read[2].end()) ? ", in order" : ", in disorder") +
          (c.outside ? ", outside" : ""));

    // Deleted and created again: offsets begin anew.
    s.world.recreate();
    s.world.produce(0, 3);
    auto n = s.by_hand();
    s.see("created again: ends " + s.ends(n.client, 0));
    n.read_from(0, 6);
    s.until([&] { return n.outside; }, {&n}, "an offset of the log before is told");
    n.read_from(0, 0);
    s.until([&] { return n.read[0].size() == 3; }, {&n}, "it is read");
    s.see("and what it holds: " + text(n.read[0]));
  });
}

TEST_CASE("a log is cut off below its readers by a leader that lacks records, and grows again") {
  real_kafka three{.nodes = 3};
  compare(
      [](auto s) {
        s.world.produce(0, 4);
        s.world.produce_at_its_leader(0, 3);
        auto h = s.by_hand();
        h.read_from(0, 0);
        s.until([&] { return h.read[0].size() == 7; }, {&h}, "all is read");
        s.see("before: " + text(h.read[0]) + ", ends " + s.ends(h.client, 0));
        auto const before = h.values[0];
        s.world.lose_leader(0);
        s.until([&] { return h.outside; }, {&h}, "its reader, who stands behind the log, is told");
        // What the follower had asked for before it stood still, the first one, may have come to it.
        auto const cut = h.client.ends({{s.world.topic(), 0}}, in(10s)).at(0).high.value();
        s.see(cut == 4 || cut == 5 ? "cut off behind what both had" : "cut off at " + std::to_string(cut));
        h.read_from(0, cut);
        for (int i = 0; i < 20; ++i) h.turn();
        s.see("at its end: " + text(h.read[0]) + (h.outside ? "outside" : "nothing comes"));

        s.world.produce(0, static_cast<int>(9 - cut));
        auto n = s.by_hand();
        n.read_from(0, 7);
        s.until([&] { return n.read[0].size() == 2; }, {&n}, "who stood behind the log reads on");
        s.see("grown again, from where the reader stood: " + text(n.read[0]) + (n.outside ? ", outside" : "") +
              ", ends " + s.ends(n.client, 0));
        n.read_from(0, 0);
        s.until([&] { return n.read[0].size() == 9; }, {&n}, "all is read again");
        std::string same;
        for (auto const& [at, value] : before)
          if (at != 4) same += n.values[0][at] == value ? " the same" : " another";
        s.see("what stands where it was read:" + same);
      },
      false, three);
}
