// expect: static assertion failed.*sluice: a rate limit, on_failure policy or observer of this consumer has no configuration
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::max_rate_per_partition>;
void use() {
#if ILLEGAL
  consumer c{sl::kafka{.brokers = "b"}};
#else
  consumer c{sl::kafka{.brokers = "b"}, sl::max_rate_per_partition{.records_per_second = 1}};
#endif
  c.close();
}
