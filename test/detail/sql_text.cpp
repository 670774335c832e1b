#include <sluice/detail/sql_text.hpp>

#include "catch.hpp"

namespace sl = sluice;

TEST_CASE("a statement's beginning holds no quoted text") {
  using sl::detail::beginning_of;
  CHECK(beginning_of("select 1") == "\"select 1\"");
  CHECK(beginning_of("insert into t values ('secret')") == "\"insert into t values (…\"");
  CHECK(beginning_of(std::string(200, 'x')) == "\"" + std::string(80, 'x') + "…\"");
}

TEST_CASE("the beginning of a statement ends before what is quoted by dollars") {
  CHECK(sl::detail::beginning_of("do $$ secret $$").find("secret") == std::string::npos);
  CHECK(sl::detail::beginning_of("select $1") == "\"select $1\"");
}

TEST_CASE("names that may become part of SQL") {
  CHECK(sl::detail::is_sql_name("_a1"));
  CHECK(sl::detail::is_sql_name(std::string(63, 'a')));
  for (auto const& bad : {std::string(), std::string("1a"), std::string("a b"), std::string("a\""),
                          std::string("\xc3\xa9"), std::string(64, 'a')})
    CHECK_FALSE(sl::detail::is_sql_name(bad));
  CHECK_FALSE(sl::detail::is_sql_name("abcd", 3));
}

TEST_CASE("a number in hexadecimal digits, always sixteen") {
  CHECK(sl::detail::hex(0) == "0000000000000000");
  CHECK(sl::detail::hex(0xfedcba9876543210u) == "fedcba9876543210");
}
