#include <sluice/source/read_until.hpp>

#include "catch.hpp"

namespace sl = sluice;
using sl::offset;
using sl::read_until;

TEST_CASE("an end for each partition") {
  sl::topic_partition const p0{"t", 0}, p1{"t", 1};
  auto const far = std::numeric_limits<std::int64_t>::max();
  CHECK(read_until{}.in(p0, offset{7}).value() == far);
  CHECK(read_until::end().in(p0, offset{7}) == offset{7});
  CHECK(read_until::offset(offset{3}).in(p1, offset{7}) == offset{3});
  CHECK(read_until::time(std::chrono::system_clock::now()).in(p1, offset{7}).value() == far);
  auto const each = read_until::each({{p1, offset{5}}});
  CHECK(each.in(p1, offset{7}) == offset{5});
  CHECK(each.in(p0, offset{7}) == offset{0});
}
