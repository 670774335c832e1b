// expect: static assertion failed.*sluice: name at most one observer
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::log_to, sl::no_observer>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::log_to>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
