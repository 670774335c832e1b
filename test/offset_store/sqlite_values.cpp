#include <sluice/offset_store/sqlite_values.hpp>

#include <sluice/offset_store/sqlite.hpp>

#include <array>
#include <limits>

#include "sqlite_support.hpp"
#include "transaction_cases.hpp"

namespace {

using namespace transaction_cases;

struct fixture : open_transaction<sqlite_fixture> {
  std::string file = config.path;

  fixture() { tx->execute("create table t (id integer primary key, what)"); }
  template <class... A>
  thrown refused(std::string_view sql, A const&... args) {
    return refused_alone(sql, args...);
  }
  texts typed() { return look("select id, what, typeof(what) from t order by id"); }
  texts whats() { return look("select what from t order by id"); }
  int statements() {
    int n = 0;
    for (auto* statement = sqlite3_next_stmt(tx->native_handle(), nullptr); statement;
         statement = sqlite3_next_stmt(tx->native_handle(), statement))
      ++n;
    return n;
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "values come back as they were") {
  auto const insert = "insert into t (what) values (?)";
  std::array const raw{std::byte{0}, std::byte{255}};
  std::string const text = "na\xc3\xafve'\"; drop table t";
  tx->execute(insert, 7);
  tx->execute(insert, std::numeric_limits<std::int64_t>::min());
  tx->execute(insert, std::uint8_t{200});
  tx->execute(insert, true);
  tx->execute(insert, 0.5);
  tx->execute(insert, 0.25f);
  tx->execute(insert, text);
  tx->execute(insert, std::string_view{text});
  tx->execute(insert, text.c_str());
  tx->execute(insert, "literal");
  tx->execute(insert, sl::bytes{raw});
  tx->execute(insert, raw);
  tx->execute(insert, sl::as_bytes(std::string_view{""}));
  tx->execute(insert, sl::bytes{});
  tx->execute(insert, std::string_view{});
  tx->execute(insert, static_cast<char const*>(nullptr));
  tx->execute(insert, nullptr);
  tx->execute(insert, std::nullopt);
  tx->execute(insert, std::optional<std::string>{});
  tx->execute(insert, std::optional{3});
  tx->execute(insert, offset{1234});
  tx->execute(insert, sl::wall_time{std::chrono::milliseconds{99}});
  tx->execute(insert, std::string{});

  int i = 0;
  auto answer = tx->query("select what from t order by id");
  auto at = answer.begin();
  auto const next = [&](auto check) {
    INFO("row " << i++);
    REQUIRE(at != answer.end());
    check(*at);
    ++at;
  };
  auto const is_null = [](sl::sqlite_row r) { CHECK_FALSE(r.get<std::optional<std::int64_t>>(0)); };
  auto const is_text = [&](sl::sqlite_row r) { CHECK(r.get<std::string>(0) == text); };
  auto const is_raw = [&](sl::sqlite_row r) {
    auto const b = r.get<sl::bytes>(0);
    CHECK(std::ranges::equal(b, raw));
  };
  next([](auto r) { CHECK(r.template get<int>(0) == 7); });
  next([](auto r) { CHECK(r.template get<std::int64_t>(0) == std::numeric_limits<std::int64_t>::min()); });
  next([](auto r) { CHECK(r.template get<unsigned>(0) == 200); });
  next([](auto r) { CHECK(r.template get<bool>(0)); });
  next([](auto r) { CHECK(r.template get<double>(0) == 0.5); });
  next([](auto r) { CHECK(r.template get<float>(0) == 0.25f); });
  for (int n = 0; n < 3; ++n) next(is_text);
  next([](auto r) { CHECK(r.template get<std::string_view>(0) == "literal"); });
  next(is_raw);
  next(is_raw);
  next([](auto r) { CHECK(r.template get<std::optional<sl::bytes>>(0)->empty()); });
  for (int n = 0; n < 6; ++n) next(is_null);
  next([](auto r) { CHECK(r.template get<std::optional<int>>(0) == 3); });
  next([](auto r) { CHECK(r.template get<offset>(0) == offset{1234}); });
  next([](auto r) { CHECK(r.template get<int>(0) == 99); });
  next([](auto r) { CHECK(r.template get<std::optional<std::string>>(0) == ""); });
  CHECK(at == answer.end());
}

TEST_CASE_METHOD(fixture, "a column of another type is refused, not converted") {
  auto answer = tx->query("select 300, 'CANARY', null, 1.5");
  columns_are_not_converted(*answer.begin(), 4);
  wrong_type([&] { (void)(*answer.begin()).get<std::string>(0); });
}
