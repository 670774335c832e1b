// expect: static assertion failed.*sluice: the source has no configuration
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
void use() {
#if ILLEGAL
  consumer c{sl::kafka_offsets{}};
#else
  consumer c{sl::kafka{.brokers = "b"}, sl::kafka_offsets{}};
#endif
  c.close();
}
