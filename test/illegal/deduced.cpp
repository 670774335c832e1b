// expect: static assertion failed.*sluice: no_offsets<from::latest> forgets where it was
#include <sluice/sluice.hpp>

namespace sl = sluice;

void use() {
#if ILLEGAL
  sl::stream_consumer c{sl::at_least_once{}, sl::kafka{.brokers = "b"}, sl::no_offsets<sl::from::latest>{}};
#else
  sl::stream_consumer c{sl::at_most_once{}, sl::kafka{.brokers = "b"}, sl::kafka_offsets{}};
#endif
  c.step([](sl::batch const&) {});
}
