#include <sluice/offset_store/hbase_table.hpp>

#include <latch>

#include "hbase_support.hpp"
#include "servers/small_hbase.hpp"

namespace {

using namespace contract;
using servers::http_answer;
using servers::http_request;
using servers::small_hbase;
using sl::errc;

void refused(sl::hbase_offsets const& p, errc code, std::string const& part) {
  auto const e = error_of([&] { auto const s = sl::hbase_offsets::open(p, sl::context{.group = "billing"}); });
  INFO(e.text);
  CHECK(e.code == code);
  CHECK_THAT(e.text, ContainsSubstring("hbase_offsets") && ContainsSubstring(part));
}
void opens(sl::hbase_offsets const& p) {
  auto const e = error_of([&] { auto const s = sl::hbase_offsets::open(p, sl::context{.group = "billing"}); });
  CHECK(e.text == "");
}

/// A table of the test's HBase that somebody else has made.
sl::hbase_offsets made(std::string const& families, std::string const& more = "") {
  hbase_fixture f;
  the_hbase().must("POST", "/" + f.config.table + "/schema",
                   R"({"name":")" + f.config.table + R"(")" + more + R"(,"ColumnSchema":[)" + families + "]}");
  return f.config;
}
constexpr auto offsets = R"({"name":"offsets","TTL":"2592000"})";
constexpr auto current = R"({"name":"current"})";
std::string both() { return std::string{offsets} + "," + current; }

}  // namespace

TEST_CASE("what an HBase store's configuration can't be is told with its key") {
  auto const bad = [](auto change, std::string const& part) {
    sl::hbase_offsets p{.address = "http://h:1", .table = "t"};
    change(p);
    refused(p, errc::bad_configuration, "hbase_offsets." + part);
  };
  for (auto const* where : {"", "h:1", "http://u:canary@h", "http://h/hbase"})
    bad([&](auto& p) { p.address = where; }, "address");
  for (auto const* name : {"", "a/b", "a b", "a:b:c", ":a", "a:", ".a", "-a", "a?b", "a*", "caf\xc3\xa9", "schema"})
    bad([&](auto& p) { p.table = name; }, "table");
  for (auto const* name : {"", "a:b", "a b", "a.b", "offsets"}) bad([&](auto& p) { p.family = name; }, "family");
  for (auto const* name : {"", "a:b", "a b"}) bad([&](auto& p) { p.history_family = name; }, "history_family");
  bad([](auto& p) { p.history_every = -1ms; }, "history_every");
  bad([](auto& p) { p.timeout = 0ms; }, "timeout");
  bad([](auto& p) { p.user = "a"; }, "user");
  bad([](auto& p) { p.password = "canary"; }, "user");
  bad([](auto& p) { p.user = "a:b", p.password = "canary"; }, "user");
  bad([](auto& p) { p.user = "a\r\nX: b", p.password = "canary"; }, "user");
  bad([](auto& p) { p.user = "a", p.password = "canary", p.password_file = "/nowhere"; }, "password");
  bad([](auto& p) { p.user = "a", p.password_file = "/nowhere"; }, "password_file = /nowhere");
  bad([](auto& p) { p.user = "a", p.password_variable = "NOBODY_SET_THIS"; }, "password_variable");
}

TEST_CASE("the table is made where there is none, by whoever comes first") {
  hbase_fixture f;
  f.config.create = false;
  refused(f.config, errc::bad_configuration, "create '" + f.config.table + "', {NAME => 'current', VERSIONS => 1}");
  CHECK(the_hbase().ask("GET", "/" + f.config.table + "/schema").status == 404);
  f.config.create = true;
  constexpr int openers = 4;
  std::latch ready{openers};
  std::vector<std::string> errors(openers);
  std::vector<std::thread> threads;
  for (int i = 0; i < openers; ++i)
    threads.emplace_back([&, i] {
      ready.arrive_and_wait();
      for (auto const give_up = soon(); std::chrono::steady_clock::now() < give_up;) try {
          hb::table{hb::settings_of(f.config)}.open(soon());
          errors[static_cast<std::size_t>(i)].clear();
          break;
        } catch (sl::store_error const& e) {
          errors[static_cast<std::size_t>(i)] = e.what();
          if (e.code() != errc::store_unavailable) break;
        }
    });
  for (auto& t : threads) t.join();
  CHECK(errors == std::vector<std::string>(openers));
  auto const s = hb::schema_of(the_hbase().ask("GET", "/" + f.config.table + "/schema").content).value();
  CHECK(s.families.at("offsets").at("TTL") == "2592000");
  CHECK(s.families.at("current").at("TTL") == "2147483647");
  CHECK(s.of_table.at("DURABILITY") == "FSYNC_WAL");
  f.config.create = false;
  opens(f.config);
}

TEST_CASE("a table of Spark users' is taken when it has a family that does not expire") {
  auto p = made(offsets);
  refused(p, errc::bad_configuration, "has no column family 'current' (hbase shell: alter '" + p.table + "'");
  refused(made(current), errc::bad_configuration, "no column family 'offsets'");
  refused(made(std::string{offsets} + R"(,{"name":"current","TTL":"86400"})"), errc::bad_configuration,
          "TTL => 'FOREVER'");
  p = made(R"({"name":"o"},{"name":"c"})");
  refused(p, errc::bad_configuration, "'current'");
  p.family = "c";
  p.history_family = "o";
  opens(p);
  for (auto const* d : {"SKIP_WAL", "ASYNC_WAL"})
    refused(made(both(), std::string{R"(,"DURABILITY":")"} + d + R"(")"), errc::bad_configuration, "not durable");
  opens(made(both(), R"(,"DURABILITY":"SYNC_WAL")"));
  refused(made(both(), R"(,"READONLY":"true")"), errc::bad_configuration, "read-only");
  small_hbase s;
  s.schema = R"({"name":"t","ColumnSchema":[{"name":"current","TTL":"FOREVER"},{"name":"offsets"}]})";
  opens(s.config());
}

TEST_CASE("a server that is not there, or is no HBase, is told") {
  sl::hbase_offsets p{.table = "t", .user = "billing", .password = "canary", .timeout = 500ms};
  p.address = "http://127.0.0.1:" + std::to_string(servers::free_port());
  refused(p, errc::store_unavailable, "can't be reached");
  http_answer say;
  servers::http_server const other{[&](http_request const& r) {
    auto a = say;
    if (a.content.empty()) a.content = r.head + r.content;  // repeats what it was sent
    return a;
  }};
  p.address = other.url();
  for (auto const& [status, content, code, part] : std::vector<std::tuple<int, char const*, errc, char const*>>{
           {200, "", errc::store_unavailable, "none of HBase's"},
           {200, R"({"table":[{"name":"t"}]})", errc::store_unavailable, "none of HBase's"},
           {404, "", errc::store_unavailable, "none of HBase's"},
           {302, "", errc::store_unavailable, "none of HBase's"},
           {401, "", errc::bad_configuration, "user or password"},
           {403, "", errc::bad_configuration, "'RWC'"},
           {500, "", errc::store_unavailable, "500"}}) {
    say = {.status = status, .content = content};
    refused(p, code, part);
  }
  for (auto const& r : other.requests()) {
    CHECK(r.method == "GET");  // nothing is made there
    CHECK(r.header("authorization") == "Basic YmlsbGluZzpjYW5hcnk=");
  }
  p.address = the_hbase().address();
  p.address.replace(0, 4, "https");
  p.timeout = 20s;
  refused(p, errc::store_unavailable, "TLS");
  p.ca_file = "/no/such/file";
  refused(p, errc::bad_configuration, "hbase_offsets.ca_file = /no/such/file");
}

TEST_CASE("a password is taken from a file or the environment, and looked at for each request") {
  small_hbase s;
  s.say = [](http_request const& r) -> std::optional<http_answer> {
    if (r.header("authorization") == "Basic YmlsbGluZzpjYW5hcnk=") return {};
    return http_answer{.status = 401, .content = r.head};
  };
  auto p = s.config();
  opens(p);
  p.password = "canary2";
  refused(p, errc::bad_configuration, "password");
  p.password.clear();
  temporary_folder const folder;
  p.password_file = folder.name() + "/password";
  write_file(p.password_file, "canary\n");
  opens(p);
  auto store = sl::hbase_offsets::open(p, sl::context{.group = "billing"});
  write_file(p.password_file, "canary2\n");
  auto r = orders();
  CHECK(error_of([&] { store.claim("billing", partitions("orders", {0}), r, soon()); }).code ==
        errc::bad_configuration);
  p.password_file.clear();
  p.password_variable = "SLUICE_TEST_HBASE_PASSWORD";
  ::setenv("SLUICE_TEST_HBASE_PASSWORD", "canary", 1);
  opens(p);
  p.user.clear();
  p.password_variable.clear();
  refused(p, errc::bad_configuration, "user or password");
}

TEST_CASE("who leaves the check out of requests is refused, and a 404 alone makes no table") {
  small_hbase s;
  opens(s.config());
  s.say = [&](http_request const& r) -> std::optional<http_answer> {
    if (r.target.find("?check=put") == r.target.npos) return {};
    return http_answer{};
  };
  refused(s.config(), errc::bad_configuration, "ignores check=put");
  s.say = [&](http_request const& r) -> std::optional<http_answer> {
    if (r.target == "/t/schema" && r.method == "GET") return http_answer{.status = 404, .content = "Not found"};
    return {};
  };
  refused(s.config(), errc::store_unavailable, "being made");
  CHECK(s.asked("POST", "/") == 0);
  s.say = {};
  s.there = false;
  opens(s.config());
  CHECK(s.asked("POST", "/t/schema") == 1);
  s.there = false;
  s.say = [&](http_request const& r) -> std::optional<http_answer> {
    if (r.method == "POST") return http_answer{.status = 503, .content = "Unavailable canary"};
    return {};
  };
  refused(s.config(), errc::bad_configuration, "has no table t");
}

TEST_CASE("the names of HBase's namespaces are names of tables") {
  the_hbase().ask("POST", "/namespaces/ns");
  hbase_fixture f;
  f.config.table = "ns:" + f.config.table;
  auto r = orders();
  CHECK(claim(*f.open(), "billing", partitions("orders", {0}), r)[0].what == sl::claimed::first);
  f.config.table = "default:t.a-b_" + std::to_string(hbase_fixtures);
  CHECK(claim(*f.open(), "billing", partitions("orders", {0}), r)[0].what == sl::claimed::first);
  CHECK(claim(*f.open(), "billing", partitions("orders", {0}), r)[0].what == sl::claimed::stored);
}
