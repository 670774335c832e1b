#include <sluice/offset_store/postgres_columns.hpp>

#include <sluice/offset_store/postgres.hpp>

#include <array>
#include <limits>

#include "postgres_support.hpp"
#include "transaction_cases.hpp"

namespace {

using namespace transaction_cases;

struct fixture : open_transaction<postgres_fixture> {
  fixture() { look("create table t (id serial primary key, what text)"); }
  texts whats() { return look("select what from t order by id"); }
};

}  // namespace

TEST_CASE_METHOD(fixture, "many rows at once: upsert writes the last of each key") {
  tx->execute("create table \"Many\" (id int, \"Name\" text, raw bytea, at timestamptz, primary key (id, at))");
  tx->execute("insert into \"Many\" values (1, 'old', null, '2026-01-01')");
  std::vector<int> numbers;
  for (int i = 0; i < 45'000; ++i) numbers.push_back(i % 30'000);
  int n = 0;
  auto const row = [&](int i) {
    auto const name = i == 7 ? std::optional<std::string>{} : "a'\"\\{},\n" + std::to_string(n);
    ++n;
    return std::tuple{i, name, std::optional<sl::bytes>{sl::as_bytes(std::string_view{"\0\\x", 3})}, "2026-01-01"};
  };
  sl::postgres_columns const into{.table = schema + ".Many", .key = {"id", "at"}, .columns = {"Name", "raw"}};
  auto const ordered = [&](int i) {
    auto const [id, name, raw, at] = row(i);
    return std::tuple{id, at, name, raw};
  };
  CHECK(tx->upsert(into, numbers, ordered) > 30'000);
  CHECK(error_of([&] { tx->upsert(into, std::vector{1}, [](int i) { return std::tuple{i}; }); }).code ==
        sl::errc::bad_statement);
  CHECK(error_of([&] {
          tx->upsert({.table = "nowhere", .key = {"id"}}, std::vector{1}, [](int i) { return std::tuple{i}; });
        }).code == sl::errc::bad_statement);
  CHECK(commit() == outcome::applied);
  CHECK(look("select count(*), count(\"Name\") from \"Many\"") == texts{"30000|29999"});
  CHECK(look("select \"Name\", raw from \"Many\" where id = 1") == texts{"a'\"\\{},\n30001|\\x005c78"});
  CHECK(look("select \"Name\" from \"Many\" where id = 29999") == texts{"a'\"\\{},\n29999"});
}

TEST_CASE_METHOD(fixture, "many rows at once: append copies them as they are") {
  std::vector<std::optional<std::string>> const given{"a\tb\nc\r\\d", "", std::nullopt, "\\N", "na\xc3\xafve", "\\."};
  tx->execute("create table raws (n int, t text, y bytea)");
  int n = 0;
  auto const row = [&](auto const& t) {
    auto const b = t ? sl::as_bytes(*t) : sl::bytes{};
    return std::tuple{n++, t, t && t->empty() ? sl::as_bytes(std::string_view{""}) : b};
  };
  CHECK(tx->append({.table = "raws", .columns = {"n", "t", "y"}}, given, row) == 6);
  std::vector<int> many(30'000, 5);
  CHECK(tx->append({.table = "t", .columns = {"what"}}, many, [](int i) { return std::tuple{i}; }) == 30'000);
  SECTION("committed") {
    std::vector<std::optional<std::string>> back;
    for (auto r : tx->query("select t, y from raws order by n")) {
      back.push_back(r.get<std::optional<std::string>>(0));
      auto const y = r.get<std::optional<std::string>>(1);
      CHECK(y == back.back());
    }
    CHECK(back == given);
    CHECK(commit() == outcome::applied);
    CHECK(look("select count(*) from t") == texts{"30000"});
  }
  SECTION("a row that can't be taken is the record's fault, and a savepoint undoes it") {
    tx->savepoint();
    auto const e = error_of([&] {
      tx->append({.table = "raws", .columns = {"n"}}, std::vector<std::string>{"1", "CANARY"},
                 [](std::string const& t) { return std::tuple{t}; });
    });
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
    tx->rollback_to_savepoint();
    tx->savepoint();
    CHECK_THROWS_WITH(tx->append({.table = "raws", .columns = {"n"}}, many,
                                 [](int) -> std::tuple<int> { throw std::runtime_error("mine"); }),
                      "mine");
    tx->rollback_to_savepoint();
    CHECK(error_of([&] {
            tx->append({.table = "nowhere", .columns = {"n"}}, many, [](int i) { return std::tuple{i}; });
          }).code == sl::errc::bad_statement);
    s->rollback(*tx);
    CHECK(whats().empty());
  }
}

TEST_CASE_METHOD(fixture, "upsert does not cut a value that is too long for its column") {
  tx->execute("create domain short as varchar(5)");
  tx->execute("create table narrow (id varchar(5) primary key, code char(3), also short)");
  using row = std::tuple<std::string, std::string, std::string>;
  auto const put = [&](row const& r) {
    tx->upsert({.table = "narrow", .key = {"id"}, .columns = {"code", "also"}}, std::vector{r},
               [](row const& all) { return all; });
  };
  put({"abc", "x", "y"});
  tx->execute("savepoint here");
  for (auto const& bad : {row{"order-1", "x", "y"}, row{"abc", "long", "y"}, row{"abc", "x", "longer"}}) {
    CHECK(error_of([&] { put(bad); }).code == sl::errc::bad_statement);
    tx->execute("rollback to here");
  }
}
