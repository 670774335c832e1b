// expect: static assertion failed.*sluice: parallel calls its handler on several threads, and a transaction is one connection
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::transactional, sl::file_offsets>;
using copier = sl::stream_consumer<sl::at_least_once, sl::file_offsets>;
void use([[maybe_unused]] consumer& c, [[maybe_unused]] copier& d) {
#if ILLEGAL
  c.step(sl::parallel<2>([](sl::batch const&) {}));
#else
  d.step(sl::parallel<2>([](sl::batch const&) {}));
#endif
}
