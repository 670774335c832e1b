// expect: static assertion failed.*sluice: this consumer's store can't hold state
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

namespace sl = sluice;

#if ILLEGAL
using store = sl::file_offsets;
#else
using store = sl::sqlite_offsets;
#endif
void use(sl::stream_consumer<sl::transactional, store>& c, sl::keyed_state<std::string, int>& counts) {
  c.step(sl::update_state_by_key(counts, [](sl::record r) { return r.key_text(); }, [](auto const&, auto&) {}));
}
