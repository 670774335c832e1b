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
  return error_of([&] { auto const s = Policy::open(p, {}); });
}
template <class Policy>
void refused(Policy const& p, sl::errc code, std::string const& part) {
  auto const e = opening(p);
  INFO(e.text);
  CHECK(e.code == code);
  CHECK_THAT(e.text, ContainsSubstring(part));
}

sl::redis_offsets config_of(servers::other_server const& o) {
  return {.host = "127.0.0.1", .port = o.port(), .password = "canary", .timeout = 300ms};
}

}  // namespace

TEST_CASE("words are sent with their lengths, whatever is in them") {
  sl::detail::redis::request r;
  r.command(2).word("GET").word(std::string_view{"a\r\n\0b", 5});
  CHECK(r.bytes() == std::string_view{"*2\r\n$3\r\nGET\r\n$5\r\na\r\n\0b\r\n", 24});
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
  CHECK(error_of([&] { s->advance(std::vector{to(c[1], 25)}, soon()); }).code == sl::errc::bad_configuration);
  r.ask({"ACL", "SETUSER", "weak", "allkeys", "-eval"});
  refused(f.config, sl::errc::bad_configuration, "run scripts");
  r.ask({"ACL", "SETUSER", "weak", "+eval", "-script"});  // the text is sent each time
  auto const t = f.open();
  CHECK(claim(*t, "billing", partitions("orders", {0}), topics)[0].next == offset{15});
}

TEST_CASE("a server that becomes a replica under an open connection changes nothing any more") {
  servers::redis r;
  auto topics = orders();
  auto const s =
      std::unique_ptr<sl::redis_offset_store>{new sl::redis_offset_store(sl::redis_offsets::open(config_of(r), {}))};
  auto const c = claim(*s, "billing", partitions("orders", {0}), topics);
  r.ask({"REPLICAOF", "127.0.0.1", "1"});
  auto const e = error_of([&] { s->advance(std::vector{to(c[0], 15)}, soon()); });
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
  CHECK(error_of([&] { s.advance(std::vector{to(old[0], 15)}, soon()); }).code == sl::errc::store_unavailable);
  thrown const e = error_of([&] {
    auto const c = claim(s, "billing", partitions("orders", {0}), topics);
    CHECK(advance(s, {to(c[0], 15)}) == all{outcome::applied});
  });
  CHECK(e.text.empty());
  CHECK(b.tell({"KEYS", "*:offsets:*"}) == "{sluice:billing}:offsets:orders");
}

TEST_CASE("in a cluster the node that has the group's slot is found") {
  auto const bus_a = std::to_string(servers::free_port()), bus_b = std::to_string(servers::free_port());
  servers::redis a{{"--cluster-enabled", "yes", "--cluster-port", bus_a}};
  servers::redis b{{"--cluster-enabled", "yes", "--cluster-port", bus_b}};
  // Each says that the other has the upper or lower half; they need not speak with each other for that.
  auto const id_a = a.tell({"CLUSTER", "MYID"}), id_b = b.tell({"CLUSTER", "MYID"});
  a.ask({"CLUSTER", "ADDSLOTSRANGE", "0", "8191"});
  b.ask({"CLUSTER", "ADDSLOTSRANGE", "8192", "16383"});
  a.ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(b.port()), bus_b});
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
      auto const e = error_of([&] { (void)s.commit(tx, soon()); });
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

  // It may be named without a host: then it is on the one that was asked.
  auto const key = b.tell({"KEYS", "*:offsets:*"});
  for (auto const& [kind, shown] : {std::pair{"unknown-endpoint", " :"}, std::pair{"hostname", " ?:"}}) {
    INFO(kind);
    CHECK(a.tell({"CONFIG", "SET", "cluster-preferred-endpoint-type", kind}) == "OK");
    CHECK_THAT(a.tell({"GET", key}), ContainsSubstring(shown + std::to_string(b.port())));
    auto topics = orders();
    sl::redis_offset_store s{sl::detail::redis::settings_of("redis_offsets", c), true, {}};
    for (auto const* group : {"billing", "mailing", "auditing", "shipping", "returns", "stock"})
      CHECK(claim(s, group, partitions("orders", {0}), topics)[0].next == offset{16});
    auto by_socket = c;
    by_socket.host = a.socket();
    sl::redis_offset_store t{sl::detail::redis::settings_of("redis_offsets", by_socket), true, {}};
    auto const group = key.substr(key.find(':') + 1, key.find('}') - key.find(':') - 1);
    CHECK(error_of([&] { claim(t, group, partitions("orders", {0}), topics); }).code == sl::errc::store_unavailable);
  }

  // The other node leaves, and ours takes its slots.
  auto const begin = key.find(':') + 1;
  auto const group = key.substr(begin, key.find('}') - begin);
  auto topics = orders();
  sl::redis_offset_store s{sl::detail::redis::settings_of("redis_offsets", c), true, {}};
  claim(s, group, partitions("orders", {0}), topics);
  b.ask({"FLUSHALL"});
  CHECK(b.tell({"CLUSTER", "RESET", "HARD"}) == "OK");
  CHECK(a.tell({"CLUSTER", "FORGET", id_b}) == "OK");
  CHECK(a.tell({"CLUSTER", "ADDSLOTSRANGE", "8192", "16383"}) == "OK");
  CHECK(error_of([&] { claim(s, group, partitions("orders", {0}), topics); }).code == sl::errc::store_unavailable);
  CHECK(error_of([&] { claim(s, group, partitions("orders", {0}), topics); }).text.empty());
  CHECK(keys(a) > 0);
}
