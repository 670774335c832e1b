// expect: static assertion failed.*sluice: name exactly one offset store
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
