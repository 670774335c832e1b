/// \file offset_store/mysql_read.hpp  A group's positions in MariaDB, read without claiming them.
#pragma once
#include <sluice/offset_store/kept_position.hpp>
#include <sluice/offset_store/mysql.hpp>

namespace sluice { inline namespace v0 {

/// See kept_position.hpp. All of one moment; takes no lock. The right to select is enough; the server must be the primary.
inline std::vector<kept_position> read_positions(mysql_offsets const& config, context const& c, time_point by) {
  namespace my = detail::mysql;
  auto options = my::options_of("mysql_offsets", config);
  options.assume_durable = true;
  my::check_table("mysql_offsets.table", config.table);
  my::connection db{options};
  db.ready(by);
  my::tables tables{db, config.table, false};
  if (!tables.look(by)) return {};
  if (detail::as_utf8(c.group) != c.group) return {};  // no claim takes such a name
  my::positions positions{db, tables};
  positions.of_group(c.group);
  auto const found = db.must(positions.all(), "reading positions", by);
  std::vector<kept_position> all;
  std::size_t row = 0;
  my::positions::each(found[0], [&](std::size_t, detail::stored_position const& p) {
    topic_partition of{found[0].text(row, 8), static_cast<std::int32_t>(found[0].number(row, 9))};
    if (p.next != detail::no_next) all.push_back({std::move(of), offset{p.next}, p.log, p.owned, {}});
    ++row;
  });
  return detail::in_order(std::move(all));
}

}}  // namespace sluice::v0
