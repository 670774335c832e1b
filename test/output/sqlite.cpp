#include <sluice/output/sqlite.hpp>

#include "upsert_cases.hpp"

namespace {

struct key_alone {
  void operator()(sl::record r, auto& row) const { row(r.key_text()); }
};

}  // namespace

TEST_CASE("both outputs are what idempotent takes") {
  STATIC_REQUIRE(sl::idempotent_output<sl::sqlite_insert<key_alone>>);
  STATIC_REQUIRE(sl::idempotent_output<sl::sqlite_upsert<key_alone>>);
}
