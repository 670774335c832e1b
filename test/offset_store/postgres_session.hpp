/// \file postgres_session.hpp  For the tests of the parts under postgres_offsets: a session of the library's own, its tables made.
#pragma once
#include <sluice/offset_store/postgres_positions.hpp>

#include "contract.hpp"
#include "postgres_support.hpp"

namespace pg = sl::detail::postgres;

struct postgres_session : postgres_fixture {
  pg::connection db{{.who = "postgres_offsets", .connection = here()}};
  pg::tables t{db, "sluice_offsets", true};

  postgres_session() {
    db.ready(contract::soon());
    t.prepare(contract::soon());
  }
};
