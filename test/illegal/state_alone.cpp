// expect: static assertion failed.*sluice: state and windows are one with the offsets, so they need transactional
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

namespace sl = sluice;

#if ILLEGAL
using delivery = sl::at_least_once;
#else
using delivery = sl::transactional;
#endif
void use(sl::stream_consumer<delivery, sl::sqlite_offsets>& c, sl::keyed_state<std::string, int>& counts) {
  c.step(sl::update_state_by_key(counts, [](sl::record r) { return r.key_text(); }, [](auto const&, auto&) {}));
}
