// expect: static assertion failed.*sluice: a handler returns void
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
void use(consumer& c) {
#if ILLEGAL
  c.step([](sl::batch const&) { return 3; });
#else
  c.step([](sl::batch const&) {});
#endif
}
