#include <sluice/output/mysql_upsert.hpp>

#include "../offset_store/mysql_support.hpp"
#include "../servers/proxy.hpp"
#include "upsert_cases.hpp"

namespace {

using namespace upsert_cases;
using namespace std::chrono_literals;

struct fixture : mysql_fixture {
  static constexpr auto who = "mysql_upsert";
  sl::mysql_upsert_into upsert{.host = "127.0.0.1",
                               .port = server().port(),
                               .user = "owner",
                               .password = server().password(),
                               .database = database,
                               .table = "last",
                               .key = {"k"},
                               .columns = {"v"}};

  template <class Map>
  auto output(Map map) {
    return sl::mysql_upsert{upsert, map};
  }
};

}  // namespace

TEST_CASE("mysql_upsert keeps what idempotent outputs promise") { hold<fixture>(); }

TEST_CASE("what a mapping throws goes through, and nothing of its batch is kept") {
  on_fresh<fixture>("a mapping that throws", throwing_mapping<fixture>);
}

TEST_CASE_METHOD(fixture, "more rows than one statement takes are one transaction all the same") {
  auto out = output([](sl::record r, auto& row) {
    for (int i = 0; i < 15'000; ++i) row(std::to_string(i) + std::string(r.key_text()), r.text());
    if (r.text() == "fails") throw std::runtime_error("mine");
  });
  CHECK_THROWS_WITH(out(single(zero, 1, "a", "fails").batch()), "mine");
  CHECK(last(*this).empty());
  out(single(zero, 2, "a", "x").batch());
  CHECK(look("select count(*) from last") == texts{"15000"});
}

TEST_CASE_METHOD(fixture, "two partitions with one key in one batch are told") {
  auto out = output(key_and_text);
  some_records first{zero}, second{one};
  first.add(1, "same", "1").add(2, "b", "2");
  second.add(1, "same", "3");
  std::vector<sl::detail::part> const parts{first.part(), second.part()};
  auto const e = error_of([&] { out(sl::batch{parts, {}}); });
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_THAT(e.text, ContainsSubstring("4 bytes") && ContainsSubstring("orders/0") && ContainsSubstring("orders/1"));
  CHECK(last(*this).empty());
}

TEST_CASE_METHOD(fixture, "keys are told apart byte by byte") {
  auto out = output(key_and_text);
  some_records r{zero};
  std::int64_t at = 0;
  for (auto const* key : {"a", "A", "a ", "\xc3\xa1"}) r.add(++at, key, key);
  out(r.batch());
  CHECK(look("select count(*) from last") == texts{"4"});
}

TEST_CASE_METHOD(fixture, "a row of the wrong size or type is the handler's fault, told without values") {
  look(
      "create table typed (k int primary key, v int not null check (v < 10), sluice_partition varchar(255) not null,"
      " sluice_incarnation bigint not null, sluice_offset bigint not null, sluice_version bigint not null,"
      " sluice_deleted integer not null) engine = InnoDB");
  rows_that_do_not_fit(*this);
}

TEST_CASE_METHOD(fixture, "a server that fails is never the record's fault, and a batch comes again unharmed") {
  servers::proxy p{port()};
  upsert.port = p.port();
  auto out = output(key_and_text);
  std::int64_t at = 0;
  for (auto const t :
       {servers::proxy::trouble::cut_before, servers::proxy::trouble::cut_after, servers::proxy::trouble::hold})
    for (unsigned k = 0; k < 3; ++k) {
      ++at;
      auto const next = single(zero, at, "a", std::to_string(at));
      p.arrange(t, k);
      CHECK(error_of([&] { out(next.batch()); }).of_store);
      out(next.batch());
      p.deliver();
      CHECK(last(*this) == texts{"a|" + std::to_string(at) + "|0"});
    }
  plain_session other{database};
  other.rows("start transaction; select * from last for update");
  upsert.port = port();
  upsert.lock_timeout = 1s;
  auto impatient = output(key_and_text);
  auto const e = error_of([&] { impatient(single(zero, 99, "a", "99").batch()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK(e.of_store);
}

TEST_CASE_METHOD(fixture, "a batch that is there already is made durable by a change of its own") {
  auto out = output(key_and_text);
  some_records r{zero};
  r.add(1, "a", "1").add(2, "b", std::nullopt).add(3, "c", "3");
  auto const written = [&] {
    return std::stoll(look("show global status like 'Handler_update'").at(0).substr(sizeof "Handler_update|" - 1));
  };
  out(r.batch());
  auto const stood = look("select * from last");
  auto const before = written();
  out(r.batch());
  CHECK(written() - before == 2);
  CHECK(look("select * from last") == stood);
  r.add(4, "a", "4");
  out(r.batch());
  CHECK(written() - before == 3);
  output([](sl::record, auto&) {})(r.batch());
  CHECK(written() - before == 3);
}

TEST_CASE_METHOD(fixture, "tables that can't hold the promise are refused at construction") {
  auto const refused = [&](std::string const& part) {
    auto const e = error_of([&] { output(key_and_text); });
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("lacks") && ContainsSubstring(part));
  };
  (void)output(key_and_text);
  look("alter table last drop primary key");
  refused("unique key");
  look("alter table last add primary key (k), add unique key other (sluice_offset)");
  refused("unique key");
  look("alter table last drop key other, modify sluice_partition varchar(255)");
  refused("not null");
  look("drop table last; create table last (k int primary key) engine = MyISAM");
  refused("MyISAM");
}
