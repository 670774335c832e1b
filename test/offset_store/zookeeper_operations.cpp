#include <sluice/offset_store/zookeeper_operations.hpp>

#include "sanitized.hpp"
#include "servers/proxy.hpp"
#include "zookeeper_support.hpp"

namespace {

using namespace std::chrono_literals;
auto soon() { return std::chrono::steady_clock::now() + 10s; }

struct fixture {
  std::string root = "/operations";
  zk::session session{
      {.who = "test", .servers = the_zookeeper().address(), .connect_timeout = 5s, .session_timeout = 5s}};
  fixture() {
    the_zookeeper().remove(root);
    the_zookeeper().put(root, "");
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "all of it happens, or nothing, and the refused one is known") {
  zk::operations all;
  all.create(root + "/a", "1").create(root + "/b", "2").set(root, "x", 0);
  auto const good = session.change_all(all, soon());
  CHECK(good.done());
  REQUIRE(good.versions.size() == 3);
  CHECK(good.versions[2] == 1);

  zk::operations more;
  more.set(root, "y", 1).check(root + "/a", 0).set(root + "/b", "3", 7).remove(root + "/a", 0);
  auto const bad = session.change_all(more, soon());
  CHECK(bad.code == ZBADVERSION);
  CHECK(bad.conflict());
  CHECK(bad.at == 2);
  CHECK(the_zookeeper().get(root) == "x");
  CHECK(the_zookeeper().get(root + "/a") == "1");

  zk::operations rest;
  rest.remove(root + "/a", 0).remove(root + "/b", 0);
  CHECK(session.change_all(rest, soon()).done());
  CHECK(the_zookeeper().children(root).empty());
}

TEST_CASE_METHOD(fixture, "what a request takes is not underestimated") {
  auto const sent = [&](auto add) {
    zk::operations all;
    for (int i = 0; i < 200; ++i) add(all, root + "/" + std::to_string(i));
    servers::proxy p{the_zookeeper().port()};
    zk::session through{{.who = "test",
                         .servers = "127.0.0.1:" + std::to_string(p.port()),
                         .connect_timeout = 5s,
                         .session_timeout = 5s}};
    through.ready(soon());
    auto const before = p.bytes_asked();
    CHECK(through.change_all(all, soon()).done());
    CHECK(p.bytes_asked() - before <= all.bytes());
    CHECK(p.bytes_asked() - before > all.bytes() / 4);
  };
  sent([](auto& all, auto const& path) { all.create(path, "12345"); });
  sent([](auto& all, auto const& path) { all.set(path, "12345", 0); });
  sent([](auto& all, auto const& path) { all.check(path, 1); });
  sent([](auto& all, auto const& path) { all.remove(path, 1); });
}

TEST_CASE_METHOD(fixture, "what is refused as a whole names no operation") {
  zk::operations all;
  all.check(root, -1).create("no path", "");  // the client itself refuses such a text
  sanitized::leaks_of_others const of_the_client;
  auto const e = error_of([&] { session.change_all(all, soon()); });
  CHECK(e.of_store);
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("refuses writing nodes: "));
}
