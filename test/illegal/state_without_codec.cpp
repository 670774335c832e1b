// expect: static assertion failed.*sluice: a state's key or value has no codec
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

namespace sl = sluice;

struct visit {
  int count = 0;
};
#if ILLEGAL
using kept = visit;
#else
using kept = int;
#endif
void use(sl::keyed_state<std::string, kept>& visits, sl::batch const& b, sl::sqlite_transaction& tx) {
  visits.update(b, tx, [](sl::record r) { return r.key_text(); }, [](auto const&, auto&) {});
}
