// expect: static assertion failed.*sluice: kafka_offsets and periodic_kafka_offsets keep offsets in a group of Kafka's
#include <sluice/sluice.hpp>
#include <sluice/source/constant.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::constant_source>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::file_offsets, sl::constant_source>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
