#include <sluice/offset_store/s3_object.hpp>

#include "s3_opening.hpp"
#include "servers/small_s3.hpp"
#include "thrown.hpp"

namespace {

using contract::advance;
using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using contract::to;
using servers::small_s3;
using sl::errc;
using sl::offset;
using sl::outcome;
using all_of = std::vector<outcome>;
using namespace std::chrono_literals;

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }

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
