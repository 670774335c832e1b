// expect: static assertion failed.*sluice: idempotent takes an output that repetition can't harm
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::idempotent, sl::kafka_offsets>;
void use(consumer& c) {
#if ILLEGAL
  c.step([](sl::batch const&) {});
#else
  c.step(sl::assume_idempotent([](sl::batch const&) {}));
#endif
}
