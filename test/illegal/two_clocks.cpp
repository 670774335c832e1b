// expect: static assertion failed.*sluice: name at most one clock
#include <sluice/sluice.hpp>

namespace sl = sluice;

struct stopped {
  using slot = sl::clock_slot;
  struct runtime {
    sl::time_point now() { return {}; }
    sl::wall_time wall() { return {}; }
  };
  static runtime open(stopped const&, sl::context const&) { return {}; }
};

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, sl::system_clock, stopped>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets, stopped>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
