// expect: static assertion failed.*sluice: the offset store has no configuration
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::file_offsets>;
void use() {
#if ILLEGAL
  consumer c{sl::kafka{.brokers = "b"}};
#else
  consumer c{sl::kafka{.brokers = "b"}, sl::file_offsets{.directory = "d"}};
#endif
  c.close();
}
