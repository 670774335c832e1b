#include <sluice/offset_store/s3_object.hpp>

#include "s3_support.hpp"
#include "servers/small_s3.hpp"
#include "thrown.hpp"

namespace {

using contract::advance;
using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using contract::to;
using servers::http_answer;
using servers::http_request;
using servers::small_s3;
using sl::errc;
using sl::offset;
using sl::outcome;
using all_of = std::vector<outcome>;
using namespace std::chrono_literals;

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }

void refused(sl::s3_offsets const& p, errc code, std::string const& part) {
  auto const e = error_of([&] { auto const s = sl::s3_offsets::open(p, sl::context{}); });
  INFO(e.text);
  CHECK(e.code == code);
  CHECK_THAT(e.text, ContainsSubstring("s3_offsets") && ContainsSubstring(part));
}

void opens(sl::s3_offsets const& p) {
  auto const e = error_of([&] { auto const s = sl::s3_offsets::open(p, sl::context{}); });
  CHECK(e.text == "");
}

}  // namespace

TEST_CASE("what an S3 store's configuration can't be is told with its key") {
  auto const bad = [](auto change, std::string const& part) {
    sl::s3_offsets p{.bucket = "offsets", .access_key = "AKIA", .secret_key = "canary"};
    change(p);
    refused(p, errc::bad_configuration, "s3_offsets." + part);
  };
  for (auto const* name : {"", "ab", "Offsets", "a/b", "off sets", "a..b", "offsets@evil.example"})
    bad([&](auto& p) { p.bucket = name; }, "bucket");
  bad([](auto& p) { p.bucket = std::string(64, 'a'); }, "bucket");
  for (auto const* name : {"", "eu central", "EU", "a/b", "a.b"}) bad([&](auto& p) { p.region = name; }, "region");
  for (auto const* name : {"/a", "a//b", "a/../b", "./a", "a b", "a?b", "a%2Fb", "caf\xc3\xa9"})
    bad([&](auto& p) { p.prefix = name; }, "prefix");
  bad([](auto& p) { p.prefix = std::string(201, 'a'); }, "prefix");
  for (auto const* where : {"localhost", "http://u:canary@h", "http://h/bucket"})
    bad([&](auto& p) { p.endpoint = where; }, "endpoint");
  bad([](auto& p) { p.timeout = 0ms; }, "timeout");
  bad([](auto& p) { p.access_key = ""; }, "access_key");
  bad([](auto& p) { p.secret_key = ""; }, "secret_key");
  bad([](auto& p) { p.secret_key_file = "/nowhere"; }, "secret_key");
  bad([](auto& p) { p.session_token = "canary", p.session_token_variable = "X"; }, "session_token");
  bad([](auto& p) { p.secret_key = "", p.secret_key_file = "/nowhere"; }, "secret_key_file = /nowhere");
  bad([](auto& p) { p.secret_key = "", p.secret_key_variable = "NOBODY_SET_THIS"; }, "secret_key_variable");
}

TEST_CASE("no group has the probe's object, and a name that is too long is told") {
  CHECK(sl::detail::url_name("~probe") != sl::detail::s3::probe_name);
  CHECK(sl::detail::url_name("probe") != sl::detail::s3::probe_name);
  s3_fixture f;
  auto const e = error_of([&] { f.object(std::string(1024, 'x')); });
  CHECK(e.code == errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("too long"));
}

TEST_CASE("keys by text, file, variable and from the environment; wrong ones, and ones that may too little") {
  s3_fixture f;
  auto p = f.config;
  opens(p);
  p.secret_key += "x";
  refused(p, errc::bad_configuration, "secret_key");
  p.access_key = "AKIANOBODY";
  refused(p, errc::bad_configuration, "access_key");
  p.access_key = the_s3().reader();
  p.secret_key = the_s3().secret();
  refused(p, errc::bad_configuration, "s3:PutObject");

  p = f.config;
  p.secret_key.clear();
  temporary_folder const folder;
  p.secret_key_file = folder.name() + "/secret";
  write_file(p.secret_key_file, the_s3().secret() + "\n");
  opens(p);
  p.secret_key_file.clear();
  p.secret_key_variable = "SLUICE_TEST_S3_SECRET";
  ::setenv("SLUICE_TEST_S3_SECRET", the_s3().secret().c_str(), 1);
  opens(p);

  p.secret_key_variable.clear();
  p.access_key.clear();
  ::unsetenv("AWS_ACCESS_KEY_ID");
  refused(p, errc::bad_configuration, "AWS_ACCESS_KEY_ID");
  ::setenv("AWS_ACCESS_KEY_ID", the_s3().key().c_str(), 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", the_s3().secret().c_str(), 1);
  opens(p);
  ::setenv("AWS_SECRET_ACCESS_KEY", "canary", 1);
  refused(p, errc::bad_configuration, "secret_key");
  ::unsetenv("AWS_ACCESS_KEY_ID");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");

  p = f.config;
  p.bucket = "no-such-bucket";
  refused(p, errc::bad_configuration, "no such bucket");
}

TEST_CASE("rights that are taken away are told, and nothing is stored") {
  s3_fixture f;
  auto r = orders();
  auto const c = claim(*f.open(), "billing", partitions("orders", {0}), r);
  auto reader = f.config;
  reader.access_key = the_s3().reader();
  sl::s3_offset_store s{sl::detail::s3::object{sl::detail::s3::settings_of(reader)}, "billing", true, nullptr};
  auto e = error_of([&] { s.advance(std::vector{to(c[0], 15)}, soon()); });
  CHECK(e.code == errc::bad_configuration);
  CHECK(e.of_store);
  e = error_of([&] { s.claim("billing", partitions("orders", {0}), r, soon()); });
  CHECK(e.code == errc::bad_configuration);
  CHECK(contract::copy(s.settle(std::vector{to(c[0], 15)}, soon())) == all_of{outcome::unknown});
  s.release(c, soon());
  CHECK(contract::stands_at(f, partitions("orders", {0})) == std::vector{offset{10}});
}

TEST_CASE("a bucket is a part of the host's name unless path_style is set") {
  s3_fixture f;
  f.config.path_style = false;
  f.config.endpoint = "http://localhost:" + std::to_string(the_s3().port());
  auto r = orders();
  {
    sl::s3_offset_store s{sl::detail::s3::object{sl::detail::s3::settings_of(f.config)}, "billing", true, nullptr};
    CHECK(claim(s, "billing", partitions("orders", {0}), r)[0].what == sl::claimed::first);
  }
  f.config.path_style = true;
  CHECK(claim(*f.open(), "billing", partitions("orders", {0}), r)[0].what == sl::claimed::stored);
}

TEST_CASE("TLS: the server's authority is looked at") {
  servers::s3 const secure{true};
  sl::s3_offsets p{.bucket = "offsets",
                   .endpoint = secure.endpoint(),
                   .access_key = secure.key(),
                   .secret_key = secure.secret(),
                   .ca_file = secure.ca_file()};
  opens(p);
  p.path_style = true;
  opens(p);
  p.endpoint = "https://127.0.0.1:" + std::to_string(secure.port());
  refused(p, errc::bad_configuration, "certificate");
  p.endpoint = secure.endpoint();
  p.ca_file.clear();
  refused(p, errc::bad_configuration, "ca_file");
  p.ca_file = "/no/such/file";
  refused(p, errc::bad_configuration, "ca_file = /no/such/file");
  p.endpoint = "http://localhost:" + std::to_string(secure.port());
  p.timeout = 500ms;
  auto const e = error_of([&] { auto const s = sl::s3_offsets::open(p, sl::context{}); });
  CHECK(e.code == errc::store_unavailable);
}

TEST_CASE("a server that ignores conditions is refused") {
  small_s3 s;
  opens(s.config());
  opens(s.config());  // the probe's object is there by now
  s.heeds_if_match = false;
  refused(s.config(), errc::bad_configuration, "ignores If-Match");
  s.heeds_if_none_match = false;
  refused(s.config(), errc::bad_configuration, "ignores If-None-Match");
  s.objects.clear();
  refused(s.config(), errc::bad_configuration, "ignores If-None-Match");
  s.heeds_if_match = true;
  refused(s.config(), errc::bad_configuration, "ignores If-None-Match");
  for (auto const& r : s.server.requests()) CHECK(r.target == "/offsets/sluice/~probe");
}

TEST_CASE("servers that are none of S3's are told") {
  auto const port = servers::free_port();
  sl::s3_offsets p{
      .bucket = "offsets", .path_style = true, .access_key = "AKIA", .secret_key = "canary", .timeout = 500ms};
  p.endpoint = "http://127.0.0.1:" + std::to_string(port);
  refused(p, errc::store_unavailable, "can't be reached");
  http_answer say;
  servers::http_server const other{[&](http_request const& r) {
    auto a = say;
    a.content = r.head + r.content;  // repeats what it was sent
    return a;
  }};
  p.endpoint = other.url();
  for (auto const& [status, code, part] :
       std::vector<std::tuple<int, errc, char const*>>{{200, errc::bad_configuration, "ignores"},
                                                       {404, errc::store_unavailable, "none of S3's"},
                                                       {405, errc::store_unavailable, "none of S3's"},
                                                       {412, errc::store_unavailable, ""},
                                                       {403, errc::bad_configuration, "refuses"},
                                                       {302, errc::store_unavailable, "none of S3's"},
                                                       {301, errc::bad_configuration, "region"},
                                                       {500, errc::store_unavailable, "500"}}) {
    say.status = status;
    if (status != 412) refused(p, code, part);
  }
  say.status = 412;  // passes the probe, and is found out by the first claim
  auto r = orders();
  auto const e =
      error_of([&] { sl::s3_offsets::open(p, sl::context{}).claim("g", partitions("orders", {0}), r, soon()); });
  CHECK(e.code == errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("none of S3's"));
}
