#include <sluice/testing/simulation/replay.hpp>

#include "catch.hpp"

namespace st = sluice::testing;

TEST_CASE("what a story prints of a schedule is read again") {
  char const* const words[] = {"program", "--seed",    "7", "--processes",   "3",        "--partitions",
                               "4",       "--records", "5", "--cooperative", "--faults", "0:1:late:20,-1:2:outage:3"};
  auto const s = st::replayed(12, words);
  REQUIRE(s);
  CHECK(s->replay);
  CHECK(s->seed == 7);
  CHECK(s->processes == 3);
  CHECK(s->partitions == 4);
  CHECK(s->records == 5);
  CHECK(s->cooperative);
  CHECK(s->decisions == std::vector<st::decision>{{0, 1, st::fault::late, 20}, {-1, 2, st::fault::outage, 3}});
}

TEST_CASE("other words are no schedule") {
  auto const read = [](std::vector<char const*> words) {
    return st::replayed(static_cast<int>(words.size()), words.data(), 0);
  };
  CHECK(read({}));
  CHECK_FALSE(read({})->cooperative);
  CHECK(read({"--cooperative"})->cooperative);
  CHECK_FALSE(read({"--seed"}));
  CHECK_FALSE(read({"--seed", ""}));
  CHECK_FALSE(read({"--seed", "7x"}));
  CHECK_FALSE(read({"--sede", "7"}));
  CHECK_FALSE(read({"--faults", "0:1:lat:20"}));
}
