// expect: static assertion failed.*sluice: this store may lose an offset
#include <sluice/sluice.hpp>

namespace sl = sluice;

/// A store of somebody else's, that says of itself what it can't promise.
struct lossy {
  using slot = sl::offset_store_slot;
  static constexpr bool may_lose_offsets = true;
  using runtime = sl::no_offsets<sl::from::earliest>::runtime;
  static runtime open(lossy const&, sl::context const&) { return {}; }
};

#if ILLEGAL
using consumer = sl::stream_consumer<sl::at_most_once, lossy>;
#else
using consumer = sl::stream_consumer<sl::at_least_once, lossy>;
#endif
void use(consumer& c) {
  c.step([](sl::batch const&) {});
  (void)c.positions();
}
