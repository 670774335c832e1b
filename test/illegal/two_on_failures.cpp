// expect: static assertion failed.*sluice: name at most one on_failure policy
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::retry<>, sl::dead_letter_topic>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::retry<sl::dead_letter_topic>>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
