// expect: static assertion failed.*sluice: with transactional a dead letter is part of the transaction, so dead_letter_file goes with file_offsets and checkpoint only
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::transactional, sl::kafka_offsets, sl::dead_letter_file>;
#else
using consumer = sl::stream_consumer<sl::transactional, sl::file_offsets, sl::dead_letter_file>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&, consumer::transaction&) {});
  (void)c.positions();
}
