// expect: static assertion failed.*sluice: this consumer's store can't hold state
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>
#include <sluice/window/over_event_time.hpp>

namespace sl = sluice;

#if ILLEGAL
using store = sl::kafka_offsets;
#else
using store = sl::sqlite_offsets;
#endif
void use(sl::stream_consumer<sl::transactional, store>& c) {
  c.step(sl::reduce_by_key_and_event_window(
      {.name = "w"}, [](sl::record r) { return r.timestamp(); }, [](sl::record r) { return r.key_text(); },
      [](sl::record) { return 1; }, std::plus<>{}, [](auto const&, auto const&, int) {}));
}
