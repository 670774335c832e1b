// expect: static assertion failed.*sluice: run's first argument says when to stop
#include <sluice/sluice.hpp>

namespace sl = sluice;

using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
void use(consumer& c) {
#if ILLEGAL
  bool const stop = false;
#else
  std::stop_token const stop;
#endif
  c.run(stop, [](sl::batch const&) {});
}
