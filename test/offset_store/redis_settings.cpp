#include <sluice/offset_store/redis_settings.hpp>

#include <sys/stat.h>

#include <filesystem>

#include "contract.hpp"
#include "redis_support.hpp"

namespace {

using namespace contract;
using words = std::vector<std::string>;

sl::redis_offsets config_of(servers::redis const& r) {
  return {.host = "127.0.0.1", .port = r.port(), .password = r.password()};
}
template <class Policy>
thrown opening(Policy const& p) {
  return error_of([&] { auto const s = Policy::open(p, {}); });
}
template <class Policy>
void refused(Policy const& p, sl::errc code, std::string const& part) {
  auto const e = opening(p);
  INFO(e.text);
  CHECK(e.code == code);
  CHECK_THAT(e.text, ContainsSubstring(part));
}

/// Has the append-only file made, and waits until it is there.
void switch_on(servers::redis& r) {
  CHECK(r.tell({"CONFIG", "SET", "appendonly", "yes"}) == "OK");
  for (auto const give_up = soon(); std::chrono::steady_clock::now() < give_up; std::this_thread::sleep_for(5ms)) {
    auto const info = r.tell({"INFO", "persistence"});
    if (info.find("aof_rewrite_in_progress:0") != info.npos && info.find("aof_rewrite_scheduled:0") != info.npos)
      return;
  }
  FAIL("the append-only file was not made");
}

}  // namespace

TEST_CASE("what a Redis store's configuration can't be is told with its key") {
  auto const bad = [](sl::redis_offsets const& c, std::string const& part) {
    refused(c, sl::errc::bad_configuration, "redis_offsets." + part);
  };
  bad({.host = ""}, "host");
  bad({.port = 0}, "port");
  bad({.port = 65536}, "port");
  bad({.database = -1}, "database");
  for (auto const* prefix : {"", "a b", "{a}", "a}b", "caf\xc3\xa9"}) bad({.prefix = prefix}, "prefix");
  bad({.prefix = std::string(65, 'a')}, "prefix");
  bad({.timeout = 0ms}, "timeout");
  bad({.password = "canary", .password_file = "/nowhere"}, "password");
  bad({.password_file = "/nowhere", .password_variable = "NOBODY_SET_THIS"}, "password");
  bad({.user = "app"}, "user");
  bad({.password_file = "/nowhere"}, "password_file = /nowhere");
  bad({.password_variable = "NOBODY_SET_THIS"}, "password_variable");
  refused(sl::lossy_redis_offsets{.host = ""}, sl::errc::bad_configuration, "lossy_redis_offsets.host");
}

TEST_CASE("passwords: by text, file and variable; wrong, missing, and where none is asked for") {
  auto& r = the_redis();
  auto c = config_of(r);
  c.password += "x";
  refused(c, sl::errc::bad_configuration, "user and password");
  c.password.clear();
  refused(c, sl::errc::bad_configuration, "asks for a password");

  temporary_folder const folder;
  c.password_file = folder.name() + "/secret";
  write_file(c.password_file, r.password() + "\n");
  CHECK(opening(c).text.empty());
  c.password_file.clear();
  c.password_variable = "SLUICE_TEST_REDIS_PASSWORD";
  ::setenv("SLUICE_TEST_REDIS_PASSWORD", r.password().c_str(), 1);
  CHECK(opening(c).text.empty());
  c.password_variable.clear();

  r.ask({"ACL", "SETUSER", "app", "on", ">canary-app", "~*", "+@all"});
  c.user = "app";
  c.password = "canary-app";
  CHECK(opening(c).text.empty());
  c.user = "nobody";
  refused(c, sl::errc::bad_configuration, "user and password");

  servers::redis open_to_all;
  open_to_all.ask({"CONFIG", "SET", "requirepass", ""});
  refused(config_of(open_to_all), sl::errc::bad_configuration, "asks for no password");
}

TEST_CASE("a server that has too many clients is down, and refuses no password") {
  servers::redis r;
  auto const c = config_of(r);
  auto other = c, nobody = c;
  other.database = 3;
  nobody.password.clear();
  nobody.database = 3;
  CHECK(r.tell({"CONFIG", "SET", "maxclients", "1"}) == "OK");  // this connection is the one
  for (auto const& one : {c, other, nobody}) refused(one, sl::errc::store_unavailable, "maxclients");
  refused(sl::lossy_redis_offsets{.host = c.host, .port = c.port}, sl::errc::store_unavailable, "maxclients");
  CHECK(r.tell({"CONFIG", "SET", "maxclients", "100"}) == "OK");
  CHECK(opening(c).text.empty());
}

TEST_CASE("a server that would lose offsets is refused, at the first connect and at every other") {
  servers::redis r;
  auto const c = config_of(r);
  sl::lossy_redis_offsets const lossy{.host = c.host, .port = c.port, .password = c.password};
  auto const s = std::unique_ptr<sl::redis_offset_store>{new sl::redis_offset_store(sl::redis_offsets::open(c, {}))};
  auto topics = orders();
  auto claims = claim(*s, "billing", partitions("orders", {0}), topics);
  for (auto const& [name, bad, good] :
       {std::array{"appendonly", "no", "yes"}, std::array{"appendfsync", "everysec", "always"},
        std::array{"appendfsync", "no", "always"}, std::array{"no-appendfsync-on-rewrite", "yes", "no"},
        std::array{"maxmemory-policy", "allkeys-lru", "noeviction"}}) {
    INFO(name);
    CHECK(r.tell({"CONFIG", "SET", name, bad}) == "OK");
    refused(c, sl::errc::bad_configuration, std::string{"its "} + name + " is " + bad + ", and must be " + good);
    auto assuming = c;
    assuming.assume_durable = true;
    refused(assuming, sl::errc::bad_configuration, name);
    CHECK(opening(lossy).text.empty());

    auto const moves = std::vector{to(claims[0], claims[0].next.value() + 5)};
    r.ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    CHECK(copy(s->advance(moves, soon())) == all{outcome::unknown});
    CHECK(copy(s->settle(moves, soon())) == all{outcome::unknown});
    auto const e = error_of([&] { s->claim("billing", {{"orders", 0}}, topics, soon()); });
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK(e.of_store);
    CHECK(r.tell({"CONFIG", "SET", name, good}) == "OK");
    if (name == std::string_view{"appendonly"}) switch_on(r);
    CHECK(copy(s->settle(moves, soon())) == all{outcome::applied});
    claims = claim(*s, "billing", partitions("orders", {0}), topics);
  }
}

TEST_CASE("INFO tells whether the first append-only file is still being made") {
  auto const made = [](std::string const& lines) {
    return !sl::detail::redis::makes_first_file("# Persistence\r\nloading:0\r\n" + lines);
  };
  std::string const on = "aof_enabled:1\r\n", off = "aof_enabled:0\r\n", rewriting = "aof_rewrite_in_progress:1\r\n",
                    idle = "aof_rewrite_in_progress:0\r\n", scheduled = "aof_rewrite_scheduled:1\r\n",
                    not_scheduled = "aof_rewrite_scheduled:0\r\n", empty = "aof_base_size:0\r\n",
                    some = "aof_base_size:99\r\n";
  CHECK_FALSE(made(on + rewriting + not_scheduled + empty));
  CHECK_FALSE(made(on + idle + scheduled + empty));
  CHECK_FALSE(made(on + rewriting + not_scheduled));
  CHECK_FALSE(made(on + idle + scheduled));
  CHECK(made(on + idle + not_scheduled + empty));  // started with appendonly yes
  CHECK(made(on + idle + not_scheduled));
  CHECK(made(on + rewriting + not_scheduled + some));  // a later rewrite
  CHECK(made(on + idle + scheduled + some));
  CHECK(made(off + rewriting + scheduled + empty));
  CHECK(made(""));
}

TEST_CASE("a server whose first append-only file is still being made would lose offsets") {
  servers::redis r{{"--appendonly", "no", "--rdb-key-save-delay", "60000000"}};
  auto const c = config_of(r);
  r.ask({"SET", "a", "b"});
  CHECK(r.tell({"CONFIG", "SET", "appendonly", "yes"}) == "OK");
  refused(c, sl::errc::store_unavailable, "first append-only file");
  CHECK(opening(sl::lossy_redis_offsets{.host = c.host, .port = c.port, .password = c.password}).text.empty());
  r.ask({"CONFIG", "SET", "appendonly", "no"});
  r.ask({"CONFIG", "SET", "rdb-key-save-delay", "0"});
  switch_on(r);
  CHECK(opening(c).text.empty());
}

TEST_CASE("a user without the right to ask for settings needs assume_durable") {
  auto& r = the_redis();
  r.ask({"ACL", "SETUSER", "blind", "on", ">canary-blind", "~*", "+@all", "-config"});
  auto c = config_of(r);
  c.user = "blind";
  c.password = "canary-blind";
  refused(c, sl::errc::bad_configuration, "assume_durable");
  sl::lossy_redis_offsets const lossy{.host = c.host, .port = c.port, .user = c.user, .password = c.password};
  CHECK(opening(lossy).text.empty());
  c.assume_durable = true;
  CHECK(opening(c).text.empty());
  r.ask({"ACL", "SETUSER", "blind", "+config", "-info"});
  CHECK(opening(c).text.empty());
  c.assume_durable = false;
  refused(c, sl::errc::bad_configuration, "INFO");
}

TEST_CASE("a replica is refused, also by the store that may lose") {
  servers::redis const r{{"--replicaof", "127.0.0.1 1"}};
  auto const c = config_of(r);
  refused(c, sl::errc::store_unavailable, "primary");
  refused(sl::lossy_redis_offsets{.host = c.host, .port = c.port, .password = c.password}, sl::errc::store_unavailable,
          "primary");
}
