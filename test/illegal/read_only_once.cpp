// expect: static assertion failed.*sluice: this source can't be read again
#include <sluice/sluice.hpp>
#include <sluice/source/socket.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::file_offsets, sl::socket_source>;
#else
using consumer = sl::stream_consumer<sl::at_most_once, sl::file_offsets, sl::socket_source>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
