#include <sluice/output/sqlite_table.hpp>
// Both outputs: they share their table.
#include <sluice/output/sqlite.hpp>

#include "../offset_store/sqlite_support.hpp"
#include "upsert_cases.hpp"

namespace {

using namespace upsert_cases;
using namespace std::chrono_literals;

struct fixture {
  failing_disk disk{};
  folder in{};
  std::string file = in / "out.db";
  sl::sqlite_upsert_into upsert{.path = file, .table = "last", .key = {"k"}, .columns = {"v"}};
  sl::sqlite_insert_into insert{.path = file, .table = "log", .columns = {"v"}};

  template <class Map>
  auto output(Map map) {
    return sl::sqlite_upsert{upsert, map};
  }
  texts look(std::string const& sql) { return rows(file, sql); }
  texts log() { return look("select v from log order by sluice_partition, sluice_offset, sluice_row"); }
};

}  // namespace

TEST_CASE_METHOD(fixture, "a row of the wrong size or type is the handler's fault, told without values") {
  sl::sqlite_insert few{insert, [](sl::record, auto& row) { row(); }};
  sl::sqlite_upsert many{upsert, [](sl::record, auto& row) { row(1, 2, 3); }};
  sl::sqlite_upsert no_key{upsert, key_and_text};
  auto const r = single(zero, 1, std::nullopt, "CANARY");
  for (auto const& e :
       {error_of([&] { few(r.batch()); }), error_of([&] { many(r.batch()); }), error_of([&] { no_key(r.batch()); })}) {
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
  }
}

TEST_CASE_METHOD(fixture, "a log that another process has left is written again before a table is made") {
  plain other{file};
  other.rows("pragma journal_mode = wal");
  other.rows("create table before as select zeroblob(100000)");
  failing_disk::log_bytes = 0;
  sl::sqlite_insert const out{insert, [](sl::record r, auto& row) { row(r.text()); }};
  CHECK(failing_disk::log_bytes > 100'000);
  CHECK(look("select count(*) from log") == texts{"0"});
}

TEST_CASE_METHOD(fixture, "a database that fails is never the record's fault") {
  insert.lock_timeout = 50ms;
  sl::sqlite_insert out{insert, [](sl::record r, auto& row) { row(r.text()); }};
  auto const a = single(zero, 1, {}, "a"), b = single(zero, 2, {}, "b");
  SECTION("locked by another") {
    plain other{file};
    other.rows("begin immediate");
    auto const e = error_of([&] { out(a.batch()); });
    CHECK(e.code == sl::errc::store_unavailable);
    CHECK(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring(file) && ContainsSubstring("another process holds the lock"));
    other.rows("rollback");
  }
  SECTION("full") {
    failing_disk::full = true;
    auto const e = error_of([&] { out(a.batch()); });
    CHECK(e.code == sl::errc::store_full);
    CHECK(e.of_store);
    failing_disk::full = false;
  }
  SECTION("its fsync fails") {
    failing_disk::log_syncs_fail = 1;
    auto const e = error_of([&] { out(a.batch()); });
    CHECK(e.code == sl::errc::store_unavailable);
    CHECK(e.of_store);
  }
  SECTION("it fails for a while") {
    failing_disk::log_syncs_fail = 4;
    CHECK(error_of([&] { out(a.batch()); }).of_store);
    CHECK(error_of([&] { out(a.batch()); }).of_store);
    failing_disk::log_syncs_fail = 0;
  }
  out(a.batch());
  out(b.batch());
  CHECK(log() == texts{"a", "b"});
}

TEST_CASE_METHOD(fixture, "a table that the user made, with types, is used as it is") {
  rows(file,
       "create table log (v integer not null check (v < 10), sluice_topic text, sluice_incarnation integer,"
       " sluice_partition integer, sluice_offset integer, sluice_row integer,"
       " unique (sluice_topic, sluice_incarnation, sluice_partition, sluice_offset, sluice_row))");
  sl::sqlite_insert out{insert, [](sl::record r, auto& row) { row(std::stoi(std::string(r.text()))); }};
  out(single(zero, 1, {}, "7").batch());
  out(single(zero, 1, {}, "7").batch());
  CHECK(log() == texts{"7"});
  CHECK(error_of([&] { out(single(zero, 2, {}, "11").batch()); }).code == sl::errc::bad_statement);
}
