#include <sluice/source/live_source.hpp>

#include "source/started_receiver.hpp"

TEST_CASE("store waits while the buffer is full, and is refused when the consumer closes") {
  auto const r = std::make_shared<flood>();
  std::ostringstream told;
  {
    auto c = start(r, told, 10'000);
    for (auto before = r->stored.load(); before == 0 || r->stored != before; std::this_thread::sleep_for(20ms))
      before = r->stored;
    CHECK(r->stored < 11);
    noted seen;
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() > 100; }));
  }
  CHECK(r->refused);
}
