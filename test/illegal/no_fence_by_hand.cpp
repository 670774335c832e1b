// expect: static assertion failed.*sluice: kafka_offsets is fenced by the group's membership
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_most_once, sl::kafka_offsets, sl::kafka_partitions>;
#else
using consumer = sl::stream_consumer<sl::at_most_once, sl::kafka_offsets, sl::kafka>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
