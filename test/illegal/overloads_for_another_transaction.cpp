// expect: static assertion failed.*sluice: a transactional handler is void.batch const&, transaction&.
#include <sluice/sluice.hpp>

namespace sl = sluice;

template <class Transaction>
struct overloaded {
  void operator()(sl::batch const&) {}
  void operator()(sl::batch const&, Transaction&) {}
};

using consumer = sl::stream_consumer<sl::transactional, sl::file_offsets>;
void use(consumer& c) {
#if ILLEGAL
  c.step(overloaded<int>{});
#else
  c.step(overloaded<consumer::transaction>{});
#endif
}
