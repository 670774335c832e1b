// expect: static assertion failed.*sluice: a handler returns void
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::transactional, sl::file_offsets>;
void use(consumer& c) {
#if ILLEGAL
  c.step([](sl::batch const&, consumer::transaction&) { return true; });
#else
  c.step([](sl::batch const&, consumer::transaction&) {});
#endif
}
