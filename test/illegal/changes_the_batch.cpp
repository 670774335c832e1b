// expect: static assertion failed.*sluice: this delivery's handler is void.batch const&.
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
void use(consumer& c) {
#if ILLEGAL
  c.step([](sl::batch&) {});
#else
  c.step([](sl::batch const&) {});
#endif
}
