#include <sluice/delivery/idempotent.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

namespace {
/// Keeps what it knows by position, as a shipped output does.
struct by_position {
  using idempotent_output = void;
  std::map<effect, std::string>& table;
  int* calls;
  void operator()(sl::batch const& b) const {
    ++*calls;
    for (auto const& r : b) table.emplace(place_of(r), r.text());
  }
};
}  // namespace

static_assert(sl::idempotent_output<by_position>);
static_assert(sl::idempotent_output<sl::assume_idempotent<int>>);
static_assert(!sl::idempotent_output<decltype([](sl::batch const&) {})>);

TEST_CASE(
    "idempotent: handled, then stored; repeated where the store's answer was lost; each record once in the output") {
  outside o;
  o.world.produce(p0, 4);
  std::map<effect, std::string> table;
  int calls = 0;
  auto c = o.start<sl::idempotent>();
  o.world.assign({p0});
  o.disk.advances = {{act::lose}};
  o.disk.settles = {{act::lose}};
  by_position const out{table, &calls};
  steps(c, out, 5);
  CHECK(calls == 2);
  CHECK(table.size() == 4);
  CHECK(o.disk.next(p0) == 4);
}

TEST_CASE("idempotent: whoever answers for a function may pass it") {
  outside o;
  o.world.produce(p0, 2);
  int records = 0;
  auto c = o.start<sl::idempotent>();
  o.world.assign({p0});
  c.step(sl::assume_idempotent([&](sl::batch const& b) { records += static_cast<int>(b.size()); }));
  CHECK(records == 2);
}
