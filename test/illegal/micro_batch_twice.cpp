// expect: static assertion failed.*sluice: give micro_batch at most once
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::micro_batch, sl::micro_batch>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::micro_batch>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
