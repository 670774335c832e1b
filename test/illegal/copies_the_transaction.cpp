// expect: static assertion failed.*sluice: this handler can't be called with what its delivery gives it
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::transactional, sl::file_offsets>;
void use(consumer& c) {
#if ILLEGAL
  c.step([](auto const&, auto) {});
#else
  c.step([](auto const&, auto&) {});
#endif
}
