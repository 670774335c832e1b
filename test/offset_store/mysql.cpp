#include <sluice/offset_store/mysql.hpp>

#include <csignal>

#include "contract_network.hpp"
#include "detail/temporary_folder.hpp"
#include "mysql_support.hpp"
#include "sql_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using fixture = mysql_fixture;

/// What opening throws; the password is in no error.
thrown refused(sl::mysql_offsets const& config) {
  auto const e = error_of([&] { fixture::store const s{sl::mysql_offsets::open(config, {})}; });
  CHECK_THAT(e.text, !ContainsSubstring(server().password()) && !ContainsSubstring("CANARY"));
  return e;
}
thrown refused(fixture& f) { return refused(f.config); }

/// A user with few rights, on the fixture's database.
void make_user(fixture& f, std::string const& rights) {
  f.config.user = "user_" + f.database;
  f.look("create or replace user " + f.config.user + " identified by '" + server().password() + "'");
  if (!rights.empty()) f.look("grant " + rights + " on " + f.database + ".* to " + f.config.user);
}

}  // namespace

TEST_CASE("mysql_offsets keeps the contract of stores") { contract::holds<fixture>(); }

TEST_CASE("mysql_offsets keeps the contract of stores behind a network") { contract::holds_over_network<fixture>(); }

TEST_CASE("mysql_offsets does what SQL stores must do") { sql_cases::hold<fixture>(); }

TEST_CASE("a user without rights is told what it lacks") {
  fixture f;
  make_user(f, "create temporary tables");
  auto e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("may not create the table sluice_offsets") &&
                         ContainsSubstring("create table if not exists"));
  f.look(e.text.substr(e.text.find("create table")));  // as whoever may does
  for (auto const* right : {"select", "insert", "update"}) {
    e = refused(f);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text,
               ContainsSubstring(std::string_view{right} == "select" ? "grant the user select"
                                                                     : std::string("lacks the right to ") + right));
    f.look(std::string("grant ") + right + " on " + f.database + ".* to " + f.config.user);
  }
  f.config.create = false;
  auto [r, set, s, c] = claim_orders(f);
  CHECK(c[0].what == sl::claimed::first);
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}

TEST_CASE("without create nothing is created, and the error says what to run") {
  fixture f;
  f.config.create = false;
  auto const e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK(f.look("show tables") == texts{"results"});
  f.look(e.text.substr(e.text.find("create table")));
  auto [r, set, s, c] = claim_orders(f);
  CHECK(c[0].what == sl::claimed::first);
  auto const letters = error_of([&, &on = s] { on->prepare_table("dead"); });
  CHECK(letters.code == sl::errc::bad_configuration);
  CHECK_THAT(letters.text, ContainsSubstring("create table if not exists") && ContainsSubstring("`dead`"));
}

TEST_CASE("a table that is somebody else's is left alone") {
  fixture f;
  SECTION("of the name, without the others") {
    f.look("create table sluice_offsets (mine int); insert into sluice_offsets values (7)");
    auto const e = refused(f);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("the table sluice_offsets"));
    CHECK(f.look("select * from sluice_offsets") == texts{"7"});
    f.config.table = "others";
    CHECK(refused(f).text == "");
  }
  SECTION("of another shape, engine or collation") {
    auto const told = [&](std::string const& change, std::string const& part) {
      f.open();
      f.look("alter table sluice_offsets " + change);
      auto const e = refused(f);
      CHECK(e.code == sl::errc::bad_configuration);
      CHECK_THAT(e.text, ContainsSubstring("sluice_offsets") && ContainsSubstring(part));
      f.look(
          "drop table sluice_offsets, sluice_offsets_meta, sluice_offsets_topics, sluice_offsets_rewinds,"
          " sluice_offsets_skipped");
    };
    told("modify next varchar(9)", "another type in the column next");
    told("drop next", "not one that the library made");
    told("modify topic varchar(255) collate utf8mb4_general_ci", "utf8mb4_nopad_bin");
    told("engine = Aria, drop primary key", "engine = InnoDB");
  }
}

TEST_CASE("where the making of the tables was cut off, the rest is made") {
  fixture f;
  f.config.create = false;
  auto const text = refused(f).text, ddl = text.substr(text.find("create table"));
  f.config.create = true;
  for (auto end = ddl.find("; "); end != ddl.npos; end = ddl.find("; ", end + 1)) {
    f.look("drop database " + f.database + "; create database " + f.database);
    f.look(ddl.substr(0, end));
    INFO(ddl.substr(0, end));
    CHECK(refused(f).text == "");
  }
}

TEST_CASE("a table of a newer format is refused") {
  fixture f;
  f.open();
  f.look("update sluice_offsets_meta set value = '2' where name = 'format'");
  auto const e = refused(f);
  CHECK(e.code == sl::errc::store_newer);
  CHECK(e.of_store);
  f.look("update sluice_offsets_meta set value = 'rubbish' where name = 'format'");
  CHECK(refused(f).code == sl::errc::store_damaged);
}

TEST_CASE("several that make the tables at once don't disturb each other") {
  fixture f;
  std::atomic<int> opened{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      if (error_of([&] { fixture::store const s{sl::mysql_offsets::open(f.config, {})}; }).text.empty()) ++opened;
    });
  for (auto& t : threads) t.join();
  CHECK(opened == 4);
}

TEST_CASE("names that can't be kept apart are refused") {
  fixture f;
  auto const s = f.open();
  resolver r{{{std::string(256, 'x'), {offset{1}}}, {"t\xff", {offset{1}}}}};
  for (auto const& topic : {std::string(256, 'x'), std::string("t\xff")})
    CHECK(error_of([&] { s->claim("billing", {{topic, 0}}, r, soon()); }).code == sl::errc::bad_configuration);
  CHECK(error_of([&] { s->claim(std::string(256, 'x'), {{"orders", 0}}, r, soon()); }).code ==
        sl::errc::bad_configuration);
}

TEST_CASE("rows that another transaction holds make a claim answer busy, in time") {
  fixture f;
  f.config.lock_timeout = std::chrono::seconds{1};
  auto [r, set, s, c] = claim_orders(f);
  plain_session other{f.database};
  other.rows("start transaction; select * from sluice_offsets for update");
  auto const begun = std::chrono::steady_clock::now();
  auto const busy = s->claim("billing", set, r, soon());
  CHECK(busy[1].what == sl::claimed::busy);
  CHECK(busy[1].of == set[1]);
  CHECK_THAT(busy[1].why, ContainsSubstring("another session holds the lock"));
  auto const e = error_of([&, &on = s, &claims = c] { on->advance(std::vector{to(claims[0], 15)}, soon()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK(e.of_store);
  CHECK(std::chrono::steady_clock::now() - begun < 4s);
  other.rows("rollback");
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}

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

TEST_CASE("where the row of a record set aside can't be written nothing is advanced") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  sql_cases::two_letters<fixture> const letters;
  f.look("alter table sluice_offsets_skipped add constraint few check (attempts < 3)");
  letters.set_aside(*s);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto const e = error_of([&, &on = s] { on->advance(moves, soon()); });
  CHECK(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring("setting a record aside"));
  CHECK(f.look("select next from sluice_offsets p order by p.partition") == texts{"10", "20"});
  f.look("alter table sluice_offsets_skipped drop constraint few");
  CHECK(advance(*s, moves) == all(2, outcome::applied));
  CHECK(sql_cases::letters_in(f) == texts{letters.first, letters.second});
}

TEST_CASE("records set aside come once, whichever request or answer of their advance is lost") {
  for (auto const t : {trouble::cut_before, trouble::cut_after, trouble::hold}) {
    fixture f;
    servers::proxy p{f.port()};
    auto r = orders();
    auto const set = partitions("orders", {0, 1});
    auto const s = f.open(p.port());
    std::int64_t n = 0;
    at_each_request(p, t, [&](unsigned k, auto met) {
      auto const moves = to_all(claim_in_the_end(*s, "billing", set, r), 5);
      some_records letter{set[0]};
      letter.add(moves[0].from.value(), "k", "v");
      s->set_aside("", {letter[0], "broken", 1, {}});
      p.arrange(t, k);
      auto answers = advance(*s, moves);
      met();
      settle(*s, moves, answers);
      p.deliver();
      CHECK(answers == all(2, outcome::applied));
      CHECK(f.look("select count(*) from sluice_offsets_skipped") == texts{std::to_string(++n)});
    });
  }
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
