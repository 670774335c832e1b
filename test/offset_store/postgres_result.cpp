#include <sluice/offset_store/postgres_result.hpp>

#include <array>

#include "catch.hpp"

namespace {

namespace pg = sluice::detail::postgres;

pg::result made(ExecStatusType status) { return pg::result{PQmakeEmptyPGresult(nullptr, status)}; }

}  // namespace

TEST_CASE("an answer is good where the statement was run") {
  CHECK(made(PGRES_COMMAND_OK).good());
  CHECK(made(PGRES_TUPLES_OK).good());
  CHECK(made(PGRES_COPY_IN).good());
  CHECK_FALSE(made(PGRES_FATAL_ERROR).good());
  CHECK_FALSE(made(PGRES_PIPELINE_ABORTED).good());
  CHECK_FALSE(made(PGRES_EMPTY_QUERY).good());
  CHECK_FALSE(pg::result{}.good());
  CHECK(made(PGRES_FATAL_ERROR).state().empty());
}

TEST_CASE("values of an answer are text, numbers or null") {
  auto const r = made(PGRES_TUPLES_OK);
  std::array<char, 2> names{"a"};
  std::array<PGresAttDesc, 2> columns{};
  for (auto& c : columns) c.name = names.data();
  REQUIRE(PQsetResultAttrs(r.get(), 2, columns.data()));
  std::array<char, 4> number{'-', '1', '2', '\0'};
  REQUIRE(PQsetvalue(r.get(), 0, 0, number.data(), 3));
  REQUIRE(PQsetvalue(r.get(), 0, 1, nullptr, -1));
  CHECK(r.rows() == 1);
  CHECK(r.number(0, 0) == -12);
  CHECK(r.text(0, 0) == "-12");
  CHECK_FALSE(r.null(0, 0));
  CHECK(r.null(0, 1));
}
