#include "servers/mariadb.hpp"

#include "catch.hpp"

namespace {

struct connection {
  MYSQL* c = mysql_init(nullptr);
  ~connection() { mysql_close(c); }
  bool opens(int port, std::string const& password, unsigned seconds = 5) {
    mysql_options(c, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_options(c, MYSQL_OPT_READ_TIMEOUT, &seconds);
    return mysql_real_connect(c, "127.0.0.1", "owner", password.c_str(), nullptr, static_cast<unsigned>(port), nullptr,
                              0) != nullptr;
  }
  bool runs(char const* sql) { return mysql_query(c, sql) == 0; }
};

}  // namespace

TEST_CASE("a MariaDB wants its password, keeps what it was given through a kill, and ends with its object") {
  int port = 0;
  {
    servers::mariadb server;
    port = server.port();
    CHECK_FALSE(connection{}.opens(port, "wrong"));
    connection first, second;
    REQUIRE(first.opens(port, server.password()));
    CHECK(first.runs("create database d"));
    server.restart({"--read-only"});
    CHECK_FALSE(first.runs("select 1"));
    REQUIRE(second.opens(port, server.password()));
    CHECK(second.runs("use d"));
  }
  CHECK_FALSE(servers::listens(port));
}

TEST_CASE("a frozen MariaDB does not answer until it goes on") {
  servers::mariadb const server;
  server.freeze(true);
  CHECK_FALSE(connection{}.opens(server.port(), server.password(), 1));
  server.freeze(false);
  CHECK(connection{}.opens(server.port(), server.password()));
}
