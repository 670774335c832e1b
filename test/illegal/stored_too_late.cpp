// expect: static assertion failed.*sluice: at_most_once stores before it handles, periodic_kafka_offsets only stores what was handled
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_most_once, sl::periodic_kafka_offsets>;
#else
using consumer = sl::stream_consumer<sl::at_most_once, sl::kafka_offsets>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
