#include <sluice/delivery/concept.hpp>

#include <string>

#include <sluice/delivery/at_least_once.hpp>
#include <sluice/delivery/at_most_once.hpp>
#include <sluice/delivery/idempotent.hpp>
#include <sluice/delivery/transactional.hpp>
#include "catch.hpp"

namespace sl = sluice;

namespace {

/// Writes down what it is asked for, and answers as it is told.
struct written_turn {
  std::string steps{};
  bool handles = true, advances = true, begins = true, commits = true;
  int reruns = 0;

  bool handle() { return steps += "h", handles; }
  bool advance() { return steps += "a", advances; }
  bool begin() { return steps += "b", begins; }
  bool commit() { return steps += "c", commits; }
  bool runs_again() { return reruns > 0 && reruns-- > 0; }
};
static_assert(sl::turn<written_turn>);
static_assert(!sl::turn<int>);
static_assert(sl::delivery<sl::at_most_once> && sl::delivery<sl::at_least_once> && sl::delivery<sl::idempotent> &&
              sl::delivery<sl::transactional>);
static_assert(!sl::delivery<int>);

template <class Delivery>
std::string steps_of(written_turn t) {
  Delivery::deliver(t);
  return t.steps;
}

}  // namespace

TEST_CASE("each delivery is its line of the table") {
  CHECK(steps_of<sl::at_most_once>({}) == "ah");
  CHECK(steps_of<sl::at_least_once>({}) == "ha");
  CHECK(steps_of<sl::idempotent>({}) == "ha");
  CHECK(steps_of<sl::transactional>({}) == "bhc");
}

TEST_CASE("a step that says no ends the batch until the next one") {
  CHECK(steps_of<sl::at_most_once>({.advances = false}) == "a");
  CHECK(steps_of<sl::at_least_once>({.handles = false}) == "h");
  CHECK(steps_of<sl::idempotent>({.handles = false}) == "h");
  CHECK(steps_of<sl::transactional>({.handles = false}) == "bh");
  CHECK(steps_of<sl::transactional>({.begins = false}) == "b");
}

TEST_CASE("a transaction that was rolled back runs again") {
  CHECK(steps_of<sl::transactional>({.commits = false, .reruns = 2}) == "bhcbhcbhc");
}
