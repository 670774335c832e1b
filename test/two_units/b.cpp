#include "two_units/b.hpp"

same_in_all_units seen_by_b() { return {&sluice::to_string, &typeid(sluice::batch), &sluice::no_limit}; }
