/// \file thrown.hpp  What a call throws, as a value; and that no password is in its text: those of tests have `canary` in them.
#pragma once
#include <sluice/error.hpp>

#include <optional>
#include <string>

#include "catch.hpp"

namespace sl = sluice;
using Catch::Matchers::ContainsSubstring;

/// The error that `what` throws: its code and its text.
struct thrown {
  std::optional<sl::errc> code{};
  std::string text{};
  bool of_store = false;
};
/// No text of an error holds a password.
template <class F>
thrown error_of(F what) {
  thrown t;
  try {
    what();
  } catch (sl::store_error const& e) { t = {e.code(), e.what(), true}; } catch (sl::error const& e) {
    t = {e.code(), e.what(), false};
  }
  CHECK_THAT(t.text, !ContainsSubstring("canary"));
  return t;
}
