#include <sluice/offset_store/mysql.hpp>

#include "contract_network.hpp"
#include "mysql_support.hpp"
#include "sql_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using fixture = mysql_fixture;

}  // namespace

TEST_CASE("mysql_offsets keeps the contract of stores") { contract::holds<fixture>(); }

TEST_CASE("mysql_offsets keeps the contract of stores behind a network") { contract::holds_over_network<fixture>(); }

TEST_CASE("mysql_offsets does what SQL stores must do") { sql_cases::hold<fixture>(); }
