/// \file on_fresh.hpp  A case that is written for any fixture, run on one of its own.
#pragma once
#include <string>

#include "catch.hpp"

/// A section of the test case that is running.
template <class F, class Case>
void on_fresh(std::string const& name, Case what) {
  SECTION(name) {
    F f{};
    what(f);
  }
}
