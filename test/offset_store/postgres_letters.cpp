#include <sluice/offset_store/postgres_letters.hpp>

#include "postgres_support.hpp"
#include "sql_server_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using namespace sql_cases;
using fixture = postgres_fixture;

}  // namespace

TEST_CASE("where the row of a record set aside can't be written nothing is advanced") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  sql_cases::two_letters<fixture> const letters;
  f.look("alter table sluice_offsets_skipped add check (attempts < 3)");
  letters.set_aside(*s);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto const e = error_of([&] { s->advance(moves, soon()); });
  CHECK(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring("setting records aside"));
  CHECK(f.look("select next from sluice_offsets order by partition") == texts{"10", "20"});
  f.look("alter table sluice_offsets_skipped drop constraint sluice_offsets_skipped_attempts_check");
  CHECK(advance(*s, moves) == all(2, outcome::applied));
  CHECK(sql_cases::letters_in(f) == texts{letters.first, letters.second});
}

TEST_CASE("a table of an earlier version is not changed where .create is false, and the error has what to run") {
  fixture f;
  f.open();
  f.look("alter table sluice_offsets_skipped drop column headers");
  f.config.create = false;
  auto const e = error_of([&] { f.open(); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("sluice_offsets_skipped") && ContainsSubstring("lacks the column headers"));
  auto const ddl = e.text.substr(e.text.find("alter table"));
  f.look(ddl);
  f.open();
}
