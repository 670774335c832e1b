// expect: static assertion failed.*sluice: one policy is configured twice
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
void use() {
#if ILLEGAL
  consumer c{sl::kafka{.brokers = "b"}, sl::kafka{.brokers = "b"}};
#else
  consumer c{sl::kafka{.brokers = "b"}};
#endif
  c.close();
}
