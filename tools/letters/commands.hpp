/// \file commands.hpp  What the tool does, apart from how it is asked.
#pragma once
#include "place.hpp"

namespace letters_tool {

struct showing {
  wishes only{};  // its filters
  bool json = false;
  std::size_t limit = 1000;
};

/// Both answer how the program ends, and throw failure, sluice::error.
int show(place& from, showing const& how);

/// Once until the end, or, `every` above 0, again and again until `stop`.
int give_back(place& from, place_words const& words, wishes const& which, std::chrono::milliseconds every,
              stop_asked const& stop);

}  // namespace letters_tool
