#include <sluice/offset_store/webhdfs_folder.hpp>

#include "servers/http.hpp"
#include "thrown.hpp"
#include "webhdfs_opening.hpp"

namespace {

using contract::advance;
using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using contract::to;
using sl::errc;
using sl::offset;
using sl::outcome;
using sl::detail::publication;
using all_of = std::vector<outcome>;
using names = std::vector<std::string>;
using namespace std::chrono_literals;

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }

/// The names in a folder of the test's HDFS, sorted.
names files(std::string const& path) {
  auto all = sl::detail::webhdfs::names_of(the_hdfs().ask("GET", path + "?op=LISTSTATUS").content).value();
  std::sort(all.begin(), all.end());
  return all;
}
std::string generation(int n) { return sl::detail::generation_name(static_cast<std::uint64_t>(n)); }

void store_again(sl::detail::webhdfs::folder& f, std::string const& topic) {
  f.newest(soon()).topics[{"billing", topic}];
  CHECK(f.publish(soon()) == publication::yes);
}

}  // namespace

TEST_CASE("what a WebHDFS store's configuration can't be is told with its key") {
  auto const bad = [](auto change, std::string const& part) {
    sl::webhdfs_offsets p{.address = "http://h:1", .directory = "/a", .user = "app"};
    change(p);
    refused(p, errc::bad_configuration, "webhdfs_offsets." + part);
  };
  for (auto const* where : {"", "h:1", "http://u:canary@h", "http://h/webhdfs"})
    bad([&](auto& p) { p.address = where; }, "address");
  for (auto const* path : {"", "/", "a", "/a/", "/a//b", "/a/../b", "/a b", "/a?b", "/a%2Fb", "/a~b"})
    bad([&](auto& p) { p.directory = path; }, "directory");
  for (auto const* user : {"", "a b", "a&op=DELETE", "a/b", ".a"}) bad([&](auto& p) { p.user = user; }, "user");
  bad([](auto& p) { p.token = "canary"; }, "user");
  bad([](auto& p) { p.user = "", p.token = "canary", p.token_file = "/nowhere"; }, "token");
  bad([](auto& p) { p.user = "", p.token_file = "/nowhere"; }, "token_file = /nowhere");
  bad([](auto& p) { p.user = "", p.token_variable = "NOBODY_SET_THIS"; }, "token_variable");
  bad([](auto& p) { p.user = "", p.token = "canary&op=DELETE"; }, "token");
  bad([](auto& p) { p.timeout = 0ms; }, "timeout");
}

TEST_CASE("groups have different folders, however long their names") {
  using sl::detail::webhdfs::group_path;
  CHECK(group_path("billing") == "/billing");
  CHECK(group_path("") == "/~");
  CHECK(group_path("..") == "/~2E.");
  CHECK(group_path(std::string(200, 'x')) == "/" + std::string(200, 'x'));
  CHECK(group_path(std::string(201, 'x')) == "/" + std::string(200, 'x') + "~/x");
  CHECK(group_path(std::string(400, 'x')) == "/" + std::string(200, 'x') + "~/" + std::string(200, 'x'));
  // No folder's name begins with a dot, wherever a name is cut.
  auto const cut = "/" + std::string(200, 'x') + "~/";
  CHECK(group_path(std::string(200, 'x') + ".") == cut + "~2E");
  CHECK(group_path(std::string(200, 'x') + "..") == cut + "~2E.");
  CHECK(group_path(std::string(200, 'x') + "a.") == cut + "a.");
  CHECK(group_path(std::string(400, '.')) ==
        "/~2E" + std::string(197, '.') + "~/~2E" + std::string(199, '.') + "~/~2E.");
}

TEMPLATE_TEST_CASE("a directory that is not there, or may not be written to", "", webhdfs_fixture, http_fs_fixture) {
  TestType f;
  auto p = f.config;
  p.directory += "/none";
  refused(p, errc::bad_configuration, "make it");
  p = f.config;
  p.user = "somebody";
  refused(p, errc::bad_configuration, "right");

  auto r = orders();
  auto const s = f.open();
  auto const set = partitions("orders", {0});
  auto const c = claim(*s, "billing", set, r);
  auto const before = files(f.config.directory + "/billing");
  the_hdfs().ask("PUT", f.config.directory + "/billing?op=SETPERMISSION&permission=555");
  auto const e = error_of([&] { s->advance(std::vector{to(c[0], 15)}, soon()); });
  CHECK(e.code == errc::bad_configuration);
  CHECK(e.of_store);
  CHECK(error_of([&] { s->claim("billing", set, r, soon()); }).code == errc::bad_configuration);
  CHECK(contract::copy(s->settle(std::vector{to(c[0], 15)}, soon())) == all_of{outcome::unknown});
  CHECK(files(f.config.directory + "/billing") == before);
  the_hdfs().ask("PUT", f.config.directory + "/billing?op=SETPERMISSION&permission=755");
  CHECK(advance(*s, {to(c[0], 15)}) == all_of{outcome::applied});
}

TEMPLATE_TEST_CASE("the newest file and the one before it stay, with nothing that nobody will finish", "",
                   webhdfs_fixture, http_fs_fixture) {
  TestType f;
  auto folder = f.folder();
  for (int i = 0; i < 5; ++i) store_again(folder, std::to_string(i));
  auto const path = f.config.directory + "/billing";
  CHECK(files(path) == names{generation(4), generation(5)});
  auto const old = "temporary." + sl::detail::padded(4) + ".a", now = "temporary." + sl::detail::padded(6) + ".b";
  the_hdfs().put(path + "/" + old, "");
  the_hdfs().put(path + "/" + now, "");
  the_hdfs().put(path + "/mine", "");
  store_again(folder, "5");
  CHECK(files(path) == names{generation(5), generation(6), "mine", now});
}

TEMPLATE_TEST_CASE("a sleeper that makes a removed number again is overtaken", "", webhdfs_fixture, http_fs_fixture) {
  TestType f;
  auto awake = f.folder(), sleeper = f.folder();
  store_again(awake, "1");
  sleeper.newest(soon()).topics[{"billing", "late"}];
  for (auto const* topic : {"2", "3", "4"}) store_again(awake, topic);
  auto const path = f.config.directory + "/billing";
  CHECK(files(path) == names{generation(3), generation(4)});
  CHECK(sleeper.publish(soon()) == publication::overtaken);
  auto const& topics = sleeper.newest(soon()).topics;
  CHECK(topics.contains({"billing", "4"}));
  CHECK_FALSE(topics.contains({"billing", "late"}));
  CHECK(files(path) == names{generation(3), generation(4)});
}

TEMPLATE_TEST_CASE("a number that is taken is not replaced", "", webhdfs_fixture, http_fs_fixture) {
  TestType f;
  auto a = f.folder(), b = f.folder();
  a.newest(soon()).topics[{"billing", "a"}];
  b.newest(soon()).topics[{"billing", "b"}];
  CHECK(a.publish(soon()) == publication::yes);
  CHECK(a.durable());
  CHECK(b.publish(soon()) == publication::taken);
  CHECK(b.newest(soon()).topics.contains({"billing", "a"}));
  CHECK_FALSE(b.durable());
}

TEMPLATE_TEST_CASE("what is in the newest file and can't be read is told, and left as it was", "", webhdfs_fixture,
                   http_fs_fixture) {
  TestType f;
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open();
  auto const c = claim(*s, "billing", set, r);
  auto const path = f.config.directory + "/billing";
  auto const everything = [&](std::string const& content, errc code, std::string const& part) {
    the_hdfs().put(path + "/" + generation(2), content);
    auto const told = [&](auto call) {
      auto const e = error_of(call);
      INFO(e.text);
      CHECK(e.code == code);
      CHECK(e.of_store);
      CHECK_THAT(e.text, ContainsSubstring(path + "/" + generation(2)) && ContainsSubstring(part));
    };
    std::vector const moves{to(c[0], 15), to(c[1], 25)};
    told([&] { s->advance(moves, soon()); });
    told([&] { s->claim("billing", set, r, soon()); });
    told([&] { s->record({{set[1], offset{1}, c[1].mine, "seek"}}, soon()); });
    CHECK(contract::copy(s->settle(moves, soon())) == all_of(2, outcome::unknown));
    s->release(c, soon());
    CHECK(std::ranges::count(files(path), generation(3)) == 0);
  };
  std::string good;
  encode(f.folder().newest(soon()), good);
  everything("canary", errc::store_damaged, "no file of offsets");
  everything("", errc::store_damaged, "put it back from a backup");
  everything(good.substr(0, good.size() - 1), errc::store_damaged, "its length");
  auto bit = good;
  bit[40] ^= 1;
  everything(bit, errc::store_damaged, "its checksum");
  auto const other = f.open();
  claim(*other, "other", set, r);
  encode(f.folder("other").newest(soon()), good);
  everything(good, errc::store_damaged, "the group 'other'");
  std::string head{sl::detail::generation_magic}, length;
  sl::detail::byte_writer{head}.number(std::uint32_t{2});
  sl::detail::byte_writer{length}.number(std::uint64_t{3});
  sl::detail::byte_writer{head}.number(sl::detail::crc32c("new", sl::detail::crc32c(length, sl::detail::crc32c(head))));
  everything(head + length + "new", errc::store_newer, "later version");

  the_hdfs().ask("DELETE", path + "?op=DELETE&recursive=true");
  auto const e = error_of([&] { s->claim("billing", set, r, soon()); });
  CHECK(e.code == errc::store_damaged);
  CHECK_THAT(e.text, ContainsSubstring("was not before"));
}

TEST_CASE("without a DataNode nothing is stored, and everything is there when it comes back") {
  webhdfs_fixture f;
  auto r = orders();
  auto const s = f.open();
  auto const c = claim(*s, "billing", partitions("orders", {0}), r);
  the_hdfs().kill_data_node();
  auto answers = contract::copy(s->advance(std::vector{to(c[0], 15)}, soon()));
  CHECK(answers == all_of{outcome::unknown});
  the_hdfs().restart();
  CHECK(contract::copy(s->settle(std::vector{to(c[0], 15)}, soon())) == all_of{outcome::applied});
  CHECK(contract::stands_at(f, partitions("orders", {0})) == std::vector{offset{15}});
}
