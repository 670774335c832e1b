#include <sluice/offset_store/mysql_statement.hpp>

#include "contract.hpp"
#include "mysql_support.hpp"

namespace m = sluice::detail::mysql;

TEST_CASE("a statement runs with values, answers rows and counts, and for many rows at once") {
  mysql_fixture f;
  m::connection db{m::options_of("test", f.config)};
  auto const by = contract::soon();
  db.ready(by);
  db.must("create table t (n int primary key, y longblob)", "making", by);
  m::statements all;
  auto const sql = "insert into t values (?, ?)";
  std::string const big(3 << 20, 'x');
  m::parameters one{1, sl::as_bytes(big)};
  CHECK(all.of(db, sql, by).run(db, one, by).second == 1);
  std::vector<m::many_values> columns(2);
  for (int i = 2; i < 5'000; ++i) {
    columns[0].add(i);
    columns[1].add(sl::as_bytes(std::string_view{"\0", 1}));
  }
  all.of(db, sql, by).run_for_all(db, columns, 4'998, by);
  m::parameters again{5'000, nullptr};
  CHECK(all.of(db, sql, by).run(db, again, by).second == 1);  // after rows of many, one
  m::parameters none;
  auto [rows, n] = all.of(db, "select count(*), sum(length(y)) from t", by).run(db, none, by);
  CHECK((*rows.begin()).get<int>(0) == 5'000);
  CHECK((*rows.begin()).get<int>(1) == (3 << 20) + 4'998);
  auto [found, _] = all.of(db, "select y from t where n = 1", by).run(db, none, by);
  CHECK(sl::as_text((*found.begin()).get<sl::bytes>(0)) == big);
}

TEST_CASE("a server that is stopped makes no statement last longer than its time") {
  mysql_fixture f;
  m::connection db{m::options_of("test", f.config)};
  db.ready(contract::soon());
  m::statements all;
  m::parameters none;
  all.of(db, "do 1", contract::soon()).run(db, none, contract::soon());
  auto const begun = std::chrono::steady_clock::now();
  {
    struct frozen {
      frozen() { server().freeze(true); }
      ~frozen() { server().freeze(false); }
    } const now;
    auto const by = begun + std::chrono::milliseconds{200};
    CHECK_THROWS_AS(all.of(db, "do 1", by).run(db, none, by), sl::detail::lost);
  }
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds{2});
  CHECK_FALSE(db.alive());
  db.ready(contract::soon());
  all.of(db, "do 1", contract::soon()).run(db, none, contract::soon());
}
