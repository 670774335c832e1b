#include <sluice/state/sqlite.hpp>

#include "../offset_store/sqlite_support.hpp"
#include "state_cases.hpp"

TEST_CASE("sqlite_offsets holds state") { state_cases::hold<sqlite_fixture>(); }
