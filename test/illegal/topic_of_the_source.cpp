// expect: static assertion failed.*sluice: dead_letter_topic is on the source's brokers
#include <sluice/sluice.hpp>
#include <sluice/source/constant.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::file_offsets, sl::constant_source, sl::dead_letter_topic>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::file_offsets, sl::constant_source, sl::dead_letter_file>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
