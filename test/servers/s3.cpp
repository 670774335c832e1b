#include "servers/s3.hpp"

#include <sluice/offset_store/http_connection.hpp>

#include "catch.hpp"

using namespace std::chrono_literals;

TEST_CASE("an S3 starts, is frozen, and ends with its object") {
  int port = 0;
  {
    servers::s3 const s;
    port = s.port();
    sluice::detail::http::connection c{{.who = "test", .where = "moto"}};
    auto const ask = [&](std::chrono::milliseconds within) {
      return c.ask({.url = s.endpoint() + "/offsets/x"}, std::chrono::steady_clock::now() + within).status;
    };
    CHECK(ask(10s) == 400);  // not signed
    s.freeze(true);
    CHECK_THROWS_AS(ask(100ms), sluice::detail::http::lost);
    s.freeze(false);
    CHECK(ask(10s) == 400);
  }
  CHECK_FALSE(servers::listens(port));
}

TEST_CASE("an S3 may have a certificate of its own") {
  servers::s3 const s{true};
  sluice::detail::http::connection trusting{{.who = "test", .where = "moto", .ca_file = s.ca_file()}};
  CHECK(trusting.ask({.url = s.endpoint()}, std::chrono::steady_clock::now() + 10s).status == 400);
}
