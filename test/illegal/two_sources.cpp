// expect: static assertion failed.*sluice: name at most one source
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::kafka, sl::kafka_partitions>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::kafka_partitions>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
