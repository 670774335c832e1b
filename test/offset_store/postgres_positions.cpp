#include <sluice/offset_store/postgres_positions.hpp>

#include "postgres_support.hpp"
#include "sql_server_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using namespace sql_cases;
using fixture = postgres_fixture;

}  // namespace

TEST_CASE("an advance that the server ends, to end a deadlock, is tried again") {
  fixture f;
  auto r = orders();
  auto const s = f.open();
  auto const moves = to_all(claim(*s, "billing", partitions("orders", {0, 1}), r), 1);
  plain_session other{f.here()};
  auto const lock = [&](int n) {
    other.rows("select 1 from sluice_offsets where partition = " + std::to_string(n) + " for update");
  };
  other.rows("set deadlock_timeout = '60s'");  // so that it is not the one that is ended
  other.rows("begin");
  lock(1);
  sql_server_cases::advance_in_a_deadlock(
      *s, moves,
      [&] {
        plain_session watching{f.here()};
        while (watching.rows("select 1 from pg_locks where not granted").empty()) std::this_thread::yield();
      },
      [&] { lock(0); }, [&] { other.rows("rollback"); });
}

TEST_CASE("settle gives no final answer while a session is there that may yet commit") {
  fixture f;
  f.config.lock_timeout = 100ms;
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open();
  auto const moves = to_all(claim(*s, "billing", set, r), 5);
  auto& tx = s->begin(moves, soon());
  f.write(tx, "a");
  auto rows = tx.query("select pg_backend_pid()");
  auto const pid = (*rows.begin()).get<pid_t>(0);
  s->advance(tx, moves, soon());
  struct stopped {
    pid_t pid;
    explicit stopped(pid_t p) : pid(p) { ::kill(pid, SIGSTOP); }
    ~stopped() { ::kill(pid, SIGCONT); }
  };
  all answers(2, outcome::unknown);
  {
    stopped const now{pid};
    CHECK(s->commit(tx, in(200ms)) == outcome::unknown);
    CHECK(copy(s->settle(moves, in(1s))) == answers);
  }
  settle(*s, moves, answers);
  CHECK(answers[0] == answers[1]);
  CHECK(f.results().size() == (answers[0] == outcome::applied ? 1 : 0));
  CHECK(stands_at(f, set) == ends(moves, answers));
}
