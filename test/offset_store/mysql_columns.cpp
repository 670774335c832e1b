#include <sluice/offset_store/mysql_columns.hpp>

#include "contract.hpp"
#include "mysql_support.hpp"

namespace m = sluice::detail::mysql;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("names of tables and columns, in quotes") {
  CHECK(m::quoted_table("d.t") == "`d`.`t`");
  CHECK(m::quoted_table("t") == "`t`");
  CHECK(m::list({"a", "b"}) == "`a`, `b`");
  CHECK(m::list({}) == "");
}

TEST_CASE("a table takes many rows only where nothing else than its key overwrites, and it knows transactions") {
  mysql_fixture f;
  m::connection db{m::options_of("test", f.config)};
  auto const by = contract::soon();
  db.ready(by);
  auto const refused = [&](std::string const& part, std::vector<std::string> const& key) {
    auto const e = error_of([&] { m::check_target(db, "test", {.table = "t", .key = key}, by); });
    INFO(e.text);
    CHECK(e.text.empty() == part.empty());
    CHECK_THAT(e.text, ContainsSubstring(part));
  };
  refused("not there", {"a"});
  f.look("create table t (a int, b int, primary key (a, b))");
  refused("", {"b", "a"});
  refused("", {});
  refused("one primary or unique key", {"a"});
  f.look("alter table t add key x (b)");
  refused("", {"a", "b"});
  f.look("alter table t add unique key y (b)");
  refused("one primary or unique key", {"a", "b"});
  f.look("alter table t engine = Aria");
  refused("Aria", {});
}

TEST_CASE("a row that is more than the server takes is told, not sent") {
  mysql_fixture f;
  m::connection db{m::options_of("test", f.config)};
  auto const by = contract::soon();
  db.ready(by);
  db.must("create table t (y longblob)", "making", by);
  m::statements prepared;
  m::row_writer rows{db, prepared, "insert into t values (?)", 1};
  CHECK(error_of([&] { rows.add("test", by, std::string(17 << 20, 'x')); }).code == sl::errc::bad_statement);
  m::row_writer good{db, prepared, "insert into t values (?)", 1};
  for (int i = 0; i < 6; ++i) good.add("test", by, std::string(3 << 20, 'x'));
  good.write(by);
  CHECK(f.look("select count(*) from t where length(y) = 3 << 20") == contract::texts{"6"});
  CHECK(error_of([&] { good.add("test", by, 1, 2); }).code == sl::errc::bad_statement);

  // Two that are good alone, and too much together.
  m::row_writer both{db, prepared, "insert into t values (?)", 1};
  both.add("test", by, std::string(3 << 20, 'y'));
  both.add("test", by, std::string(14 << 20, 'y'));
  both.write(by);
  CHECK(f.look("select length(y) >> 20 from t where y like 'y%' order by 1") == contract::texts{"3", "14"});
}
