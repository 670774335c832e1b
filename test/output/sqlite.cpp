#include <sluice/output/sqlite.hpp>

#include "upsert_cases.hpp"

namespace {

auto const row_of = [](sl::record r, auto& row) { row(r.key_text()); };

}  // namespace

TEST_CASE("both outputs are what idempotent takes") {
  STATIC_REQUIRE(sl::idempotent_output<sl::sqlite_insert<decltype(row_of)>>);
  STATIC_REQUIRE(sl::idempotent_output<sl::sqlite_upsert<decltype(row_of)>>);
}
