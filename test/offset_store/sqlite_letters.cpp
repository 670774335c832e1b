#include <sluice/offset_store/sqlite_letters.hpp>

#include "sql_cases.hpp"
#include "sqlite_support.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using fixture = sqlite_fixture;

}  // namespace

TEST_CASE("a record that is set aside again for an advance that failed comes once") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  sql_cases::two_letters<fixture> const letters;
  letters.set_aside(*s);
  failing_disk::full = true;
  CHECK(error_of([&] { s->advance(std::vector{to(c[0], 15)}, soon()); }).code == sl::errc::store_full);
  failing_disk::full = false;
  letters.set_aside(*s);
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(sql_cases::letters_in(f) == texts{letters.first});
}
