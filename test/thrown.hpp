/// \file thrown.hpp  What a call throws: the error's code and its text.
#pragma once
#include <sluice/error.hpp>

#include <optional>
#include <string>

namespace sl = sluice;

struct thrown {
  std::optional<sl::errc> code{};
  std::string text{};
  bool of_store = false;
};

/// The error that `what` throws; nothing in it where there is none.
template <class F>
thrown error_of(F what) {
  try {
    what();
  } catch (sl::store_error const& e) { return {e.code(), e.what(), true}; } catch (sl::error const& e) {
    return {e.code(), e.what(), false};
  }
  return {};
}
