// expect: static assertion failed.*sluice: update_state_by_key takes
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

namespace sl = sluice;

void use(sl::stream_consumer<sl::transactional, sl::sqlite_offsets>& c, sl::keyed_state<std::string, int>& counts) {
#if ILLEGAL
  auto const change = [](std::string const&, sl::record, int&) {};
#else
  auto const change = [](std::string const&, std::span<sl::record const>, std::optional<int>&) {};
#endif
  c.step(sl::update_state_by_key(counts, [](sl::record r) { return r.key_text(); }, change));
}
