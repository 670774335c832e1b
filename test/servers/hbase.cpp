#include "servers/hbase.hpp"

#include "catch.hpp"

TEST_CASE("an HBase keeps a row through a kill, and ends with its object") {
  int port = 0;
  {
    servers::hbase h;
    port = h.port();
    h.must("PUT", "/ready/a", R"({"Row":[{"key":"YQ==","Cell":[{"column":"Zjp4","$":"a2VwdA=="}]}]})");
    h.restart();
    auto const a = h.ask("GET", "/ready/a/f:x", {}, "application/octet-stream");
    CHECK(a.status == 200);
    CHECK(a.content == "kept");
  }
  CHECK_FALSE(servers::listens(port));
}
