/// \file offset_store/postgres_result.hpp  One statement for PostgreSQL with its values, and the answer to it.
#pragma once
#include <sluice/offset_store/postgres_parameters.hpp>

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail::postgres {

/// The answer to one statement.
class result {
  struct clear {
    void operator()(PGresult* r) const { PQclear(r); }
  };
  std::unique_ptr<PGresult, clear> r_{};

 public:
  result() = default;
  explicit result(PGresult* r) : r_(r) {}
  PGresult* get() const { return r_.get(); }
  bool good() const {
    auto const s = PQresultStatus(r_.get());
    return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_COPY_IN;
  }
  std::string_view state() const {
    auto const* s = PQresultErrorField(r_.get(), PG_DIAG_SQLSTATE);
    return s ? s : "";
  }
  std::string_view command() const { return PQcmdStatus(r_.get()); }
  int rows() const { return PQntuples(r_.get()); }
  bool null(int row, int column) const { return PQgetisnull(r_.get(), row, column) != 0; }
  std::string_view text(int row, int column) const {
    return {PQgetvalue(r_.get(), row, column), static_cast<std::size_t>(PQgetlength(r_.get(), row, column))};
  }
  std::int64_t number(int row, int column) const {
    return std::strtoll(PQgetvalue(r_.get(), row, column), nullptr, 10);
  }
};

struct request {
  std::string sql{};
  parameters with{};
};

}}}  // namespace sluice::v0::detail::postgres
