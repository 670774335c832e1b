#include <sluice/offset_store/hbase.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

/// "http://HOST:PORT/TABLE"
void run(member const& m) {
  auto const host = m.s.address.find("://");
  auto const slash = m.s.address.find('/', host == m.s.address.npos ? host : host + 3);
  if (slash == m.s.address.npos) throw std::runtime_error("--at takes http://HOST:PORT/TABLE of HBase's REST server");
  run_course(m, sl::hbase_offsets{.address = m.s.address.substr(0, slash), .table = m.s.address.substr(slash + 1)});
}

registered const here{{"hbase", "http://HOST:PORT/TABLE", promised_by<sl::hbase_offsets>, run, nullptr}};

}}  // namespace crash_course
