#include "servers/hdfs.hpp"

#include "catch.hpp"

TEST_CASE("an HDFS keeps a file through a kill, and ends with its object") {
  int port = 0;
  {
    servers::hdfs h;
    port = h.port();
    h.put("/a/b", "kept");
    h.restart();
    auto const a = h.ask("GET", "/a?op=LISTSTATUS");
    CHECK(a.status == 200);
    CHECK(a.content.find("\"length\":4") != a.content.npos);
  }
  CHECK_FALSE(servers::listens(port));
}
