// expect: static assertion failed.*sluice: a transactional handler is void.batch const&, transaction&.
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::transactional, sl::file_offsets>;
void use(consumer& c) {
#if ILLEGAL
  c.step([](sl::batch const&, sl::kafka_transaction&) {});
#else
  c.step([](sl::batch const&, consumer::transaction&) {});
#endif
}
