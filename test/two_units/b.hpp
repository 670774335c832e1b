// What unit b sees.
#pragma once
#include <cstddef>
#include <string>
#include <typeinfo>

#include "everything.hpp"

struct same_in_all_units {
  std::string (*function)(sluice::topic_partition const&) = nullptr;
  std::type_info const* type = nullptr;
  std::size_t const* variable = nullptr;
};

same_in_all_units seen_by_b();
