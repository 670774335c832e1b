// expect: static assertion failed.*sluice: retry calls the handler again
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_most_once, sl::kafka_offsets, sl::retry<>>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::retry<>>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
