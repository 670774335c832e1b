// expect: static assertion failed.*sluice: state and windows are one with the offsets, so they need transactional
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>
#include <sluice/window/over_event_time.hpp>

namespace sl = sluice;

#if ILLEGAL
using delivery = sl::at_most_once;
#else
using delivery = sl::transactional;
#endif
void use(sl::stream_consumer<delivery, sl::sqlite_offsets>& c) {
  c.step(sl::count_by_window({.name = "n"}, [](sl::window_span const&, std::int64_t) {}));
}
