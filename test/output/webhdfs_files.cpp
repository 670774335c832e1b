#include <sluice/output/webhdfs_files.hpp>

#include <sluice/delivery/idempotent.hpp>
#include <sluice/output/objects.hpp>

#include "offset_store/contract_network.hpp"
#include "offset_store/file_server_in_memory.hpp"
#include "offset_store/webhdfs_support.hpp"
#include "seed.hpp"
#include "some_records.hpp"
#include "thrown.hpp"

namespace {

using sl::offset;
using std::chrono_literals::operator""ms;
using contract::trouble;
sl::topic_partition const orders{"orders", 0};

some_records records(std::int64_t from, std::int64_t until, std::int64_t incarnation = 7) {
  some_records r{orders, incarnation};
  for (auto at = from; at < until; ++at) r.add(at, std::nullopt, std::to_string(at), {});
  return r;
}
std::string lines(std::int64_t from, std::int64_t until) {
  std::string all;
  for (auto at = from; at < until; ++at) all += std::to_string(at) + "\n";
  return all;
}
template <class Files>
auto text_files(std::string const& directory, Files files) {
  return sl::files_by_range<sl::value_lines, Files>{directory, {}, ".txt", std::move(files)};
}

sl::webhdfs_server at(std::string const& address) { return {.address = address, .user = "sluice", .timeout = 3000ms}; }

}  // namespace

TEST_CASE("records are in HDFS once each, however often and in whatever pieces they come") {
  STATIC_REQUIRE(sl::idempotent_output<sl::files_by_range<sl::value_lines, sl::webhdfs_files>>);
  webhdfs_fixture const f;
  auto const& directory = f.config.directory;
  auto const here = at(the_hdfs().address());
  CHECK(sl::list_files(directory, orders, sl::webhdfs_files{here}).empty());
  {
    sl::files_by_range out{directory, sl::value_lines{}, ".txt", sl::webhdfs_files{here}};
    out(records(0, 10).batch());
    out(records(10, 12).batch());
  }
  sl::files_by_range out{directory, sl::value_lines{}, ".txt", sl::webhdfs_files{here}};
  sl::files_by_range late{directory, sl::value_lines{}, ".txt", sl::webhdfs_files{here}};
  out(records(5, 20).batch());
  late(records(8, 25).batch());
  out(records(20, 30).batch());
  CHECK(sl::read_files(directory, orders, sl::webhdfs_files{here}) == lines(0, 30));
  out(records(3, 5, 8).batch());  // after a seek back
  CHECK(sl::read_files(directory, orders, sl::webhdfs_files{here}) == lines(0, 30) + lines(3, 5));
  auto const names =
      sl::detail::webhdfs::names_of(the_hdfs().ask("GET", directory + "/orders/0?op=LISTSTATUS").content);
  for (auto const& name : names.value()) CHECK_FALSE(name.starts_with("temporary."));
  CHECK(the_hdfs()
            .ask("GET", directory + "/orders/0/00000000000000000007-00000000000000000000/" +
                            "00000000000000000010.txt?op=GETFILESTATUS")
            .status == 200);

  sl::topic_partition const strange{".a/b+c", 1};
  some_records r{strange, 1};
  r.add(0, std::nullopt, "x", {});
  out(r.batch());
  CHECK(sl::read_files(directory, strange, sl::webhdfs_files{here}) == "x\n");
}

TEST_CASE("objects are in HDFS as on a disk") {
  webhdfs_fixture const f;
  sl::webhdfs_files const files{at(the_hdfs().address())};
  sl::objects_by_range<sl::record_codec, sl::webhdfs_files> out{f.config.directory, {}, ".objects", files};
  out(records(0, 100).batch());
  out(records(50, 120).batch());
  std::int64_t next = 0;
  sl::read_objects(
      f.config.directory, orders, [&](sl::kept_record const& r) { CHECK(r.at == offset{next++}); }, sl::record_codec{},
      files);
  CHECK(next == 120);
}

TEST_CASE("whatever request to HDFS is lost, its answer, or comes late: the next attempt makes it right") {
  for (auto const t : {trouble::cut_before, trouble::cut_after, trouble::hold}) {
    webhdfs_fixture const f;
    auto const& directory = f.config.directory;
    servers::proxy p{the_hdfs().port()};
    auto out = text_files(directory, sl::webhdfs_files{at(the_hdfs().address(p.port()))});
    out(records(0, 2).batch());
    std::int64_t next = 2;
    contract::at_each_request(p, t, [&](unsigned k, auto met) {
      p.arrange(t, k);
      for (int tries = 0;; ++tries) {
        try {
          out(records(next, next + 2 + tries).batch());  // each time cut otherwise
          next += 2 + tries;
          break;
        } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_unavailable); }
        REQUIRE(tries < 10);
        met();
      }
      met();
      p.deliver();
      CHECK(sl::read_files(directory, orders, sl::webhdfs_files{at(the_hdfs().address())}) == lines(0, next));
    });
  }
}

TEST_CASE("what can't be done in HDFS is told, with the remedy") {
  webhdfs_fixture const f;
  auto const told = [&](sl::webhdfs_server const& server, std::string const& directory, sl::errc code,
                        std::string const& part) {
    auto const e = error_of([&] {
      auto out = text_files(directory, sl::webhdfs_files{server});
      out(records(0, 2).batch());
    });
    INFO(e.text);
    CHECK(e.code == code);
    CHECK_THAT(e.text, ContainsSubstring(part));
  };
  auto const& directory = f.config.directory;
  auto const here = the_hdfs().address();
  told({.address = "nowhere", .user = "sluice"}, directory, sl::errc::bad_configuration, "webhdfs_server.address");
  told({.address = here}, directory, sl::errc::bad_configuration, "webhdfs_server.user");
  told(at(here), "data", sl::errc::bad_configuration, "the folder 'data' must be an absolute path");
  told({.address = here, .user = "stranger"}, directory, sl::errc::bad_configuration,
       "give it the right to read, write and enter the folder");
  told(at("http://127.0.0.1:1"), directory, sl::errc::store_unavailable, "webhdfs_server: WebHDFS at 127.0.0.1:1");
  told({.address = the_http_fs().address(), .user = "sluice", .timeout = 30'000ms}, directory,
       sl::errc::bad_configuration, "give the address of the NameNode");
}

TEST_CASE("what is seen of another one is made durable, or was lost") {
  webhdfs_fixture const f;
  sl::webhdfs_files files{at(the_hdfs().address())};
  auto out = text_files(f.config.directory, files);
  out(records(0, 2).batch());
  sl::webhdfs_files::handle folder;
  REQUIRE(files.open_directory(f.config.directory + "/orders/0", folder) == 0);
  CHECK(files.confirm(folder, "00000000000000000007-00000000000000000000") == 0);
  CHECK(files.confirm(folder, "00000000000000000007-00000000000000000002") == ENOENT);

  using server = in_memory::server<true>;
  for (std::uint64_t s = 0; s < 200; ++s) {
    INFO("seed " << s);
    in_memory::world w{s};
    auto const dead = std::make_shared<bool>(false);
    text_files("/d", sl::detail::hosted_files{server{w, dead}})(records(0, 2).batch());
    auto const named = "/d/orders/0/00000000000000000007-00000000000000000002/00000000000000000004.txt";
    w.files[named] = "2\n3\n";  // by one that died then
    w.meanwhile = [&] { w.take_over(), w.meanwhile = {}; };
    auto next = text_files("/d", sl::detail::hosted_files{server{w, dead}});
    for (bool done = false; !done;) try {
        next(records(2, 6).batch());
        done = true;
      } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_unavailable); }
    w.take_over();
    CHECK(sl::read_files("/d", orders, sl::detail::hosted_files{server{w, dead}}) == lines(0, 6));
  }
}

TEST_CASE("files by range from processes that lose requests, die, and are late: each record once") {
  using server = in_memory::server<true>;
  using files = sl::detail::hosted_files<server>;
  using output = sl::files_by_range<sl::value_lines, files>;
  auto const first = seed() % 1'000'000;
  for (std::uint64_t s = first; s < first + 40; ++s) {
    INFO("seed " << s);
    in_memory::world w{s};
    w.trouble = 50;
    std::int64_t acknowledged = 0;
    struct process {
      std::shared_ptr<bool> dead{};
      std::unique_ptr<output> out{};
      std::int64_t next = 0;
      bool busy = false;
    };
    std::vector<process> all(3);
    auto const any = [&] {
      auto& p = all[w.random() % all.size()];
      if (p.busy) return;
      if (w.chance(200)) w.take_over();
      p.busy = true;
      try {
        if (!p.out || *p.dead) {
          p.dead = std::make_shared<bool>(false);
          p.out = std::make_unique<output>(text_files("/d", files{server{w, p.dead}}));
          p.next = w.random() % 2 ? acknowledged : p.next;
        }
        auto const until = p.next + 1 + static_cast<std::int64_t>(w.random() % 6);
        (*p.out)(records(p.next, until).batch());
        // What begins behind what is stored is nobody's batch.
        if (p.next <= acknowledged) acknowledged = std::max(acknowledged, until);
        p.next = std::min(until, acknowledged);
      } catch (in_memory::died const&) {
      } catch (sl::store_error const& e) {
        INFO(e.what());
        CHECK(e.code() == sl::errc::store_unavailable);
      }
      p.busy = false;
    };
    w.meanwhile = any;
    for (int i = 0; i < 100; ++i) any();
    w.meanwhile = {};
    w.trouble = 0;
    while (!w.late.empty()) w.deliver_one();
    w.take_over();
    files const reading{server{w, std::make_shared<bool>(false)}};
    auto const text = sl::read_files("/d", orders, reading);
    CHECK(acknowledged > 20);
    CHECK(text.starts_with(lines(0, acknowledged)));
    CHECK(text == lines(0, std::count(text.begin(), text.end(), '\n')));
  }
}
