// expect: static assertion failed.*sluice: skip needs a store that records what was skipped
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::skip>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::file_offsets, sl::skip>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
