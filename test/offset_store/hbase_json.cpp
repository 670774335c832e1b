#include <sluice/offset_store/hbase_json.hpp>

#include "catch.hpp"

namespace sl = sluice;
namespace hb = sl::detail::hbase;
using names = std::vector<std::string>;

TEST_CASE("rows go to HBase and come back as they were, whatever is in them") {
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
  std::vector<hb::row> const rows{{"a\"b\\", {{"offsets:0", "41"}, {"offsets:1", ""}}}, {bytes, {{bytes, bytes}}}};
  CHECK(hb::rows_of(hb::json_of(rows)) == rows);
  CHECK(hb::json_of({{"x", {{"f:q", "v"}}}}) == R"({"Row":[{"key":"eA==","Cell":[{"column":"Zjpx","$":"dg=="}]}]})");
}

TEST_CASE("what a scan answers is read, and what is none is told") {
  CHECK(hb::rows_of(R"({"Row":[]})")->empty());
  auto const found = hb::rows_of(
      R"( { "Row" : [{"Cell":[{"$":"NQ==","timestamp":1795310688831,"column":"b2Zmc2V0czow"}],"key":"VDphOjMwMA=="}] } )");
  REQUIRE(found);
  CHECK(*found == std::vector<hb::row>{{"T:a:300", {{"offsets:0", "5"}}}});
  for (auto const* none :
       {"", "{}", "[]", "<html>", "{\"Row\":", "{\"Row\":{}}", "{\"Row\":[]} x", "{\"Row\":[1]}", "{\"Row\":[,]}",
        R"({"Row":[{"key":"VDphOjMwMA==")", R"({"Row":[{"key":"?","Cell":[]}]})", R"({"Row":[{"Cell":[]}]})",
        R"({"Row":[{"key":"eA==","Cell":1}]})", R"({"Row":[{"key":"eA==","Cell":[{"column":"eA=="}]}]})",
        R"({"Row":[{"key":"eA==","Cell":[{"column":"eA==","$":"?"}]}]})"}) {
    INFO(none);
    CHECK_FALSE(hb::rows_of(none));
  }
  CHECK_FALSE(hb::rows_of(std::string(100'000, '[')));
}

TEST_CASE("texts in JSON may be escaped") {
  auto const text = [](std::string const& quoted) {
    auto const j = hb::json_reader{quoted}.read();
    return j && j->kind == hb::json::text ? std::optional{j->is} : std::nullopt;
  };
  CHECK(text(R"("a\"\\\/\b\f\n\r\t\u0041\u00e9z")") == "a\"\\/\b\f\n\r\tA?z");
  for (auto const* none : {"\"", "\"a", R"("\)", R"("\x")", R"("\u00g1")", R"("\u00")", "\"a\"b"}) {
    INFO(none);
    CHECK_FALSE(text(none));
  }
}

TEST_CASE("a table's schema and the list of tables are read") {
  auto const s = hb::schema_of(
      R"({"name":"t","ColumnSchema":[{"name":"current","TTL":"2147483647"},{"name":"offsets","TTL":"2592000"}],)"
      R"("IS_META":"false","DURABILITY":"FSYNC_WAL","n":7})");
  REQUIRE(s);
  CHECK(s->families.size() == 2);
  CHECK(s->families.at("offsets").at("TTL") == "2592000");
  CHECK(s->of_table.at("DURABILITY") == "FSYNC_WAL");
  CHECK(s->of_table.at("n") == "7");
  CHECK(hb::schema_of(R"({"name":"t","ColumnSchema":[]})")->families.empty());
  for (auto const* none : {"", "{}", R"({"ColumnSchema":1})", R"({"ColumnSchema":[{}]})", "Not found"}) {
    INFO(none);
    CHECK_FALSE(hb::schema_of(none));
  }
  CHECK(hb::tables_of(R"({"table":[{"name":"a"},{"name":"n:b"}]})") == names{"a", "n:b"});
  CHECK(hb::tables_of(R"({"table":[]})") == names{});
  for (auto const* none : {"", "{}", R"({"table":[1]})", R"({"table":{}})", "<html>"}) {
    INFO(none);
    CHECK_FALSE(hb::tables_of(none));
  }
}
