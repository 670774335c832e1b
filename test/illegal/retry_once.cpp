// expect: static assertion failed.*sluice: retry<Then> ends in stop, skip or a dead letter
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::retry<sl::retry<>>>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::retry<>>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
