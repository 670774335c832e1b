#include <sluice/offset_store/sql_sessions.hpp>

#include "catch.hpp"
#include "thrown.hpp"

namespace {
using namespace std::chrono_literals;
struct database {
  int rollbacks = 0;
  void rollback() { ++rollbacks; }
};
std::vector<sl::topic_partition> const set{{"orders", 0}, {"orders", 1}};
sl::time_point soon() { return std::chrono::steady_clock::now() + 10s; }
}  // namespace

TEST_CASE("a conflict is tried again, in the time that there is; a lock is not") {
  database db;
  int calls = 0;
  auto const conflicts = [&](int times) {
    return [&calls, times] {
      if (calls++ < times) throw sl::store_conflict(sl::errc::conflict, "in the way");
      return 7;
    };
  };
  CHECK(sl::detail::until_no_conflict(db, soon(), conflicts(3)) == 7);
  CHECK(calls == 4);
  CHECK(db.rollbacks == 3);
  calls = 0;
  CHECK_THROWS_AS(sl::detail::until_no_conflict(db, {}, conflicts(3)), sl::store_conflict);
  CHECK(calls == 1);
  auto const locked = [&] { ++calls, throw sl::detail::locked(sl::errc::store_unavailable, "held"); };
  CHECK_THROWS_AS(sl::detail::until_no_conflict(db, soon(), locked), sl::detail::locked);
  CHECK(calls == 2);
}

TEST_CASE("what is in the way of an answer makes it busy or failed, for each partition") {
  database db;
  auto const what = [&](auto ask) { return sl::detail::answered(db, set, {}, ask).at(1); };
  auto const busy = what([](auto&) { throw sl::detail::locked(sl::errc::store_unavailable, "held"); });
  CHECK(busy.what == sl::claimed::busy);
  CHECK(busy.of == set[1]);
  CHECK(busy.why == "sluice: held");
  CHECK(what([](auto&) { throw sl::store_conflict(sl::errc::conflict, ""); }).what == sl::claimed::busy);
  CHECK(what([](auto&) { throw sl::detail::lost(sl::errc::store_unavailable, ""); }).what == sl::claimed::failed);
  CHECK(what([](auto& answers) { answers[1].what = sl::claimed::stored; }).what == sl::claimed::stored);
  CHECK_THROWS_AS(what([](auto&) { throw sl::store_error(sl::errc::store_full, ""); }), sl::store_error);
}
