#include <sluice/offset_store/zookeeper_session.hpp>

#include <fcntl.h>

#include "servers/other_server.hpp"
#include "zookeeper_support.hpp"

namespace {

using namespace std::chrono_literals;
using sl::errc;

auto in(std::chrono::milliseconds t) { return std::chrono::steady_clock::now() + t; }

zk::settings settings_of(int port) {
  return {.who = "test",
          .servers = "127.0.0.1:" + std::to_string(port),
          .password = "canary",
          .connect_timeout = 5s,
          .session_timeout = 2s};
}

thrown opening(zk::settings const& s, std::chrono::milliseconds limit = 10s) {
  zk::session session{s};
  auto const begun = std::chrono::steady_clock::now();
  auto const e = error_of([&] { session.ready(in(limit)); });
  CHECK(std::chrono::steady_clock::now() - begun < limit + 1s);
  return e;
}
void refused(zk::settings const& s, errc code, std::string const& part, std::chrono::milliseconds limit = 10s) {
  auto const e = opening(s, limit);
  INFO(e.text);
  CHECK(e.of_store);
  CHECK(e.code == code);
  CHECK_THAT(e.text, ContainsSubstring("test: ZooKeeper at " + s.servers) && ContainsSubstring(part));
}

/// What is written to stderr while this lives.
class listening_to_stderr {
  temporary_folder folder_{};
  int kept_ = ::dup(2);

 public:
  listening_to_stderr() {
    servers::descriptor const file{::open((folder_.name() + "/err").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    ::dup2(file.fd, 2);
  }
  std::string end() {
    ::dup2(kept_, 2);
    ::close(kept_);
    return content_of(folder_.path / "err");
  }
};

}  // namespace

TEST_CASE("servers as people write them") {
  using two = std::pair<std::string, std::string>;
  CHECK(zk::split_servers("a:1,b:2") == two{"a:1,b:2", ""});
  CHECK(zk::split_servers("a") == two{"a:2181", ""});
  CHECK(zk::split_servers("a,b:1/streams/x") == two{"a:2181,b:1", "/streams/x"});
  CHECK(zk::split_servers("a/") == two{"a:2181", ""});
  CHECK(zk::split_servers("[::1]:7,[::2],c/d") == two{"::1:7,::2:2181,c:2181", "/d"});
  CHECK(zk::split_servers("") == two{"", ""});
  CHECK(zk::split_servers("/x") == two{"", "/x"});
}

TEST_CASE("no server, and servers of something else") {
  refused(settings_of(servers::free_port()), errc::store_unavailable, "nothing listens there", 300ms);
  auto lost = settings_of(1);
  lost.servers = "no.such.host.invalid:2181";
  refused(lost, errc::store_unavailable, "can't be looked up", 300ms);
  using say = std::optional<std::string>;
  for (auto const& answer : {say{"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"}, say{""}, say{},
                             say{std::string(64, '\0')}, say{std::string(64, '\xff')}}) {
    servers::other_server const other{[&](auto const&) { return answer; }};
    refused(settings_of(other.port()), errc::store_unavailable, "another kind of server", 300ms);
  }
  servers::other_server const echo{[](std::string const& got) { return got; }};
  refused(settings_of(echo.port()), errc::store_unavailable, "gave no session in time", 300ms);
}

TEST_CASE("a frozen server costs a call its deadline, and what it was asked does no harm later") {
  servers::zookeeper z;
  zk::session s{settings_of(z.port())};
  s.ready(in(10s));
  z.freeze(true);
  auto const timed = [&](auto call) {
    auto const begun = std::chrono::steady_clock::now();
    auto const e = error_of(call);
    CHECK(e.code == errc::store_unavailable);
    CHECK(std::chrono::steady_clock::now() - begun < 3s);
  };
  timed([&] { s.read({{"/"}}, in(100ms)); });
  timed([&] { s.make({"/a"}, in(100ms)); });
  zk::operations ops;
  ops.create("/b", "");
  timed([&] { s.change_all(ops, in(100ms)); });
  zk::session other{settings_of(z.port())};
  timed([&] { other.ready(in(100ms)); });
  z.freeze(false);
  CHECK(zk::session::patiently(in(10s), [&] { return s.read({{"/b"}}, in(10s)); })[0].there());
}

TEST_CASE("a session that has ended is followed by another") {
  zk::session s{settings_of(the_zookeeper().port())};
  s.ready(in(10s));
  auto const first = *zoo_client_id(s.native_handle());
  the_zookeeper().expire(first);
  auto const read = [&] {
    return zk::session::patiently(in(10s), [&] { return s.read({{"/"}}, in(10s)); })[0].there();
  };
  auto const same = [&] { return zoo_client_id(s.native_handle())->client_id == first.client_id; };
  // The server may still answer what was asked before it closes the connection; and who comes back quicker than the other one
  // takes its leave keeps the session.
  for (auto const give_up = in(10s); read() && same() && std::chrono::steady_clock::now() < give_up;)
    the_zookeeper().expire(first);
  CHECK(read());
  CHECK_FALSE(same());
}

TEST_CASE("what the session itself wrote it sees, and many are asked for at once") {
  zk::session s{settings_of(the_zookeeper().port())};
  std::vector<std::string> paths{"/session"};
  std::vector<zk::question> questions{{"/session", true}};
  for (int i = 0; i < 500; ++i) {
    paths.push_back("/session/" + std::to_string(i));
    questions.push_back({paths.back()});
  }
  for (auto const& a : s.make(paths, in(10s))) CHECK(a.code == ZOK);
  for (auto const& a : s.make(paths, in(10s))) CHECK(a.code == ZNODEEXISTS);
  auto const all = s.read(questions, in(10s));
  CHECK(all[0].names.size() == 500);
  for (auto const& a : all) CHECK(a.there());
  CHECK(s.read({{"/session/none"}}, in(10s))[0].code == ZNONODE);
}

TEST_CASE("what only its creator may use needs the password, by text, file and variable") {
  auto const& z = the_zookeeper();
  auto mine = settings_of(z.port());
  mine.user = "app";
  mine.password = z.password();
  mine.creator_all = true;
  CHECK(zk::session{mine}.make({"/private"}, in(10s))[0].code == ZOK);
  the_zookeeper().be("app", z.password());
  CHECK_THAT(the_zookeeper().acl("/private"), ContainsSubstring("digest:app:") && !ContainsSubstring("world"));
  auto const code = [&](zk::settings const& s) { return zk::session{s}.read({{"/private"}}, in(10s))[0].code; };
  CHECK(code(mine) == ZOK);
  auto other = mine;
  other.password = "canary";
  CHECK(code(other) == ZNOAUTH);
  other.user.clear();
  CHECK(code(other) == ZNOAUTH);

  temporary_folder const folder;
  other = mine;
  other.password.clear();
  other.password_file = folder.name() + "/secret";
  write_file(other.password_file, z.password() + "\n");
  CHECK(code(other) == ZOK);
  other.password_file.clear();
  other.password_variable = "SLUICE_TEST_ZOOKEEPER";
  ::setenv("SLUICE_TEST_ZOOKEEPER", z.password().c_str(), 1);
  CHECK(code(other) == ZOK);
  ::unsetenv("SLUICE_TEST_ZOOKEEPER");
  auto const e = opening(other);
  CHECK(e.code == errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("SLUICE_TEST_ZOOKEEPER"));
}

TEST_CASE("the session that follows a lost one speaks for the same user") {
  auto s = settings_of(the_zookeeper().port());
  s.user = "app2";
  s.password = the_zookeeper().password();
  s.creator_all = true;
  zk::session session{s};
  CHECK(session.make({"/private2"}, in(10s))[0].code == ZOK);
  the_zookeeper().expire(*zoo_client_id(session.native_handle()));
  CHECK(zk::session::patiently(in(10s), [&] { return session.read({{"/private2"}}, in(10s)); })[0].there());
}

TEST_CASE("refusals by what they mean") {
  auto s = settings_of(1);
  auto const code = [&](int of) {
    auto const e = error_of([&] { zk::session{s}.refuse(of, "writing /x"); });
    CHECK_THAT(e.text, ContainsSubstring("refuses writing /x"));
    return e.code;
  };
  CHECK(code(ZNOAUTH) == errc::bad_configuration);
  CHECK(code(ZINVALIDACL) == errc::bad_configuration);
  CHECK(code(-125) == errc::store_full);
  CHECK(code(ZAPIERROR) == errc::store_unavailable);
  s.user = "app";
  CHECK(code(ZNOAUTH) == errc::bad_configuration);
}

TEST_CASE("ZooKeeper's client writes nothing to stderr, whatever happens") {
  listening_to_stderr errors;
  {
    servers::zookeeper z;
    zk::session s{settings_of(z.port())};
    s.ready(in(10s));
    z.restart();
    zk::session::patiently(in(10s), [&] { return s.read({{"/"}}, in(10s)); });
    z.expire(*zoo_client_id(s.native_handle()));
    zk::session::patiently(in(10s), [&] { return s.read({{"/"}}, in(10s)); });
    z.kill();
    CHECK(error_of([&] { s.read({{"/"}}, in(200ms)); }).code == errc::store_unavailable);
    opening(settings_of(servers::free_port()), 200ms);
    auto bad = settings_of(1);
    for (auto const* servers : {"no.such.host.invalid:1", "a:b", "::", ",", "127.0.0.1:0"}) {
      bad.servers = servers;
      CHECK(opening(bad, 200ms).code == errc::store_unavailable);
    }
    servers::other_server const http{[](auto const&) { return "HTTP/1.1 400 Bad Request\r\n\r\n"; }};
    opening(settings_of(http.port()), 200ms);
  }
  CHECK(errors.end() == "");
}
