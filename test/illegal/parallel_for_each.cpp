// expect: static assertion failed.*sluice: parallel calls its handler with one partition's batch, and each
#include <sluice/sluice.hpp>

namespace sl = sluice;

inline auto use() {
#if ILLEGAL
  return sl::parallel<2>(sl::each([](sl::record) {}));
#else
  return sl::parallel<2>([](sl::batch const&) {});
#endif
}
