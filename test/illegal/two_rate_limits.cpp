// expect: static assertion failed.*sluice: name at most one rate limit
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::unlimited, sl::pid_backpressure>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::pid_backpressure>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
