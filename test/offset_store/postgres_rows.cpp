#include <sluice/offset_store/postgres_rows.hpp>

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

TEST_CASE_METHOD(fixture, "values come back as they were") {
  tx->execute(
      "create temp table v (n bigint, small smallint, d double precision, f real, b boolean, t text, y bytea,"
      " m numeric, at timestamptz)");
  std::array const raw{std::byte{0}, std::byte{255}, std::byte{'\\'}};
  std::string const text = "na\xc3\xafve'\"\\; drop table t\t\n{}";
  tx->execute("insert into v values ($1, $2, $3, $4, $5, $6, $7, $8, $9)", std::numeric_limits<std::int64_t>::min(),
              std::uint8_t{200}, 0.1, 0.25f, true, text, raw, 123456789, "2026-01-02 03:04:05+00");
  tx->execute("insert into v values ($1, $2, $3, $4, $5, $6, $7)", nullptr, std::optional<int>{}, std::nullopt,
              std::optional{0.5f}, std::optional<bool>{}, std::string_view{}, sl::bytes{});
  tx->execute("insert into v (n, t, y) values ($1, $2, $3)", offset{1234}, std::string{},
              sl::as_bytes(std::string_view{""}));
  tx->execute("insert into v (n, t) values ($1, $2)", sl::wall_time{99ms}, text.c_str());
  tx->execute("insert into v (n, y) values ($1, $2)", 1, sl::as_bytes(std::string_view{"a\0b", 3}));

  auto rows = tx->query("select * from v");
  REQUIRE(rows.size() == 5);
  auto at = rows.begin();
  {
    auto const r = *at++;
    CHECK(r.get<std::int64_t>(0) == std::numeric_limits<std::int64_t>::min());
    CHECK(r.get<unsigned>(1) == 200);
    CHECK(r.get<double>(2) == 0.1);
    CHECK(r.get<float>(3) == 0.25f);
    CHECK(r.get<bool>(4));
    CHECK(r.get<std::string>(5) == text);
    CHECK(std::ranges::equal(r.get<sl::bytes>(6), raw));
    CHECK(r.get<std::string_view>(7) == "123456789");
    CHECK(r.get<int>(7) == 123456789);
    CHECK(r.get<std::string>(8).starts_with("2026-01-02"));
  }
  {
    auto const r = *at++;
    for (int const i : {0, 1, 2, 4, 5, 6}) CHECK_FALSE(r.get<std::optional<std::string>>(i));
    CHECK(r.get<std::optional<float>>(3) == 0.5f);
  }
  {
    auto const r = *at++;
    CHECK(r.get<offset>(0) == offset{1234});
    CHECK(r.get<std::optional<std::string>>(5) == "");
    CHECK(r.get<std::optional<sl::bytes>>(6)->empty());
  }
  CHECK((*at).get<int>(0) == 99);
  CHECK((*at++).get<std::string>(5) == text);
  CHECK(sl::as_text((*at++).get<sl::bytes>(6)) == std::string_view("a\0b", 3));
  CHECK(at == rows.end());
}

TEST_CASE_METHOD(fixture, "a column of another type is refused, not converted") {
  auto answer = tx->query("select 300, 'CANARY', null, 1.5, -1");
  auto const row = *answer.begin();
  columns_are_not_converted(row, 5);
  wrong_type([&] { (void)row.get<bool>(0); });
  wrong_type([&] { (void)row.get<sl::bytes>(1); });
  wrong_type([&] { (void)row.get<unsigned>(4); });
}
