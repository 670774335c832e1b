#include <sluice/offset_store/postgres_claiming.hpp>

#include "postgres_support.hpp"
#include "sql_server_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using fixture = postgres_fixture;

}  // namespace

TEST_CASE("a table whose rows another transaction holds makes a claim answer busy, in time") {
  fixture f;
  f.config.lock_timeout = 100ms;
  auto [r, set, s, c] = claim_orders(f);
  plain_session other{f.here()};
  other.rows("begin");
  other.rows("select * from sluice_offsets for update");
  auto const begun = std::chrono::steady_clock::now();
  auto const busy = s->claim("billing", set, r, soon());
  CHECK(busy[1].what == sl::claimed::busy);
  CHECK(busy[1].of == set[1]);
  CHECK_THAT(busy[1].why, ContainsSubstring("another session holds the lock"));
  auto const e = error_of([&] { s->advance(std::vector{to(c[0], 15)}, soon()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK(e.of_store);
  CHECK(std::chrono::steady_clock::now() - begun < 3s);
  other.rows("rollback");
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}
