/// \file catch.hpp  Catch2, whichever version there is, under the names of version 3.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
namespace Catch::Matchers {
inline auto ContainsSubstring(std::string const& part) { return Contains(part); }
}  // namespace Catch::Matchers
#endif
