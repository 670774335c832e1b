// expect: static assertion failed.*sluice: shed_load drops records
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::shed_load>;
#else
using consumer = sl::stream_consumer<sl::at_most_once, sl::kafka_offsets, sl::shed_load>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
