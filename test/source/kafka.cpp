#include <sluice/source/kafka.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
template <class Source>
std::string complaint(Source const& s) {
  try {
    (void)Source::open(s, sl::context{.group = s.group});
  } catch (sl::error const& e) {
    CHECK(e.code() == sl::errc::bad_configuration);
    return e.what();
  }
  return {};
}
using Catch::Matchers::ContainsSubstring;
}  // namespace

TEST_CASE("a source that can't read anything is refused, with the key") {
  CHECK_THAT(complaint(sl::kafka{.brokers = "b:1", .group = "g"}), ContainsSubstring("kafka.topics"));
  CHECK_THAT(complaint(sl::kafka{.brokers = "b:1", .group = "g", .topics = {"t"}, .pattern = "u.*"}),
             ContainsSubstring("kafka.pattern"));
  CHECK_THAT(complaint(sl::kafka{.brokers = "b:1", .group = "g", .topics = {"^t"}}), ContainsSubstring("pattern"));
  CHECK_THAT(complaint(sl::kafka{.brokers = "b:1", .group = "g", .pattern = "ord["}),
             ContainsSubstring("kafka.pattern \"ord[\"") && ContainsSubstring("regular expression"));
  CHECK_THAT(complaint(sl::kafka{.brokers = "b:1", .group = "g", .topics = {""}}), ContainsSubstring("empty name"));
  CHECK_THAT(complaint(sl::kafka{.brokers = "b:1", .group = "g", .topics = {"t"}, .timeout = {}}),
             ContainsSubstring(".timeout"));
  CHECK_THAT(complaint(sl::kafka_partitions{.brokers = "b:1"}), ContainsSubstring("kafka_partitions.partitions"));
}
