// expect: static assertion failed.*sluice: write_ahead_log discards what is stored
#include <sluice/sluice.hpp>
#include <sluice/source/queue.hpp>
#include <sluice/source/write_ahead_log.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer =
    sl::stream_consumer<sl::at_least_once, sl::no_offsets<sl::from::earliest>, sl::write_ahead_log<sl::queue_source>>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::file_offsets, sl::write_ahead_log<sl::queue_source>>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
