#include <sluice/offset_store/mysql_positions.hpp>

#include "contract_network.hpp"
#include "mysql_support.hpp"

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
  std::vector<outcome> answers;
  std::string trouble;
  std::thread advancing{[&, &on = s] {
    try {
      answers = advance(*on, moves);
    } catch (std::exception const& e) { trouble = e.what(); }
  }};
  plain_session watching{f.database};
  while (watching.rows("select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT'").empty())
    std::this_thread::yield();
  try {
    lock(0);
  } catch (std::exception const& e) { trouble = e.what(); }
  other.rows("rollback");
  advancing.join();
  CHECK(trouble == "");
  CHECK(answers == all(2, outcome::applied));
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
