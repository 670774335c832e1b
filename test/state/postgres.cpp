#include <sluice/state/postgres.hpp>

#include "../offset_store/postgres_support.hpp"
#include "state_cases.hpp"

TEST_CASE("postgres_offsets holds state") { state_cases::hold<postgres_fixture>(); }
