#include <sluice/offset_store/webhdfs.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

/// "http://HOST:PORT/DIRECTORY", the user in HADOOP_USER_NAME as Hadoop's own clients have it.
void run(member const& m) {
  auto const host = m.s.address.find("://");
  auto const slash = m.s.address.find('/', host == m.s.address.npos ? host : host + 3);
  if (slash == m.s.address.npos) throw std::runtime_error("--at takes http://HOST:PORT/DIRECTORY of the HDFS");
  auto const* const user = std::getenv("HADOOP_USER_NAME");
  run_course(m, sl::webhdfs_offsets{.address = m.s.address.substr(0, slash),
                                    .directory = m.s.address.substr(slash),
                                    .user = user ? user : ""});
}

registered const here{{"webhdfs", "http://HOST:PORT/DIRECTORY; its user is in HADOOP_USER_NAME",
                       promised_by<sl::webhdfs_offsets>, run, nullptr}};

}}  // namespace crash_course
