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

TEST_CASE("the first words of a statement, whatever comments are before them") {
  using words = std::array<std::string, 3>;
  auto const of = [](std::string_view sql, bool nested, bool hash) {
    return sl::detail::first_words(sql, {.nested = nested, .hash = hash});
  };
  CHECK(of("SELECT  a from", true, false) == words{"select", "a", "from"});
  CHECK(of("-- x\n/* y */ commit;", false, false) == words{"commit", "", ""});
  CHECK(of("/* /* */ */ commit", true, false) == words{"commit", "", ""});
  CHECK(of("/* /* */ commit", false, false) == words{"commit", "", ""});
  CHECK(of("# x\ncommit", false, true) == words{"commit", "", ""});
  CHECK(of("# x\ncommit", false, false) == words{"", "", ""});
}

TEST_CASE("what is no UTF-8 is replaced") {
  using sl::detail::as_utf8;
  CHECK(as_utf8("na\xc3\xafve \xf0\x9f\x90\xb3") == "na\xc3\xafve \xf0\x9f\x90\xb3");
  for (auto const* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"})
    CHECK_THAT(as_utf8(bad), Catch::Matchers::StartsWith("?"));
}
