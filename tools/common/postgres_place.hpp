/// \file postgres_place.hpp  A PostgreSQL database as the command line names it.
#pragma once
#include <sluice/offset_store/postgres_connection.hpp>

#include "words.hpp"

namespace tools {

/// A libpq connection string, or a URI. A password in it would be seen by all who see the list of processes.
inline std::string postgres_connection(std::string place) {
  if (place.starts_with("//")) place = "postgres:" + place;
  std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> const parsed{PQconninfoParse(place.c_str(), nullptr),
                                                                              PQconninfoFree};
  for (auto const* o = parsed.get(); o && o->keyword; ++o)
    if (std::string_view word{o->keyword}; o->val && (word == "password" || word == "sslpassword"))
      throw failure{
          "postgres: no password on the command line, where others can read it: give it in ~/.pgpass, a file named by "
          "passfile=… or PGPASSFILE, or in the environment (PGPASSWORD)"};
  return place;
}

/// Host and database: what tells one from another.
inline std::string postgres_name(std::string const& connection) {
  std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> const parsed{
      PQconninfoParse(connection.c_str(), nullptr), PQconninfoFree};
  std::string host, port, database;
  for (auto const* o = parsed.get(); o && o->keyword; ++o) {
    if (!o->val) continue;
    std::string_view const word{o->keyword};
    if (word == "host") host = o->val;
    if (word == "port") port = std::string(":") + o->val;
    if (word == "dbname") database = std::string("/") + o->val;
  }
  return "postgres:" + host + port + database;
}

}  // namespace tools
