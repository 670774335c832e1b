/// \file webhdfs_opening.hpp  What webhdfs_offsets says when it is opened.
#pragma once
#include "thrown.hpp"
#include "webhdfs_support.hpp"

inline thrown opening(sl::webhdfs_offsets const& p) {
  return error_of([&] { auto const s = sl::webhdfs_offsets::open(p, sl::context{}); });
}
inline void refused(sl::webhdfs_offsets const& p, sl::errc code, std::string const& part) {
  auto const e = opening(p);
  INFO(e.text);
  CHECK(e.code == code);
  CHECK_THAT(e.text, ContainsSubstring("webhdfs_offsets") && ContainsSubstring(part));
}
