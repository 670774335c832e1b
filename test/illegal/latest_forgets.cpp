// expect: static assertion failed.*sluice: no_offsets<from::latest> forgets where it was
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_partitions, sl::no_offsets<sl::from::latest>>;
#else
using consumer = sl::stream_consumer<sl::at_most_once, sl::kafka_partitions, sl::no_offsets<sl::from::latest>>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
