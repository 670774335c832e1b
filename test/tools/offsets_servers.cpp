// sluice-offsets with stores on servers of their own: each to PostgreSQL and back.
#include <sluice/offset_store/mysql_read.hpp>

#include "offsets.hpp"
#include "servers/hdfs.hpp"
#include "servers/mariadb.hpp"
#include "servers/postgres.hpp"
#include "servers/s3.hpp"
#include "servers/zookeeper.hpp"

using namespace offsets;
using namespace std::chrono_literals;

namespace {

namespace sl = sluice;

template <class Server>
Server& one() {
  static Server server;
  return server;
}
place postgres() {
  auto const& s = one<servers::postgres>();
  return {"postgres:host=127.0.0.1 port=" + std::to_string(s.port()) + " user=owner dbname=postgres",
          {},
          {"PGPASSWORD=" + s.password()}};
}
/// Runs it in the database `app`; answers the first column.
words sql(std::string const& text) {
  auto const& s = one<servers::mariadb>();
  sl::detail::mysql::connection db{sl::detail::mysql::options_of(
      "test",
      sl::mysql_offsets{
          .host = "127.0.0.1", .port = s.port(), .user = "owner", .password = s.password(), .database = "mysql"})};
  auto const by = std::chrono::steady_clock::now() + 30s;
  db.ready(by);
  db.must("create database if not exists app; use app", "test", by);
  auto const found = db.must(text, "test", by);
  words all;
  for (std::size_t i = 0; i < found.all.back().rows(); ++i) all.push_back(found.all.back().text(i, 0));
  return all;
}
place mariadb(words const& options = {}) {
  auto const& s = one<servers::mariadb>();
  sql("select 1");
  return {"mysql:127.0.0.1:" + std::to_string(s.port()) + "/app",
          words{"--user", "owner", "--password-variable", "MYSQL_PWD"} + options,
          {"MYSQL_PWD=" + s.password()}};
}

}  // namespace

TEST_CASE("MariaDB") {
  there_and_back(mariadb(), postgres(), "mariadb");
  there_and_back(postgres(), mariadb({"--table", "billing_offsets"}), "postgres");
  CHECK_THAT(fails(words{"show", "mysql:127.0.0.1"} + words{"--group", "g"}), ContainsSubstring("HOST:PORT/DATABASE"));
  auto wrong = mariadb();
  wrong.environment = {"MYSQL_PWD=canary-password"};
  auto const said = fails(words{"show"} + wrong.as_store() + words{"--group", "g"}, 1, wrong.environment);
  CHECK_THAT(said, ContainsSubstring("Access denied") && !ContainsSubstring("canary"));
}

TEST_CASE("MariaDB, by its socket") {
  auto p = mariadb();
  p.word = "mysql:" + one<servers::mariadb>().socket() + "/app";
  there_and_back(p, postgres(), "socket");
}

TEST_CASE("a table of somebody else's in MariaDB is read, and written as it was") {
  bool const last = GENERATE(false, true);
  sql(std::string{
          "drop table if exists spark; create table spark (consumer varchar(100), topic varchar(100), partid int,"
          " `until` "} +
      (last ? "varchar(30)" : "bigint") + ", primary key (consumer, topic, partid)) engine = InnoDB");
  sql("insert into spark values ('bil''ling', 'orders', 0, 41), ('bil''ling', 'orders', 1, 17), ('other', 'orders', 0, "
      "3)");
  auto const layout = words{"--table", "app.spark", "--columns", "topic,partid,until", "--group-column", "consumer"} +
                      (last ? words{"--stored-offset-is", "last"} : words{});
  auto const theirs = mariadb(layout);
  auto const with = words{"--group", "bil'ling"} + at_once;
  CHECK(at(theirs, "bil'ling") == (last ? words{"orders:0=42", "orders:1=18"} : words{"orders:0=41", "orders:1=17"}));
  CHECK(at(theirs, "nobody").empty());
  done(words{"set"} + theirs.as_store() + with + words{"orders:0=7", "clicks:0=9"}, theirs.environment);
  auto const less = last ? 1 : 0;
  CHECK(sql("select concat_ws('|', consumer, topic, partid, `until`) from spark order by 1") ==
        words{"bil'ling|clicks|0|" + std::to_string(9 - less), "bil'ling|orders|0|" + std::to_string(7 - less),
              "bil'ling|orders|1|17", "other|orders|0|3"});

  sql("alter table spark engine = MyISAM");
  CHECK(at(theirs, "other") == (last ? words{"orders:0=4"} : words{"orders:0=3"}));
  CHECK_THAT(fails(words{"set"} + theirs.as_store() + with + words{"orders:0=8"}, 1, theirs.environment),
             ContainsSubstring("MyISAM") && ContainsSubstring("engine = InnoDB"));
  sql("drop table spark");
  CHECK_THAT(fails(words{"show"} + theirs.as_store() + words{"--group", "other"}, 1, theirs.environment),
             ContainsSubstring("app.spark"));
}

TEST_CASE("ZooKeeper") {
  auto& server = one<servers::zookeeper>();
  place const own{"zookeeper:" + server.address()};
  there_and_back(own, postgres(), "billing");
  CHECK(server.get("/consumers/offsets/billing/orders/1").value_or("none") == "2");
  there_and_back(postgres(), {"zookeeper:" + server.address() + "/app", {"--path", "/old/{group}/{topic}/{partition}"}},
                 "chroot");
  CHECK(server.get("/app/old/chroot/orders/1").value_or("none") == "2");
}

TEST_CASE("S3") {
  auto const& server = one<servers::s3>();
  words const keys{"AWS_ACCESS_KEY_ID=" + server.key(), "AWS_SECRET_ACCESS_KEY=" + server.secret()};
  there_and_back({"s3:" + server.endpoint() + "/offsets", {}, keys}, postgres(), "s3");
  there_and_back(postgres(), {"s3:" + server.endpoint() + "/offsets", {"--prefix", "other/"}, keys}, "prefix");
  place const checkpoint{"checkpoint-s3:" + server.endpoint() + "/offsets", {"--prefix", "visits"}, keys};
  there_and_back(checkpoint, postgres(), "checkpoint");
  CHECK_THAT(fails(words{"show", "checkpoint-s3:" + server.endpoint() + "/offsets", "--group", "g"}, 1, keys),
             ContainsSubstring("needs --prefix"));
}

TEST_CASE("HDFS") {
  auto const& server = one<servers::hdfs>();
  for (auto const* folder : {"/app", "/app/visits"}) {
    server.ask("PUT", std::string{folder} + "?op=MKDIRS");
    server.ask("PUT", std::string{folder} + "?op=SETOWNER&owner=app");
  }
  place const own{"webhdfs:" + server.address() + "/app", {"--user", "app"}};
  there_and_back(own, postgres(), "hdfs");
  there_and_back(postgres(), own, "postgres");
  there_and_back({"checkpoint-webhdfs:" + server.address() + "/app/visits", {"--user", "app"}}, postgres(), "visits");
}
