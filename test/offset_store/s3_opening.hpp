/// \file s3_opening.hpp  What s3_offsets says when it is opened.
#pragma once
#include "s3_support.hpp"
#include "thrown.hpp"

inline void refused(sl::s3_offsets const& p, sl::errc code, std::string const& part) {
  auto const e = error_of([&] { auto const s = sl::s3_offsets::open(p, sl::context{}); });
  INFO(e.text);
  CHECK(e.code == code);
  CHECK_THAT(e.text, ContainsSubstring("s3_offsets") && ContainsSubstring(part));
}

inline void opens(sl::s3_offsets const& p) {
  auto const e = error_of([&] { auto const s = sl::s3_offsets::open(p, sl::context{}); });
  CHECK(e.text == "");
}
