// expect: static assertion failed.*sluice: key_of gives what the state's Key can't be made of
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

namespace sl = sluice;

#if ILLEGAL
using key = int;
#else
using key = std::string;
#endif
void use(sl::keyed_state<key, int>& counts, sl::batch const& b, sl::sqlite_transaction& tx) {
  counts.update(b, tx, [](sl::record r) { return r.key_text(); }, [](auto const&, auto&) {});
}
