/// \file sanitized.hpp  What other libraries do that the address sanitizer would stop a test for.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_TEST_ASAN 1
#endif
#endif

#ifdef SLUICE_TEST_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace sanitized {

#ifdef SLUICE_TEST_ASAN
inline constexpr bool addresses = true;
/// What is allocated while it lives is no leak of ours.
class leaks_of_others {
 public:
  leaks_of_others() { __lsan_disable(); }
  ~leaks_of_others() { __lsan_enable(); }
};
#else
inline constexpr bool addresses = false;
struct leaks_of_others {
  leaks_of_others() {}
};
#endif

}  // namespace sanitized
