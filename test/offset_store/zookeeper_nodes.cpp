#include <sluice/offset_store/zookeeper_nodes.hpp>

#include "thrown.hpp"

namespace zk = sluice::detail::zookeeper;
using sl::offset;

namespace {

zk::session const nowhere{{.who = "test", .servers = "host:1"}};
zk::node_reader const reader{nowhere};

zk::found data(std::string text) { return {.code = ZOK, .data = std::move(text), .names = {}, .stat = {}}; }
zk::found names(std::vector<std::string> all) { return {.code = ZOK, .data = {}, .names = std::move(all), .stat = {}}; }

template <class F>
void damaged(F what, std::string const& part) {
  auto const e = error_of(what);
  INFO(e.text);
  CHECK(e.of_store);
  CHECK(e.code == sl::errc::store_damaged);
  CHECK_THAT(e.text,
             ContainsSubstring("test: ZooKeeper at host:1") && ContainsSubstring("/p") && ContainsSubstring(part));
}

}  // namespace

TEST_CASE("an offset's node, and what is none") {
  zk::partition_nodes n;
  auto d = data("15");
  d.stat.version = 4;
  reader.take_plain(d, "/p", n);
  CHECK(n.plain == offset{15});
  CHECK(n.plain_version == 4);
  zk::found gone;
  gone.code = ZNONODE;
  reader.take_plain(gone, "/p", n);
  CHECK_FALSE(n.plain);

  auto const bad = [&](zk::found const& f, std::string const& part) {
    damaged([&] { reader.take_plain(f, "/p", n); }, part);
    damaged([&] { reader.take_plain(f, "/p", n); }, "set /p NUMBER");
  };
  bad(data(""), "holds nothing");
  bad(data("-1"), "\"-1\"");
  bad(data("12,34"), "\"12,34\"");
  bad(data("99999999999999999999"), "no offset");
  bad(data("\x1b[31m\n"), "\"?[31m?\"");
  bad(data(std::string(1000, '9')), "9…\"");
  bad(data("\xac\xed\x05t2"), "serialized Java object");
  d.stat.numChildren = 2;
  bad(d, "has children");
  d.stat.numChildren = 0;
  d.stat.ephemeralOwner = 1;
  bad(d, "ephemeral");
  zk::found denied;
  denied.code = ZNOAUTH;
  auto const e = error_of([&] { reader.take_plain(denied, "/p", n); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("reading /p"));
}

TEST_CASE("a state's node, and what is none") {
  zk::partition_nodes n;
  reader.take_state(data("15 1 2 3 -1 14 9"), "/p", {2, 3}, n);
  REQUIRE(n.state);
  CHECK(n.state->next == offset{15});
  CHECK_FALSE(n.missing);
  reader.take_state(data("- 1 2 3 -1 - -"), "/p", {2, 3}, n);
  CHECK(n.missing);
  damaged([&] { reader.take_state(data("15 1 2 3 -1 14"), "/p", {2, 3}, n); }, "none of this library's state");
  damaged([&] { reader.take_state(data("15 1 2 4 -1 14 9"), "/p", {2, 3}, n); }, "none of this library's state");
  CHECK(reader.take_record(data("sluice 1 3"), "/p").made == 3);
  damaged([&] { (void)reader.take_record(data("mine"), "/p"); }, "choose another .state");
  auto const newer = error_of([&] { (void)reader.take_record(data("sluice 2 x"), "/p"); });
  CHECK(newer.code == sl::errc::store_newer);
  CHECK_THAT(newer.text, ContainsSubstring("format 2"));

  auto const all = reader.take_names(names({"0-1-0000000000000002", "rewinds", "3-0-0000000000000000"}), "/p");
  CHECK(all == std::map<std::int32_t, sl::fence>{{0, {1, 2}}, {3, {}}});
  damaged([&] { (void)reader.take_names(names({"theirs"}), "/p"); }, "\"theirs\"");
  damaged([&] { (void)reader.take_names(names({"0-1-0000000000000002", "0-1-0000000000000003"}), "/p"); },
          "two states");
}

TEST_CASE("a rewind is a line, and only the newest are kept") {
  zk::rewinds_text text{""};
  text.add(3, offset{20}, offset{10}, 99, "one\ntwo");
  text.add(4, {}, offset{5}, 7, std::string(500, 'x'));
  auto const kept = text.kept(10'000);
  CHECK_THAT(kept, ContainsSubstring(" 3 20 10 99 one two\n") && ContainsSubstring(" 4 - 5 7 xxx"));
  CHECK(kept.size() < 320);
  CHECK(text.highest_incarnation(3) == 99);
  CHECK(text.highest_incarnation(4) == 7);
  CHECK(text.highest_incarnation(5) == 0);
  for (int i = 0; i < 1500; ++i) text.add(1, offset{i}, offset{i}, i, "seek");
  auto const most = text.kept(1'000'000);
  CHECK(std::count(most.begin(), most.end(), '\n') == 1000);
  CHECK(text.highest_incarnation(3) == 0);
  auto const few = text.kept(500);
  CHECK(few.size() <= 500);
  CHECK(few.ends_with(" 1 1499 1499 1499 seek\n"));
}
