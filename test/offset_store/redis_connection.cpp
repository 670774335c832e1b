#include <sluice/offset_store/redis_connection.hpp>

#include <sys/stat.h>

#include <filesystem>

#include "contract.hpp"
#include "redis_support.hpp"
#include "servers/other_server.hpp"

namespace {

using namespace contract;
using words = std::vector<std::string>;

sl::redis_offsets config_of(servers::redis const& r) {
  return {.host = "127.0.0.1", .port = r.port(), .password = r.password()};
}
template <class Policy>
thrown opening(Policy const& p) {
  return error_without_secret([&] { auto const s = Policy::open(p, {}); });
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

sl::redis_offsets config_of(servers::other_server const& s) {
  return {.host = "127.0.0.1", .port = s.port(), .password = "canary", .timeout = 300ms};
}

}  // namespace

TEST_CASE("words are sent with their lengths, whatever is in them") {
  sl::detail::redis::request r;
  r.command(2).word("GET").word(std::string_view{"a\r\n\0b", 5});
  CHECK(r.bytes() == std::string_view{"*2\r\n$3\r\nGET\r\n$5\r\na\r\n\0b\r\n", 24});
}

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

TEST_CASE("no server, and servers of something else") {
  using sl::errc;
  refused(sl::redis_offsets{.host = "127.0.0.1", .port = servers::free_port()}, errc::store_unavailable,
          "can't be reached");
  refused(sl::redis_offsets{.host = "no.such.host.invalid"}, errc::store_unavailable, "no.such.host.invalid");
  refused(sl::redis_offsets{.host = "/no/such/socket"}, errc::store_unavailable, "/no/such/socket");
  SECTION("HTTP") {
    servers::other_server const http{
        [](auto const&) { return "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"; }};
    refused(config_of(http), errc::store_unavailable, "does not speak Redis's protocol");
  }
  SECTION("one that closes what it does not understand, as PostgreSQL does") {
    servers::other_server const postgres{[](auto const&) { return std::nullopt; }};
    refused(config_of(postgres), errc::store_unavailable, "another kind of server");
  }
  SECTION("one that says nothing") {
    servers::other_server const silent{[](auto const&) { return ""; }};
    auto const begun = std::chrono::steady_clock::now();
    refused(config_of(silent), errc::store_unavailable, "no answer in time");
    CHECK(std::chrono::steady_clock::now() - begun < 2s);
  }
  SECTION("one that repeats what it was sent, the password too") {
    servers::other_server const echo{[](std::string got) {
      std::erase_if(got, [](char c) { return c == '\r' || c == '\n'; });
      std::string all;
      for (int i = 0; i < 9; ++i) all += "-ERR unknown command `AUTH`, with args beginning with: `" + got + "`\r\n";
      return all;
    }};
    CHECK(opening(config_of(echo)).code == errc::bad_configuration);
    auto without = config_of(echo);
    without.password.clear();
    CHECK(opening(without).code == errc::store_unavailable);
  }
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

TEST_CASE("a Unix socket and another database will do") {
  redis_fixture f;
  auto r = orders();
  f.config.host = the_redis().socket();
  f.config.database = 3;
  auto const s = f.open();
  auto const c = claim(*s, "billing", partitions("orders", {0}), r);
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(the_redis().tell({"EXISTS", f.topic("orders")}) == "0");
  auto const third = the_redis().connect();
  servers::redis::ask(*third, {"SELECT", "3"});
  CHECK(servers::redis::ask(*third, {"EXISTS", f.topic("orders")}) == words{"1"});
  f.config.database = 99;
  refused(f.config, sl::errc::bad_configuration, "no database 99");
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
    auto const e = error_without_secret([&] { s->claim("billing", {{"orders", 0}}, topics, soon()); });
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

TEST_CASE("rights that are missing are told, and those that the library needs are enough") {
  redis_fixture f;
  auto topics = orders();
  auto& r = the_redis();
  r.ask({"ACL", "SETUSER", "weak", "reset", "on", ">canary-weak", "~{" + f.config.prefix + ":*", "+@all", "-@dangerous",
         "+config|get", "+info"});
  f.config.user = "weak";
  f.config.password = "canary-weak";
  auto const s = f.open();
  auto const c = claim(*s, "billing", partitions("orders", {0, 1}), topics);
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  r.ask({"ACL", "SETUSER", "weak", "resetkeys", "~other:*"});
  CHECK(error_without_secret([&] { s->advance(std::vector{to(c[1], 25)}, soon()); }).code ==
        sl::errc::bad_configuration);
  r.ask({"ACL", "SETUSER", "weak", "allkeys", "-eval"});
  refused(f.config, sl::errc::bad_configuration, "run scripts");
  r.ask({"ACL", "SETUSER", "weak", "+eval", "-script"});  // the text is sent each time
  auto const t = f.open();
  CHECK(claim(*t, "billing", partitions("orders", {0}), topics)[0].next == offset{15});
}

TEST_CASE("a replica is refused, also by the store that may lose") {
  servers::redis const r{{"--replicaof", "127.0.0.1 1"}};
  auto const c = config_of(r);
  refused(c, sl::errc::store_unavailable, "primary");
  refused(sl::lossy_redis_offsets{.host = c.host, .port = c.port, .password = c.password}, sl::errc::store_unavailable,
          "primary");
}

TEST_CASE("a server that becomes a replica under an open connection changes nothing any more") {
  servers::redis r;
  auto topics = orders();
  auto const s =
      std::unique_ptr<sl::redis_offset_store>{new sl::redis_offset_store(sl::redis_offsets::open(config_of(r), {}))};
  auto const c = claim(*s, "billing", partitions("orders", {0}), topics);
  r.ask({"REPLICAOF", "127.0.0.1", "1"});
  auto const e = error_without_secret([&] { s->advance(std::vector{to(c[0], 15)}, soon()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("primary"));
  r.ask({"REPLICAOF", "NO", "ONE"});
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}

TEST_CASE("a primary that became a replica is left: the configured address is asked again") {
  servers::redis a, b;
  b.ask({"CONFIG", "SET", "requirepass", a.password()});
  temporary_folder const folder;
  auto const link = folder.path / "primary";
  std::filesystem::create_symlink(a.socket(), link);
  auto config = config_of(a);
  config.host = link.string();
  auto topics = orders();
  sl::redis_offset_store s{sl::detail::redis::settings_of("redis_offsets", config), true, {}};
  auto const old = claim(s, "billing", partitions("orders", {0}), topics);
  a.ask({"REPLICAOF", "127.0.0.1", "1"});
  std::filesystem::remove(link);
  std::filesystem::create_symlink(b.socket(), link);
  CHECK(error_without_secret([&] { s.advance(std::vector{to(old[0], 15)}, soon()); }).code ==
        sl::errc::store_unavailable);
  thrown const e = error_without_secret([&] {
    auto const c = claim(s, "billing", partitions("orders", {0}), topics);
    CHECK(advance(s, {to(c[0], 15)}) == all{outcome::applied});
  });
  CHECK(e.text.empty());
  CHECK(b.tell({"KEYS", "*:offsets:*"}) == "{sluice:billing}:offsets:orders");
}

TEST_CASE("in a cluster the node that has the group's slot is found") {
  servers::redis a{{"--cluster-enabled", "yes"}}, b{{"--cluster-enabled", "yes"}};
  // Each says that the other has the upper or lower half; they need not speak with each other for that.
  auto const id_a = a.tell({"CLUSTER", "MYID"}), id_b = b.tell({"CLUSTER", "MYID"});
  a.ask({"CLUSTER", "ADDSLOTSRANGE", "0", "8191"});
  b.ask({"CLUSTER", "ADDSLOTSRANGE", "8192", "16383"});
  a.ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(b.port())});
  auto const give_up = soon();
  for (auto* r : {&a, &b})
    while (std::chrono::steady_clock::now() < give_up) {
      auto const info = r->tell({"CLUSTER", "INFO"});
      if (info.find("cluster_state:ok") != info.npos && info.find("cluster_slots_ok:16384") != info.npos) break;
      std::this_thread::sleep_for(10ms);
    }
  auto const c = config_of(a);
  b.ask({"CONFIG", "SET", "requirepass", a.password()});
  for (auto const* group : {"billing", "mailing", "auditing", "shipping", "returns", "stock"}) {
    INFO(group);
    auto topics = orders();
    sl::redis_offset_store s{sl::detail::redis::settings_of("redis_offsets", c), true, {}};
    auto const claims = claim(s, group, partitions("orders", {0, 1}), topics);
    CHECK(advance(s, {to(claims[0], 15), to(claims[1], 25)}) == all(2, outcome::applied));
    auto const moves = std::vector{sl::move{
        .of = {"orders", 0}, .from = offset{15}, .until = offset{16}, .mine = claims[0].mine, .log = claims[0].log}};
    {
      auto& tx = s.begin(moves, soon());
      tx.incr_by(tx.slot() + ":count", 1);
      tx.incr_by("a", 1);
      tx.incr_by("b", 1);
      tx.incr_by("c", 1);
      s.advance(tx, moves, soon());
      auto const e = error_without_secret([&] { (void)s.commit(tx, soon()); });
      CHECK(e.code == sl::errc::bad_statement);
      CHECK_THAT(e.text, ContainsSubstring("slot()"));
    }
    auto& tx = s.begin(moves, soon());
    tx.incr_by(tx.slot() + ":count", 1);
    s.advance(tx, moves, soon());
    CHECK(s.commit(tx, soon()) == outcome::applied);
  }
  auto const keys = [](servers::redis& r) { return r.ask({"KEYS", "*:offsets:*"}).size(); };
  CHECK(keys(a) + keys(b) == 6);
  CHECK(keys(a) > 0);
  CHECK(keys(b) > 0);

  // The other node leaves, and ours takes its slots.
  auto const key = b.tell({"KEYS", "*:offsets:*"});
  auto const begin = key.find(':') + 1;
  auto const group = key.substr(begin, key.find('}') - begin);
  auto topics = orders();
  sl::redis_offset_store s{sl::detail::redis::settings_of("redis_offsets", c), true, {}};
  claim(s, group, partitions("orders", {0}), topics);
  b.ask({"FLUSHALL"});
  CHECK(b.tell({"CLUSTER", "RESET", "HARD"}) == "OK");
  CHECK(a.tell({"CLUSTER", "FORGET", id_b}) == "OK");
  CHECK(a.tell({"CLUSTER", "ADDSLOTSRANGE", "8192", "16383"}) == "OK");
  CHECK(error_without_secret([&] { claim(s, group, partitions("orders", {0}), topics); }).code ==
        sl::errc::store_unavailable);
  CHECK(error_without_secret([&] { claim(s, group, partitions("orders", {0}), topics); }).text.empty());
  CHECK(keys(a) > 0);
}
