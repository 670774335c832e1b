#include <sluice/offset_store/sqlite_refusal.hpp>

#include <sluice/offset_store/sqlite.hpp>

#include <array>
#include <limits>

#include "sqlite_support.hpp"
#include "transaction_cases.hpp"

namespace {

using namespace transaction_cases;

struct fixture : open_transaction<sqlite_fixture> {
  std::string file = config.path;

  fixture() { tx->execute("create table t (id integer primary key, what)"); }
  template <class... A>
  thrown refused(std::string_view sql, A const&... args) {
    return refused_alone(sql, args...);
  }
  texts typed() { return look("select id, what, typeof(what) from t order by id"); }
  texts whats() { return look("select what from t order by id"); }
  int statements() {
    int n = 0;
    for (auto* statement = sqlite3_next_stmt(tx->native_handle(), nullptr); statement;
         statement = sqlite3_next_stmt(tx->native_handle(), statement))
      ++n;
    return n;
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "a statement that can't be run is the handler's fault, and its error holds no value") {
  std::string const canary = "CANARY";
  tx->execute("create table strict_one (n integer not null check (n < 10), u text unique) strict");
  tx->execute("insert into strict_one values (1, ?)", canary);
  std::vector<thrown> const all{
      refused("insert into"),
      refused("insert into nowhere values (?)", canary),
      refused(""),
      refused("-- nothing"),
      refused("select 1; select 2"),
      refused("select ?, ?", canary),
      refused("select 1", canary),
      refused("insert into strict_one values (2, ?)", canary),
      refused("insert into strict_one values (?, null)", canary),
      refused("insert into strict_one values (?, null)", 11),
      refused("insert into strict_one values (?, null)", nullptr),
      refused("insert into t (id) values (?)", canary),
      refused("select json_extract('{}', ?)", canary),
      refused("select abs(?)", std::numeric_limits<std::int64_t>::min()),
      refused("insert into t (what) values (?)", std::numeric_limits<std::uint64_t>::max()),
      refused("insert into nowhere values ('CANARY')"),
      refused("insert into t values ('a' 'CANARY')"),
  };
  for (auto const& e : all) CHECK_THAT(e.text, !ContainsSubstring(canary));
  CHECK_THAT(all[1].text, ContainsSubstring("insert into nowhere") && ContainsSubstring("no such table"));
  CHECK_THAT(all[7].text, ContainsSubstring("UNIQUE") && ContainsSubstring("strict_one.u"));
  tx->execute("insert into t (what) values ('after')");
  CHECK(commit() == outcome::applied);
  CHECK(typed() == texts{"1|after|text"});
}

TEST_CASE_METHOD(fixture, "a handler's SQL can't begin, end or leave the transaction") {
  for (auto const* sql : {"begin", "commit", "end", "rollback", "attach ':memory:' as other", "savepoint sluice_record",
                          "release sluice_record", "pragma synchronous = off", "pragma journal_mode = delete"})
    refused(sql);
  for (auto const* sql : {"commit", "rollback"})
    CHECK(sqlite3_exec(tx->native_handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK);
  tx->execute("savepoint mine");
  tx->execute("insert into t (what) values (1)");
  tx->execute("rollback to mine");
  tx->execute("release mine");
  tx->execute("insert into t (what) values (2)");
  CHECK(commit() == outcome::applied);
  CHECK(typed() == texts{"1|2|integer"});
}
