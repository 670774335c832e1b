// Two translation units that include everything, linked into one program: what is not inline would be defined twice,
// and an inline entity must be one and the same in both.
#include "everything.hpp"
//
#include "catch.hpp"
#include "two_units/b.hpp"

TEST_CASE("both units see one library") {
  auto const mine = same_in_all_units{&sluice::to_string, &typeid(sluice::batch), &sluice::no_limit};
  auto const others = seen_by_b();
  CHECK(mine.function == others.function);
  CHECK(*mine.type == *others.type);
  CHECK(mine.variable == others.variable);
}
