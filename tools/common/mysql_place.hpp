/// \file mysql_place.hpp  A MariaDB database as the command line names it.
#pragma once
#include <sluice/offset_store/mysql.hpp>

#include "words.hpp"

namespace tools {

/// `w`: the place, and who logs in by which password.
template <class Words>
sl::mysql_offsets mysql_place(Words const& w) {
  auto const slash = w.place.rfind('/');
  if (slash == w.place.npos || slash == 0 || slash + 1 == w.place.size())
    throw failure{"mysql: give HOST:PORT/DATABASE, or the path of a Unix socket and /DATABASE behind it"};
  sl::mysql_offsets policy{.host = w.place.substr(0, slash),
                           .user = w.user,
                           .password_file = w.password_file,
                           .password_variable = w.password_variable,
                           .database = w.place.substr(slash + 1)};
  if (auto const colon = policy.host.rfind(':'); colon != policy.host.npos && !policy.host.starts_with('/')) {
    auto const port = whole_number<std::int32_t>(std::string_view{policy.host}.substr(colon + 1));
    if (!port) throw failure{"mysql: what stands behind the host's colon is no port"};
    policy.port = *port;
    policy.host.resize(colon);
  }
  return policy;
}

}  // namespace tools
