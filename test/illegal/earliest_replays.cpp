// expect: static assertion failed.*sluice: no_offsets<from::earliest> replays everything
#include <sluice/sluice.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::earliest>>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::no_offsets<sl::from::earliest>>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
