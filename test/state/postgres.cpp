#include <sluice/state/postgres.hpp>

#include "../offset_store/postgres_support.hpp"
#include "state_cases.hpp"

TEST_CASE("postgres_offsets holds state") { state_cases::hold<postgres_fixture>(); }

TEST_CASE("PostgreSQL looks at the rows that are asked for, not at all of a large state") {
  using namespace state_cases;
  postgres_fixture f;
  claimed_store<postgres_fixture> s{f};
  texts names;
  for (int i = 0; i < 20'000; ++i) names.push_back("k" + std::to_string(i));
  std::vector<state_row> rows;
  for (auto const& n : names) rows.push_back({.of = &o0, .key = n, .value = "v"});
  s.put(rows);
  rows.resize(100);
  s.transact(
      [&](sl::postgres_transaction& tx) {
        auto looked_at = [&, before = std::int64_t{0}]() mutable {
          std::int64_t n = 0;
          for (auto const& row : tx.query("select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where "
                                          "schemaname = $1 and relname = "
                                          "'sluice_offsets_state'",
                                          f.schema))
            n = row.get<std::int64_t>(0);
          return n - std::exchange(before, n);
        };
        looked_at();
        CHECK(s.found(tx, rows) == texts(100, "v"));
        CHECK(looked_at() <= 100);
        for (auto& r : rows) r.there = false;
        sl::detail::state_store<sl::postgres_transaction>{tx, "counts"}.write(rows);
        CHECK(looked_at() <= 300);
        CHECK(s.found(tx, rows) == texts(100, "-"));
      },
      false);
}
