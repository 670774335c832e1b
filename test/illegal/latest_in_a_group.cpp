// expect: static assertion failed.*sluice: no_offsets<from::latest> has no fence
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, sl::kafka>;
#else
using consumer = sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, sl::kafka_partitions>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
