/// \file offset_store/postgres_read.hpp  A group's positions in PostgreSQL, read without claiming them.
#pragma once
#include <sluice/offset_store/kept_position.hpp>
#include <sluice/offset_store/postgres.hpp>

namespace sluice { inline namespace v0 {

/// See kept_position.hpp. All of one moment; takes no lock. The right to select is enough; the server must be the primary.
inline std::vector<kept_position> read_positions(postgres_offsets const& config, context const& c, time_point by) {
  namespace pg = detail::postgres;
  pg::check_name("postgres_offsets.table", config.table, 63 - std::string_view{"_skipped_"}.size());
  pg::connection db{{"postgres_offsets", config.connection, true, config.connect_timeout, config.statement_timeout,
                     config.lock_timeout, config.idle_in_transaction_timeout}};
  db.ready(by);
  pg::tables tables{db, config.table, false};
  if (!tables.look(by)) return {};
  pg::positions positions{tables};
  positions.of_group(c.group);
  auto const found = db.must_one(positions.all(), "reading positions", by);
  std::vector<kept_position> all;
  int row = 0;
  pg::positions::each(found, [&](std::size_t, detail::stored_position const& p) {
    topic_partition of{std::string(found.text(row, 8)), static_cast<std::int32_t>(found.number(row, 9))};
    if (p.next != detail::no_next) all.push_back({std::move(of), offset{p.next}, p.log, p.owned, {}});
    ++row;
  });
  return detail::in_order(std::move(all));
}

}}  // namespace sluice::v0
