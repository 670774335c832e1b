#include <sluice/state/mysql.hpp>

#include "../offset_store/mysql_support.hpp"
#include "state_cases.hpp"

TEST_CASE("mysql_offsets holds state") { state_cases::hold<mysql_fixture>(); }
