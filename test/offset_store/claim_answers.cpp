#include <sluice/offset_store/claim_answers.hpp>

#include "catch.hpp"

namespace sl = sluice;

TEST_CASE("answers that are all alike name each partition, in order") {
  std::vector<sl::topic_partition> const set{{"b", 1}, {"a", 0}};
  auto const answers = sl::detail::all_alike(set, sl::claimed::busy, "locked");
  REQUIRE(answers.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(answers[i].of == set[i]);
    CHECK(answers[i].what == sl::claimed::busy);
    CHECK(answers[i].why == "locked");
  }
  CHECK(sl::detail::all_alike({}).empty());
}

TEST_CASE("the partitions of rewinds come in their order") {
  std::vector<sl::topic_partition> const set{{"b", 1}, {"a", 0}};
  CHECK(sl::detail::partitions_of({{set[0], {}, {}, "seek"}, {set[1], {}, {}, "seek"}}) == set);
  CHECK(sl::detail::claimed_by_another(set[0]).starts_with("b/1"));
}
