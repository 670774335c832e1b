#include <sluice/offset_store/postgres_refusal.hpp>

#include "catch.hpp"
#include "some_records.hpp"

namespace {

namespace pg = sl::detail::postgres;
bool may(std::string const& sql) {
  auto const e = error_of([&] { pg::check_handlers(sql); });
  if (e.text.empty()) return true;
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_FALSE(e.of_store);
  return false;
}

}  // namespace

TEST_CASE("a handler may not begin, end or unsettle the transaction") {
  for (auto const* sql : {"begin",
                          "START transaction",
                          "commit",
                          "end",
                          "abort",
                          "rollback",
                          "rollback and chain",
                          "discard all",
                          "prepare transaction 'a'",
                          "set session characteristics as transaction read only",
                          "set transaction read only",
                          "set local transaction isolation level serializable",
                          "set synchronous_commit = off",
                          "set local synchronous_commit = off",
                          "reset all",
                          "reset synchronous_commit",
                          "set role somebody",
                          "savepoint sluice_record",
                          "release savepoint sluice_record",
                          "rollback to sluice_record"}) {
    CAPTURE(sql);
    CHECK_FALSE(may(sql));
    CHECK_FALSE(may("/* x */ " + std::string(sql)));
  }
}

TEST_CASE("a handler may do all else") {
  for (auto const* sql : {"select 1", "insert into beginnings values ('commit')", "savepoint mine",
                          "rollback to savepoint mine", "rollback work to mine", "release mine",
                          "prepare p as select 1", "set local enable_seqscan = off", "reset enable_seqscan"}) {
    CAPTURE(sql);
    CHECK(may(sql));
  }
}
