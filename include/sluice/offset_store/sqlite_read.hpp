/// \file offset_store/sqlite_read.hpp  A group's positions in an SQLite file, read without claiming them.
#pragma once
#include <sluice/offset_store/kept_position.hpp>
#include <sluice/offset_store/sqlite.hpp>

namespace sluice { inline namespace v0 {

/// See kept_position.hpp. All of one moment; waits for nobody but a consumer that makes the file's first tables.
inline std::vector<kept_position> read_positions(sqlite_offsets const& config, context const& c, time_point by) {
  namespace sql = detail::sqlite;
  sql::check_sql_name("sqlite_offsets.table", config.table);
  std::vector<kept_position> all;
  if (!config.path.empty() && ::access(config.path.c_str(), F_OK) != 0 && errno == ENOENT) return all;
  sql::connection db{"sqlite_offsets", config.path, config.lock_timeout, sql::access::read};
  db.wait_until(by);
  bool const taken = db.has_table(config.table);  // looked at first, as when the tables are made
  if (!sql::has_known_format(db, config.table)) {
    if (taken) sql::not_the_librarys(db, config.table);
    return all;
  }
  auto const id = db.text("select value from \"" + config.table + "_meta\" where name = 'id'");
  sql::statement{db,
                 std::string("select ") + sql::position_columns + ", topic, partition from \"" + config.table +
                     "\" where grp = ? order by topic, partition",
                 "reading positions"}
      .each(
          [&](sqlite_row row) {
            auto const p = sql::read_position(row);
            if (!p.missing)
              all.push_back({{row.get<std::string>(7), row.get<std::int32_t>(8)}, p.next, p.log, p.owned, id});
          },
          c.group);
  return all;
}

}}  // namespace sluice::v0
