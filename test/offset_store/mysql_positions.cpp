#include <sluice/offset_store/mysql_positions.hpp>

#include "mysql_support.hpp"
#include "sql_server_cases.hpp"

namespace {
using namespace contract;
using fixture = mysql_fixture;
}  // namespace

TEST_CASE("an advance locks only the rows that it is about") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  auto const other = f.open();
  auto const second = claim(*other, "billing", {set[1]}, r);
  std::vector const moves{to(c[0], 15)};
  auto& tx = s->begin(moves, soon());
  CHECK(copy(s->advance(tx, moves, soon())) == all{outcome::applied});
  CHECK(advance(*other, {to(second[0], 25)}) == all{outcome::applied});  // while the first one's row is held
  CHECK(s->commit(tx, soon()) == outcome::applied);
  CHECK(stands_at(f, set) == std::vector{offset{15}, offset{25}});
}

TEST_CASE("an advance that the server ends, to end a deadlock, is tried again") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  auto const moves = to_all(c, 1);
  plain_session other{f.database};
  other.rows("create table many (n int) engine = InnoDB; insert into many select seq from seq_1_to_1000");
  auto const lock = [&](int n) {
    other.rows("select 1 from sluice_offsets p where p.partition = " + std::to_string(n) + " and p.topic = 'orders'" +
               " and p.grp = 'billing' for update");
  };
  other.rows("start transaction; update many set n = n + 1");  // the one with less to undo is ended
  lock(1);
  sql_server_cases::advance_in_a_deadlock(
      *s, moves, wait_for_lock_wait, [&] { lock(0); }, [&] { other.rows("rollback"); });
}

TEST_CASE("claims of a thousand partitions are three round trips") {
  fixture f;
  servers::proxy p{f.port()};
  resolver r{{{"orders", std::vector<offset>(1000, offset{10})}}};
  auto const set = partitions("orders", up_to(1000));
  auto const s = f.open(p.port());
  for (int i = 0; i < 2; ++i) {
    auto const before = p.round_trips();
    s->claim("billing", set, r, soon());
    CHECK(p.round_trips() - before == 3);
  }
}

TEST_CASE("an advance that changes nothing is applied") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  CHECK(advance(*s, {to(c[0], 10), to(c[1], 25)}) == all(2, outcome::applied));
  auto& tx = s->begin({}, soon());
  CHECK(copy(s->advance(tx, std::vector{to(c[0], 10)}, soon())) == all{outcome::applied});
  CHECK(s->commit(tx, soon()) == outcome::applied);
}

TEST_CASE("what is found to be there already is made durable by a change of its own") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  auto const written = [&] {
    return std::stoll(f.look("show global status like 'Handler_update'").at(0).substr(sizeof "Handler_update|" - 1));
  };
  auto const positions = [&] { return f.look("select * from sluice_offsets"); };
  auto const moves = to_all(c, 5);
  CHECK(copy(s->advance(moves, soon())) == all(2, outcome::applied));
  auto const before = written();
  auto const stood = positions();
  CHECK(copy(s->advance(moves, soon())) == all(2, outcome::applied));
  CHECK(written() - before == 4);
  CHECK(positions() == stood);
  auto further = moves;
  for (auto& m : further) m.from = m.until, m.until = offset{m.until.value() + 4};
  CHECK(transact(f, *s, "a", further) == outcome::applied);
  auto const after = written();
  CHECK(copy(s->settle(further, soon())) == all(2, outcome::applied));
  CHECK(written() - after == 4);
}

TEST_CASE("a rewind's incarnation is above what is stored, also where that is ahead of the clock") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  auto const far = wall_ms() + 1'000'000;
  f.look("update sluice_offsets set incarnation = " + std::to_string(far));
  auto const back = s->record({{set[0], offset{3}, c[0].mine, "seek"}}, soon());
  CHECK(back[0].log.incarnation == far + 1);
  CHECK(f.look("select incarnation from sluice_offsets_rewinds") == texts{std::to_string(far + 1)});
}

TEST_CASE("settle gives no final answer while the rows of its transaction are held") {
  fixture f;
  f.config.lock_timeout = std::chrono::seconds{1};
  auto [r, set, s, c] = claim_orders(f);
  auto const moves = to_all(c, 5);
  CHECK(transact(f, *s, "a", moves) == outcome::applied);
  plain_session other{f.database};
  other.rows("start transaction; select * from sluice_offsets for update");
  CHECK(copy(s->settle(moves, soon())) == all(2, outcome::unknown));
  other.rows("rollback");
  CHECK(copy(s->settle(moves, soon())) == all(2, outcome::applied));
}
