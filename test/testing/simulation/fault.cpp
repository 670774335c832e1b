#include <sluice/testing/simulation/fault.hpp>

#include "catch.hpp"

using namespace sluice::testing;

TEST_CASE("decisions are written down and read again") {
  std::vector<decision> const all{{0, 17, fault::crash_after, 2'500'000}, {-1, 3, fault::store_down, 1}};
  CHECK(to_string(all) == "0:17:crash_after:2500000,-1:3:store_down:1");
  std::vector<decision> again;
  CHECK(read(to_string(all), again));
  CHECK(again == all);
  for (auto const* wrong : {"0:1:crash_after", "0:1:none:1", "0:1:quake:1", "x:1:late:1", "0:1:late:1,", "0::late:1"}) {
    INFO(wrong);
    again.clear();
    CHECK_FALSE((read(wrong, again) && again.size() == 1 && std::string{wrong}.back() != ','));
  }
}

TEST_CASE("every fault can happen somewhere, and has a name") {
  fault_set all = 0;
  for (std::size_t c = 0; c < calls; ++c) all |= faults_of(static_cast<call>(c));
  for (std::size_t f = 1; f < faults; ++f) {
    INFO(fault_names[f]);
    CHECK(has(all, static_cast<fault>(f)));
  }
}
