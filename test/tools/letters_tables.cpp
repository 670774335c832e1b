// sluice-letters with letters in tables of SQLite, PostgreSQL and MariaDB, and a real Kafka.
#include <sluice/offset_store/mysql.hpp>
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/sqlite.hpp>

#include "letters.hpp"
#include "offset_store/sqlite_support.hpp"
#include "servers/mariadb.hpp"
#include "servers/postgres.hpp"

using namespace letters;

namespace {

template <class Server>
Server& one() {
  static Server server;
  return server;
}

sl::mysql_offsets in_mariadb(std::string const& database) {
  auto const& s = one<servers::mariadb>();
  sl::mysql_offsets c{
      .host = "127.0.0.1", .port = s.port(), .user = "owner", .password = s.password(), .database = "mysql"};
  sl::detail::mysql::connection db{sl::detail::mysql::options_of("test", c)};
  auto const by = std::chrono::steady_clock::now() + 30s;
  db.ready(by);
  db.must("create database if not exists " + database, "test", by);
  c.database = database;
  return c;
}

}  // namespace

TEST_CASE("letters in SQLite") {
  temporary_folder folder;
  auto const file = (folder.path / "a.db").string();
  words const place{"sqlite:" + file, "--table", "letters"};
  comes_back_as_it_was(place, "sqlite", sl::sqlite_offsets{file}, sl::dead_letter_table{"letters"});
  CHECK(rows(file, "select count(*) from letters") == words{"0"});
  poison_goes_round(place, "sqlite.poison", sl::sqlite_offsets{file}, sl::dead_letter_table{"letters"});
  CHECK(rows(file, "select topic, attempts from letters") == words{"sqlite.poison|1"});
}

TEST_CASE("letters in PostgreSQL") {
  auto const& s = one<servers::postgres>();
  words const place{"postgres:host=127.0.0.1 port=" + std::to_string(s.port()) + " user=owner dbname=postgres"};
  words const secret{"PGPASSWORD=" + s.password()};
  sl::postgres_offsets const store{.connection = s.connection()};
  comes_back_as_it_was(place, "postgres", store, sl::dead_letter_table{}, secret);
  poison_goes_round(place + words{"--table", "public.others"}, "postgres.poison", store,
                    sl::dead_letter_table{"others"}, secret);
  CHECK_THAT(fails(words{"show"} + place + words{"--table", "nothing"}, 1, secret), ContainsSubstring("nothing"));
  CHECK_THAT(fails(words{"show", "postgres:host=h password=canary"}, 1),
             ContainsSubstring("no password on the command line"));
}

TEST_CASE("letters in MariaDB") {
  auto const& s = one<servers::mariadb>();
  words const place{"mysql:127.0.0.1:" + std::to_string(s.port()) + "/app", "--user", "owner", "--password-variable",
                    "MYSQL_PWD"};
  words const secret{"MYSQL_PWD=" + s.password()};
  auto const store = in_mariadb("app");
  comes_back_as_it_was(place, "mysql", store, sl::dead_letter_table{}, secret);
  poison_goes_round(place + words{"--table", "app.others"}, "mysql.poison", store, sl::dead_letter_table{"others"},
                    secret);
  CHECK_THAT(fails(words{"show"} + place + words{"--table", "nothing"}, 1, secret), ContainsSubstring("nothing"));
}

TEST_CASE("a row that has changed since it was read stays, and that is told") {
  temporary_folder folder;
  auto const file = (folder.path / "a.db").string();
  kafka().topics.create("changed", 1);
  produce("changed", {{"a", "1", {}}, {"b", "2", {}}});
  set_aside("changed", sl::sqlite_offsets{file}, sl::dead_letter_table{}, 2, all_of_them);
  plain db{file};
  db.rows("begin immediate");  // the program can read, and has to wait before it deletes
  servers::process one{words{SLUICE_LETTERS, "return", "sqlite:" + file} + at_brokers(),
                       (folder.path / "log").string()};
  one.wait_until([&] { return in("changed", 1, 4).size() == 4; });
  db.rows("update sluice_dead_letters set attempts = 9 where \"key\" = x'61'");
  db.rows("commit");
  while (!one.ended()) std::this_thread::sleep_for(10ms);
  CHECK_THAT(one.log(), ContainsSubstring("changed/0 offset 0") && ContainsSubstring("changed meanwhile"));
  CHECK(rows(file, "select attempts from sluice_dead_letters") == words{"9"});
}

TEST_CASE("a damaged row holds up no other, is told, and stays") {
  temporary_folder folder;
  auto const file = (folder.path / "a.db").string();
  kafka().topics.create("damaged", 1);
  produce("damaged", {{"a", "1", {}}, {"b", "2", {}}});
  set_aside("damaged", sl::sqlite_offsets{file}, sl::dead_letter_table{}, 2, all_of_them);
  rows(file, "update sluice_dead_letters set headers = '[[1]]' where \"key\" = x'61'");
  auto const a = run(words{"return", "sqlite:" + file} + at_brokers());
  CHECK(a.status == 1);
  CHECK_THAT(a.out, ContainsSubstring("1 of 2 letters returned"));
  CHECK_THAT(a.err, ContainsSubstring("damaged/0 offset 0") && ContainsSubstring("a header is not of the form"));
  CHECK(rows(file, "select \"offset\" from sluice_dead_letters") == words{"0"});

  rows(file, "update sluice_dead_letters set headers = null, partition = -5");
  CHECK_THAT(fails(words{"return", "sqlite:" + file} + at_brokers()),
             ContainsSubstring("damaged/-5 offset 0: damaged: \"partition\" is -5, which no record has"));

  rows(file, "update sluice_dead_letters set partition = 0, topic = 'nobody.made.it'");
  CHECK_THAT(fails(words{"return", "sqlite:" + file} + at_brokers()), ContainsSubstring("nobody.made.it"));
  CHECK_THAT(fails(words{"show", "sqlite:" + file, "--table", "sluice_offsets"}),
             ContainsSubstring("is it a table of letters?"));
  CHECK_THAT(fails(words{"show", "sqlite:" + file + ".none"}), ContainsSubstring("no such file"));
}
