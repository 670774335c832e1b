#include <sluice/offset_store/sqlite_connection.hpp>

#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "sqlite_support.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using sl::detail::sqlite::connection;
using namespace std::chrono_literals;

thrown opening(std::string const& path, std::chrono::milliseconds lock_timeout = 1s) {
  return error_of([&] { connection{"sqlite_offsets", path, lock_timeout}; });
}
unsigned mode(std::string const& file) {
  struct stat s{};
  return ::stat(file.c_str(), &s) == 0 ? s.st_mode & 0777u : 0;
}

}  // namespace

TEST_CASE("a file that the library makes is its owner's only, and so are the files beside it") {
  folder const in;
  connection db{"sqlite_offsets", in / "a.db", 1s};
  db.make_durable();
  db.run("create table t (x)");
  for (auto const* suffix : {"", "-wal", "-shm"}) CHECK(mode(in / "a.db" + suffix) == 0600);
  CHECK(std::distance(std::filesystem::directory_iterator{in.path}, {}) == 3);
}

TEST_CASE("a file that is there keeps its mode") {
  folder const in;
  std::ofstream{in / "a.db"};
  std::filesystem::permissions(in / "a.db", std::filesystem::perms{0640});
  connection{"sqlite_offsets", in / "a.db", 1s}.make_durable();
  CHECK(mode(in / "a.db") == 0640);
}

TEST_CASE("a relative path is meant once: the file stays the same wherever the program goes") {
  folder const in, elsewhere;
  auto const before = std::filesystem::current_path();
  std::filesystem::current_path(in.path);
  {
    connection db{"sqlite_offsets", "a.db", 1s};
    std::filesystem::current_path(elsewhere.path);
    db.make_durable();
    db.run("create table t (x)");
    db.close();
    db.reopen();
    CHECK(db.has_table("t"));
  }
  std::filesystem::current_path(before);
  CHECK(std::filesystem::exists(in / "a.db"));
  CHECK(std::filesystem::is_empty(elsewhere.path));
}

/// An fsync of it may have failed, and then a later one proves nothing.
TEST_CASE("a log that another process has left is written again before anything rests on it, and not copied before") {
  folder const in;
  failing_disk const disk;
  auto const log = in / "b.db-wal";
  {
    connection left{"sqlite_offsets", in / "a.db", 1s};
    left.make_durable();
    left.run("create table t (x)");
    for (auto const* suffix : {"", "-wal"}) std::filesystem::copy(in / "a.db" + suffix, in / "b.db" + suffix);
  }
  auto const size = static_cast<int>(std::filesystem::file_size(log));
  CHECK(size > 0);
  {
    connection reader{"sqlite_offsets", in / "b.db", 1s};
    CHECK(reader.has_table("t"));
  }
  CHECK(static_cast<int>(std::filesystem::file_size(log)) == size);

  connection db{"sqlite_offsets", in / "b.db", 1s};
  failing_disk::log_bytes = failing_disk::log_syncs = 0;
  failing_disk::log_syncs_fail = 1;
  CHECK_THROWS_AS(db.begin(sl::time_point::max()), sl::store_error);
  CHECK_FALSE(db.in_transaction());
  for (int i = 0; i < 2; ++i) {
    db.begin(sl::time_point::max());
    CHECK(failing_disk::log_bytes == 2 * size);
    CHECK(failing_disk::log_syncs == 2);
    db.rollback();
  }
  db.close();
  CHECK_FALSE(std::filesystem::exists(log));
}

TEST_CASE("what can't be a database's path is told before anything is made") {
  folder const in;
  std::ofstream{in / "file"};
  std::filesystem::create_symlink(in / "nowhere", in / "dangling");
  for (auto const& path : {std::string{}, std::string(":memory:"), std::string("file:a.db?mode=ro"), in / "none/a.db",
                           in / "file/a.db", in.path, in / "dangling"}) {
    INFO(path);
    auto const e = opening(path);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("sqlite_offsets.path"));
  }
  CHECK_THAT(opening(in / "none/a.db").text, ContainsSubstring("no such folder"));
  CHECK(opening(in / "a.db", -1ms).code == sl::errc::bad_configuration);
  CHECK(std::distance(std::filesystem::directory_iterator{in.path}, {}) == 2);
}

TEST_CASE("commits are durable: write-ahead log and full synchronisation, asked of SQLite") {
  folder const in;
  connection db{"sqlite_offsets", in / "a.db", 1s};
  db.make_durable();
  CHECK(db.text("pragma journal_mode") == "wal");
  CHECK(db.text("pragma synchronous") == "2");
}

TEST_CASE("a lock is waited for until the deadline, or until it is free") {
  folder const in;
  connection a{"sqlite_offsets", in / "a.db", 10s}, b{"sqlite_offsets", in / "a.db", 10s};
  a.make_durable();
  auto const now = [] { return std::chrono::steady_clock::now(); };
  a.begin(now() + 10s);
  auto const started = now();
  auto const e = error_of([&] { b.begin(now() + 50ms); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK(now() - started >= 50ms);
  CHECK(now() - started < 5s);
  std::thread soon{[&] {
    std::this_thread::sleep_for(20ms);
    a.rollback();
  }};
  b.begin(now() + 10s);
  soon.join();
  CHECK(b.in_transaction());
}

TEST_CASE("processes that start together on a new file all get it") {
  folder const in;
  for (int round = 0; round < 100; ++round) {
    auto const file = in / std::to_string(round);
    std::atomic<int> opened{0};
    std::vector<std::jthread> all;
    for (int i = 0; i < 4; ++i)
      all.emplace_back([&] {
        auto const e = error_of([&] {
          connection db{"sqlite_offsets", file, 10s};
          db.make_durable();
        });
        if (e.text.empty()) ++opened;
      });
    all.clear();
    REQUIRE(opened == 4);
  }
}
