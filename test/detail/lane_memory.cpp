#include <sluice/detail/lane_memory.hpp>

#include <map>

#include "catch.hpp"
#include "counted_new.hpp"
#include "rate_limit/lanes.hpp"
#include "seed.hpp"

using namespace lanes;

namespace {
using memory = sl::detail::lane_memory<int>;
void align(memory& m, set const& lanes, int fresh = 0) {
  m.align(lanes.loads, [=] { return fresh; }, [](int state) { return state != 0; });
}
}  // namespace

TEST_CASE("lanes come and go; each partition keeps what is worth keeping") {
  std::mt19937 random(seed());
  memory m;
  std::map<std::int32_t, int> model;
  for (int step = 1; step < 2000; ++step) {
    set lanes;
    std::vector<std::int32_t> ours{0, 1, 2, 3, 4, 5};
    std::shuffle(ours.begin(), ours.end(), random);
    ours.resize(random() % 7);
    for (auto const p : ours) lanes.add(p, random() % 3);
    align(m, lanes);
    REQUIRE(m.remembered() <= 6);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      REQUIRE(m[i] == model[ours[i]]);
      REQUIRE(m.find(lanes.loads[i]) == &m[i]);
      m[i] = model[ours[i]] = random() % 2 ? step : 0;
    }
  }
  set six;
  for (int p = 0; p < 6; ++p) six.add(p, 9);
  align(m, six);
  for (int p = 0; p < 6; ++p) CHECK(m[static_cast<std::size_t>(p)] == model[p]);
}

TEST_CASE("a state like a fresh one is forgotten with its lane") {
  memory m;
  align(m, set({1, 2, 3}), 5);
  CHECK(m.remembered() == 3);
  m[1] = 0;
  align(m, set(), 5);
  CHECK(m.remembered() == 2);
  align(m, set({1, 2, 3}), 6);
  CHECK((m[0] == 5 && m[1] == 6 && m[2] == 5));
}

TEST_CASE("one that no load announced is added") {
  memory m;
  set const three({1, 2, 3});
  CHECK(m.find(three.loads[2]) == nullptr);
  m.add(three.loads[2], 7);
  CHECK(*m.find(three.loads[2]) == 7);
  align(m, three);
  CHECK(m[2] == 7);
}

TEST_CASE("while the lanes stay, nothing is allocated") {
  memory m;
  set const lanes(std::vector<std::optional<std::int64_t>>(1000, 1));
  align(m, lanes);
  auto const before = allocations.load();
  for (int i = 0; i < 10; ++i) align(m, lanes);
  for (auto const& l : lanes.loads) m.find(l);
  CHECK(allocations == before);
}
