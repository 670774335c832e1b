/// \file thrown.hpp  What a call throws: the error's code and its text.
#pragma once
#include <sluice/error.hpp>

#include <optional>
#include <string>

#include "catch.hpp"

namespace sl = sluice;
using Catch::Matchers::ContainsSubstring;

struct thrown {
  std::optional<sl::errc> code{};
  std::string text{};
  bool of_store = false;
};

/// The error that `what` throws; nothing in it where there is none. Tests give secrets names like `canary…`: no text of an
/// error may hold one.
template <class F>
thrown error_of(F what) {
  thrown t;
  try {
    what();
  } catch (sl::store_error const& e) { t = {e.code(), e.what(), true}; } catch (sl::error const& e) {
    t = {e.code(), e.what(), false};
  }
  if (t.text.find("canary") != std::string::npos) FAIL_CHECK("a secret is in: " << t.text);
  return t;
}
