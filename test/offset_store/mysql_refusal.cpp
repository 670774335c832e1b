#include <sluice/offset_store/mysql_refusal.hpp>

#include "catch.hpp"
#include "thrown.hpp"

TEST_CASE("what may end the transaction is refused before it is sent, and reads and writes of rows are not") {
  auto const allowed = [](std::string_view sql) {
    return !error_of([&] { sl::detail::mysql::check_handlers(sql); }).code;
  };
  for (auto const* sql : {"select 1", "\n ( (SELECT 1))", "/* begin */ insert into t values (1)", "# commit\nselect 1",
                          "-- commit\nselect 1", "/* /* */ select 1", "set @a = 1", "set @a = concat('(,', @b, '\\',')",
                          "rollback to a", "rollback work to a"})
    CHECK(allowed(sql));
  for (auto const* sql :
       {"", "commit", "COMMIT", "(commit)", "/* */commit", "/*!commit*/", "select 1 /*!50000 x */", "set a = 1",
        "set @a = 1, @@b = 2", "set @a = 1, autocommit = 0", "set @a = '(', autocommit = 0",
        "set @a = 1 /* ( */, autocommit = 0", "set @`(` = 1, autocommit = 0", "set @a = '\\'(', autocommit = 0",
        "rollback", "create table t (n int)", "savepoint sluice_x"})
    CHECK_FALSE(allowed(sql));
}
