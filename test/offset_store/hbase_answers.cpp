#include <sluice/offset_store/hbase_answers.hpp>

#include "thrown.hpp"

namespace hb = sl::detail::hbase;
using sl::errc;

TEST_CASE("refusals of HBase are told with what to do, and cite nothing") {
  struct row {
    long status;
    char const* said;
    errc means;
    char const* part;
  };
  hb::remedies const commands{"create 't'", "alter 't'"};
  for (auto const& [status, said, means, part] :
       {row{401, "", errc::bad_configuration, ".password_file"},
        row{403, "Forbidden\r\norg.apache.hadoop.hbase.security.AccessDeniedException", errc::bad_configuration,
            "'RWC'"},
        row{404, "Not found\r\norg.apache.hadoop.hbase.TableNotFoundException: ", errc::bad_configuration,
            "create 't'"},
        row{404, "Not found\r\norg.apache.hadoop.hbase.regionserver.NoSuchColumnFamilyException: ",
            errc::bad_configuration, "alter 't'"},
        row{400, "Bad request\r\njava.lang.IllegalArgumentException: KeyValue size too large", errc::store_full,
            "hbase.client.keyvalue.maxsize"},
        row{503, "DoNotRetryIOException: Cell with size 10485841 exceeds limit of 10485760 bytes", errc::store_full,
            "hbase.server.keyvalue.maxsize"},
        row{503, "SpaceLimitingException: ", errc::store_full, "quota"},
        row{503, "Unavailable", errc::store_unavailable, "region servers"},
        row{500, "", errc::store_unavailable, "500"}, row{429, "", errc::store_unavailable, "429"},
        row{404, "<html>", errc::store_unavailable, "none of HBase's"},
        row{200, "<html>", errc::store_unavailable, "none of HBase's"},
        row{302, "", errc::store_unavailable, "is the address right"}}) {
    auto const m = hb::meaning_of({.status = status, .content = std::string{said} + "canary"}, commands);
    INFO(m.what);
    CHECK(m.code == means);
    CHECK_THAT(m.what, ContainsSubstring(part) && !ContainsSubstring("canary"));
  }
}
