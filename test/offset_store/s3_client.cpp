#include <sluice/offset_store/s3_client.hpp>

#include "s3_opening.hpp"
#include "servers/small_s3.hpp"

namespace {

using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using servers::http_answer;
using servers::http_request;
using servers::small_s3;
using sl::errc;
using sl::offset;
using namespace std::chrono_literals;

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }

}  // namespace

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
