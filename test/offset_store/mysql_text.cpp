#include <sluice/offset_store/mysql_text.hpp>

#include "catch.hpp"
#include "mysql_support.hpp"

namespace m = sluice::detail::mysql;

TEST_CASE("names stand in backquotes, values in hexadecimal digits") {
  CHECK(m::in_quotes("a") == "`a`");
  CHECK(m::in_quotes("a`b") == "`a``b`");
  CHECK(m::literal("a'\xff") == "_utf8mb4 x'6127ff'");
  CHECK(m::literal("") == "_utf8mb4 x''");
}

TEST_CASE("rows go as JSON, with no digit of a number lost") {
  m::row_set rows;
  CHECK(rows.json() == "[]");
  rows.row("a\"\\\n\x01", std::int64_t{-9007199254740993}, std::optional<std::int64_t>{},
           std::optional<std::int64_t>{7}, sl::offset{5});
  rows.row("b", 1, std::optional<std::int64_t>{}, std::optional<std::int64_t>{}, sl::offset{});
  CHECK(rows.json() ==
        "[[\"a\\\"\\\\\\u000a\\u0001\",\"-9007199254740993\",null,\"7\",\"5\"],[\"b\",\"1\",null,null,\"0\"]]");
}

TEST_CASE("the server reads the rows as they were, whatever its sql_mode") {
  for (auto const* mode : {"", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"}) {
    m::row_set rows;
    rows.row("it's \\ \"x\"\t\xf0\x9f\x90\xb3 ", std::int64_t{9223372036854775807}, std::optional<std::int64_t>{});
    CHECK(
        plain_session{}.rows(
            std::string("set sql_mode = '") + mode + "'; " + rows.sent() + "select * from " +
            m::row_set::table({{"t", "varchar(99) character set utf8mb4"}, {"n", "bigint"}, {"nothing", "bigint"}})) ==
        std::vector<std::string>{"it's \\ \"x\"\t\xf0\x9f\x90\xb3 |9223372036854775807|null"});
  }
}
