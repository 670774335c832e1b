#include <sluice/offset_store/mysql_errors.hpp>

#include "catch.hpp"
#include "thrown.hpp"

namespace m = sluice::detail::mysql;
using Catch::Matchers::ContainsSubstring;

namespace {
thrown meaning(unsigned code, std::string const& message = "CANARY") {
  return error_of([&] { m::fail({code, message}, "db: doing: "); });
}
}  // namespace

TEST_CASE("what an error means, and what is to be done") {
  CHECK(meaning(1213).code == sl::errc::conflict);
  CHECK(meaning(1020).code == sl::errc::conflict);
  CHECK_THAT(meaning(1205).text, ContainsSubstring("another session holds the lock"));
  for (unsigned const code : {1290u, 1792u, 1836u}) CHECK_THAT(meaning(code).text, ContainsSubstring("read-only"));
  CHECK_THAT(meaning(1142, "denied").text, ContainsSubstring("denied; grant it"));
  CHECK(meaning(1114).code == sl::errc::store_full);
  CHECK(meaning(1877).code == sl::errc::store_damaged);
  CHECK(meaning(1146, "no table").code == sl::errc::store_damaged);
  CHECK_THAT(meaning(1969).text, ContainsSubstring("statement_timeout"));
  CHECK_THAT(meaning(1665).text, ContainsSubstring("binlog_format"));
  for (unsigned const code : {1213u, 1205u, 1290u, 1114u, 1877u, 1969u, 1665u, 1062u, 4242u}) {
    CHECK(meaning(code).of_store);
    CHECK_THAT(meaning(code).text, !ContainsSubstring("CANARY") && ContainsSubstring("db: doing"));
  }
}

TEST_CASE("only what names tables, columns and constraints is passed on") {
  auto const said = [](unsigned code, std::string const& message, bool text = true) {
    return m::safe_message({code, message}, text);
  };
  CHECK(said(1062, "Duplicate entry 'CANARY for key 'x' for key 'PRIMARY'") == "duplicate entry for key 'PRIMARY'");
  CHECK(said(1366, "Incorrect integer value: 'CANARY' for column `d`.`t`.`n` at row 1") ==
        "incorrect value for column `d`.`t`.`n` at row 1");
  CHECK(said(1064, "near 'CANARY'").empty());
  CHECK(said(1064, "near x", false) == "near x");
  CHECK(said(1292, "Truncated incorrect DOUBLE value: 'CANARY'").empty());
  CHECK(said(1644, "CANARY", false).empty());
}

TEST_CASE("which errors are the server's, and which end the session") {
  auto const of_the_store = [](unsigned code, char const* state) { return m::is_of_the_store({code, {}, state}); };
  CHECK(of_the_store(2013, "HY000"));
  CHECK(of_the_store(1205, "HY000"));
  CHECK(of_the_store(1412, "HY000"));
  CHECK(of_the_store(1047, "08S01"));  // a Galera node without its quorum
  CHECK(of_the_store(1461, "42000"));  // max_prepared_stmt_count
  CHECK(of_the_store(1226, "42000"));  // a user's limit
  CHECK(of_the_store(1036, "HY000"));
  CHECK(of_the_store(4242, "HY000"));  // not known
  CHECK_FALSE(of_the_store(1062, "23000"));
  CHECK_FALSE(of_the_store(1064, "42000"));
  CHECK_FALSE(of_the_store(1406, "22001"));
  CHECK_FALSE(of_the_store(1364, "HY000"));
  CHECK_FALSE(of_the_store(1366, "HY000"));
  CHECK_FALSE(of_the_store(1265, "01000"));  // cut off for the column, which strictness makes an error
  CHECK_FALSE(of_the_store(1526, "HY000"));  // no partition for the row
  CHECK_FALSE(of_the_store(1369, "44000"));  // a view's check option
  CHECK_FALSE(of_the_store(1339, "20000"));  // case without a match
  CHECK_FALSE(of_the_store(4038, "HY000"));  // a JSON function and a text that is none
  CHECK_FALSE(of_the_store(1644, "45000"));
  CHECK(m::ends_session(2006));
  CHECK(m::ends_session(1927));
  CHECK_FALSE(m::ends_session(1213));
}
