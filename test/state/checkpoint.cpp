#include <sluice/state/checkpoint.hpp>

#include "../offset_store/checkpoint_support.hpp"
#include "state_cases.hpp"

TEST_CASE("a checkpoint holds state") { state_cases::hold<checkpoint_fixture>(); }
