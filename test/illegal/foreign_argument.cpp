// expect: static assertion failed.*sluice: the constructor takes configuration objects only
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
void use() {
#if ILLEGAL
  consumer c{sl::kafka{.brokers = "b"}, sl::pid_backpressure{}};
#else
  consumer c{sl::kafka{.brokers = "b"}};
#endif
  c.close();
}
