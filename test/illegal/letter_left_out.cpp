// expect: static assertion failed.*sluice: a rate limit, on_failure policy or observer of this consumer has no configuration
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::dead_letter_topic>;
void use() {
#if ILLEGAL
  consumer c{sl::kafka{.brokers = "b"}};
#else
  consumer c{sl::kafka{.brokers = "b"}, sl::dead_letter_topic{.topic = "t"}};
#endif
  c.close();
}
