#include <sluice/detail/json_reader.hpp>

#include "catch.hpp"

using sluice::detail::json;
using sluice::detail::json_reader;

TEST_CASE("JSON is read into values; numbers and words stay as they are written") {
  auto const j = json_reader{R"( {"a": [1, -2.5e3, true, null], "b":{"c":"x\"\\\n\u0041"}, "d":""} )"}.read();
  REQUIRE(j);
  auto const* const a = j->find("a");
  REQUIRE((a && a->kind == json::list && a->items.size() == 4));
  CHECK(a->items[1].is == "-2.5e3");
  CHECK((a->items[2].kind == json::word && a->items[3].is == "null"));
  CHECK(j->find("b")->text_of("c") == "x\"\\\nA");
  CHECK(j->text_of("d") == "");
  CHECK_FALSE(j->text_of("a"));
  CHECK_FALSE(j->find("c"));
}

TEST_CASE("what is no JSON, or too deep, or not at its end, is none") {
  for (auto const* text :
       {"", "{", "[1,", "{\"a\"}", "{\"a\":1", "\"a", "\"\\u00g0\"", "\"\\x\"", "1 2", "{} x", "[1,]"})
    CHECK_FALSE(json_reader{text}.read());
  CHECK_FALSE(json_reader{std::string(100, '[') + std::string(100, ']')}.read());
}
