// expect: static assertion failed.*sluice: transactional needs a store that commits offsets with the results
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::transactional, sl::periodic_kafka_offsets>;
#else
using consumer = sl::stream_consumer<sl::transactional, sl::file_offsets>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&, consumer::transaction&) {});
  (void)c.positions();
}
