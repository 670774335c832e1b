// expect: static assertion failed.*sluice: this consumer's store can't hold state
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

namespace sl = sluice;

#if ILLEGAL
using consumer = sl::stream_consumer<sl::transactional, sl::kafka_offsets>;
#else
using consumer = sl::stream_consumer<sl::transactional, sl::sqlite_offsets>;
#endif
void use(consumer& c, sl::keyed_state<std::string, int>& counts) {
  c.step([&](sl::batch const& b, consumer::transaction& tx) {
    counts.update(b, tx, [](sl::record r) { return r.key_text(); }, [](auto const&, auto&) {});
  });
}
