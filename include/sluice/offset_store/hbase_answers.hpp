/// \file offset_store/hbase_answers.hpp  What the refusals of HBase's REST server mean. It repeats what it was sent, so none of its text is passed on.
#pragma once
#include <sluice/offset_store/http_connection.hpp>

namespace sluice { inline namespace v0 { namespace detail::hbase {

/// What makes a table that lacks something right, in HBase's shell.
struct remedies {
  std::string make_table{};
  std::string make_family{};
};

struct meaning {
  errc code;
  std::string what;
};

/// Of an answer that is neither success nor that a check does not hold.
inline meaning meaning_of(http::answer const& a, remedies const& r) {
  auto const names = [&](char const* exception) { return a.content.find(exception) != a.content.npos; };
  auto const said = std::to_string(a.status);
  if (a.status == 401)
    return {errc::bad_configuration,
            "does not accept this user or password (401): see .user, .password_file and .password_variable"};
  if (a.status == 403)
    return {errc::bad_configuration,
            "refuses (403): the REST server's user, or the one that it speaks for, needs the rights to read and write "
            "the table, and C to see its settings (hbase shell: grant 'USER', 'RWC', 'TABLE')"};
  if (names("TableNotFoundException"))
    return {errc::bad_configuration, "has no such table: make it (hbase shell: " + r.make_table + ")"};
  if (names("NoSuchColumnFamilyException"))
    return {errc::bad_configuration,
            "has the table without its families: add them (hbase shell: " + r.make_family + ")"};
  if (names("KeyValue size too large") || names("exceeds limit of") || names("QuotaExceeded") ||
      names("SpaceLimitingException"))
    return {errc::store_full, "takes no more (" + said +
                                  "): a quota, or a cell above hbase.client.keyvalue.maxsize and "
                                  "hbase.server.keyvalue.maxsize, which must hold a group's state"};
  if (a.status == 429 || a.status >= 500)
    return {errc::store_unavailable, "can't do it now (" + said +
                                         "): are the master and all region servers up, and is "
                                         "the table enabled?"};
  return {errc::store_unavailable,
          "gave an answer that is none of HBase's REST server's (" + said + "): is the address right?"};
}

}}}  // namespace sluice::v0::detail::hbase
