// expect: deleted
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
void use(consumer& c) {
#if ILLEGAL
  consumer d{c};
#else
  consumer& d{c};
#endif
  d.close();
}
