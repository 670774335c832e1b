// expect: static assertion failed.*sluice: dead_letter_table is a table in the offset store's database
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::dead_letter_table>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, sl::dead_letter_table>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
