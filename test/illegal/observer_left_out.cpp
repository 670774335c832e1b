// expect: static assertion failed.*sluice: a rate limit, on_failure policy or observer of this consumer has no configuration
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::log_to>;
void use() {
#if ILLEGAL
  consumer c{sl::kafka{.brokers = "b"}};
#else
  consumer c{sl::kafka{.brokers = "b"}, sl::log_to{}};
#endif
  c.close();
}
