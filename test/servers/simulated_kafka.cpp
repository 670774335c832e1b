// The Kafka of simulations is held to a real one: scripts of joins, revocations and commits run on both, and what clients see is the same.
#define SLUICE_SIMULATION_PROGRAM
#include "servers/two_kafkas.hpp"

using namespace two_kafkas;

TEST_CASE("members come, stall, are told so, leave, and get partitions that are added") {
  compare([](auto s) {
    s.world.produce(0, 6);
    s.world.produce(1, 4);
    auto a = s.joins();
    s.until([&] { return a.read[0].size() == 6 && a.read[1].size() == 4; }, {&a}, "the first member reads all");
    s.see("alone: " + s.told(a) + text(a.read[0]) + " and " + text(a.read[1]));
    s.see("ends: " + s.ends(a.client, 0) + ", " + s.ends(a.client, 1));
    s.see("committed before: " + s.committed(a.client, 0));
    s.see("commit: " + s.commit(a, 0, 3, a));
    s.see("a lower commit: " + s.commit(a, 0, 2, a));

    // The first is told to give up all, then each has one.
    auto b = s.joins();
    s.until([&] { return a.owned() == 1 && b.owned() == 1; }, {&a, &b}, "each has a partition");
    s.see("two: the first " + s.told(a) + "the second " + s.told(b));
    auto const of_b = b.queues.begin()->first;
    s.see("who owns another one commits: " + s.commit(a.client, of_b, 1));
    s.see("the owner commits: " + s.commit(b.client, of_b, 2));

    // The second does not poll: the group goes on without it, and takes nothing from it any more.
    s.world.stalls(1);
    s.until([&] { return a.owned() == 2; }, {&a}, "the first has both again");
    s.see("alone again: the first " + s.told(a));
    s.see("who was put out commits: " + s.commit(b, of_b, 4, a));
    s.until([&] { return a.owned() == 1 && b.owned() == 1; }, {&b, &a}, "it is a member again");
    s.see("who was put out hears: " + s.told(b));

    s.world.leaves(1);
    s.until([&] { return a.owned() == 2; }, {&a}, "the first has both once more");
    (void)s.told(a);

    s.world.grow(3);
    s.until([&] { return a.owned() == 3; }, {&a}, "it has the third partition");
    s.see("added: " + s.told(a));
  });
}

TEST_CASE(
    "commits of strangers, before a partition is given up, behind a join, and of a leader that has not shared out") {
  compare([](auto s) {
    auto h = s.by_hand();
    for (int const p : {0, 1}) s.see("a stranger commits to a group without members: " + s.commit(h, p, 1, h));
    s.world.is_led_silently();
    s.see("a leader that has not shared out: " + s.world.leader_commits(0, 2, 0) + ", with an older generation " +
          s.world.leader_commits(0, 2, -1) + ", with one that was not yet " + s.world.leader_commits(0, 2, 1));
    auto a = s.joins();
    s.until([&] { return a.owned() == 2; }, {&a}, "the leader's session ends");
    s.see("a stranger commits to a group with members: " + s.commit(h, 0, 3, h));
    auto b = s.joins();
    s.until([&] { return a.owned() == 1 && b.owned() == 1; }, {&a, &b}, "each has a partition");
    auto const of_a = a.queues.begin()->first, of_b = b.queues.begin()->first;
    (void)s.told(b);

    // A third one comes. The second gives up and joins again; the first has not heard.
    auto c = s.joins();
    s.until([&] { return b.owned() == 0; }, {&b, &c}, "the second gives up what it has");
    s.see("who is to give up, and has not, commits: " + s.commit(a, of_a, 7, h));
    b.client.positions().store_later(s.position(of_b, 8));
    std::string failed;
    for (int i = 0; i < 10; ++i) b.turn(), c.turn();
    s.see(std::string{"who waits for the next generation commits: "} +
          (b.client.positions().settled(failed) ? "an answer" : "no answer yet"));
    s.until([&] { return b.client.positions().settled(failed) && a.owned() + b.owned() + c.owned() == 2; },
            {&a, &b, &c}, "the generation is there");
    s.see(std::string{"then: "} + (failed.empty() ? "no error" : "an error") + ", then there is " +
          s.committed(h.client, of_b));
  });
}

TEST_CASE("a member that is not heard of for longer than its session is put out, and then told") {
  compare([](auto s) {
    auto a = s.joins();
    s.until([&] { return a.owned() == 2; }, {&a}, "the first member has both");
    follower b{s.world.join_from_afar(), s.world.topic()};
    s.until([&] { return a.owned() == 1 && b.owned() == 1; }, {&a, &b}, "each has one");
    s.settle({&a, &b});
    (void)s.told(a), (void)s.told(b);
    auto const of_b = b.queues.begin()->first;
    s.see("both: " + s.commit(b.client, of_b, 2));
    s.world.falls_silent(1);
    s.until([&] { return a.owned() == 2; }, {&a}, "the first has both again");
    s.see("the other one: " + s.told(a) + s.commit(a.client, of_b, 5));
    s.world.speaks(1);
    s.see("who was put out commits: " + s.commit(b, of_b, 3, a));
    s.until([&] { return a.owned() == 1 && b.owned() == 1; }, {&b, &a}, "it is a member again");
    s.see("and hears: " + s.told(b));

    // Nobody takes over: a commit of nobody's is taken again, and its own is not.
    auto h = s.by_hand();
    s.world.leaves(0);
    s.until([&] { return b.owned() == 2; }, {&b}, "the other one has both");
    (void)s.told(b);
    s.world.falls_silent(1);
    s.until([&] { return s.commit(h.client, 0, 9) == "applied"; }, {}, "the group has no members");
    s.world.speaks(1);
    s.see("alone, put out, commits: " + s.commit(b, 0, 1, h));
    s.until([&] { return b.news.size() >= 2; }, {&b}, "it is told");
    s.see("and hears: " + s.told(b));
  });
}

TEST_CASE("cooperative: what is to go to another member is given up, and nothing else") {
  compare(
      [](auto s) {
        s.world.grow(4);
        for (int p = 0; p < 4; ++p) s.world.produce(p, 2);
        auto a = s.joins();
        s.until([&] { return a.read.size() == 4; }, {&a}, "the first reads all");
        s.see("alone: " + s.told(a));
        auto b = s.joins();
        s.until([&] { return a.owned() == 2 && b.owned() == 2; }, {&a, &b}, "each has two");
        s.settle({&a, &b});
        s.see("two: the first " + s.told(a) + "the second " + s.told(b));
        auto const kept = a.queues.begin()->first;
        s.world.produce(kept, 1);
        s.until([&] { return a.read[kept].size() == 3; }, {&a, &b}, "it reads on");
        s.see("what was kept is read on: " + text(a.read[kept]));
        s.world.leaves(1);
        s.until([&] { return a.owned() == 4; }, {&a}, "the first has all again");
        s.settle({&a});
        s.see("alone again: " + s.told(a));
      },
      true);
}
