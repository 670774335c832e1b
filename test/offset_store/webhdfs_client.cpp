#include <sluice/offset_store/webhdfs_client.hpp>

#include "servers/http.hpp"
#include "webhdfs_opening.hpp"

namespace {

using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using servers::http_answer;
using servers::http_request;
using servers::http_server;
using sl::errc;
using sl::offset;
using names = std::vector<std::string>;
using namespace std::chrono_literals;

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }

std::string exception(std::string const& name) {
  return R"({"RemoteException":{"exception":")" + name + R"(","message":"canary"}})";
}

}  // namespace

TEST_CASE("servers that are none of WebHDFS's are told, and nobody is sent elsewhere") {
  sl::webhdfs_offsets p{.directory = "/a", .token = "canary", .timeout = 500ms};
  p.address = "http://127.0.0.1:" + std::to_string(servers::free_port());
  refused(p, errc::store_unavailable, "can't be reached");
  http_server const elsewhere{[](http_request const&) { return http_answer{}; }};
  http_answer say;
  http_server const other{[&](http_request const& r) {
    if (r.target.find("op=CHECKACCESS") != r.target.npos && say.status != 200 && say.status != 307) return say;
    if (r.target.find("op=CHECKACCESS") != r.target.npos) return http_answer{};
    if (r.target.find("op=LISTSTATUS") != r.target.npos)
      return http_answer{.status = 404, .content = exception("FileNotFoundException")};
    return say;
  }};
  p.address = other.url();
  for (auto const& [status, word, code, part] : std::vector<std::tuple<int, char const*, errc, char const*>>{
           {404, "", errc::store_unavailable, "none of WebHDFS's"},
           {403, "", errc::store_unavailable, "none of WebHDFS's"},
           {404, "FileNotFoundException", errc::bad_configuration, "make it"},
           {403, "StandbyException", errc::store_unavailable, "active NameNode"},
           {403, "InvalidToken", errc::bad_configuration, "token"},
           {401, "", errc::bad_configuration, "token"},
           {500, "", errc::store_unavailable, "500"}}) {
    say = {.status = status, .content = *word ? exception(word) : "<html>canary"};
    refused(p, code, part);
  }
  auto const claiming = [&] {
    auto r = orders();
    return error_of([&] {
      auto s = sl::webhdfs_offsets::open(p, sl::context{});
      s.claim("billing", partitions("orders", {0}), r, soon());
    });
  };
  say = {.status = 200};
  CHECK_THAT(claiming().text, ContainsSubstring("none of WebHDFS's"));
  say = {.status = 307, .headers = {"Location: " + elsewhere.url() + "/canary"}};
  CHECK_THAT(claiming().text, ContainsSubstring("names a place"));
  say = {.status = 307, .headers = {"Location: file:///webhdfs/v1/canary"}};
  CHECK_THAT(claiming().text, ContainsSubstring("names a place"));
  say = {.status = 307};
  CHECK_THAT(claiming().text, ContainsSubstring("names a place"));
  CHECK(elsewhere.connections() == 0);
  for (auto const& r : other.requests()) CHECK_THAT(r.target, ContainsSubstring("&delegation=canary"));
}
