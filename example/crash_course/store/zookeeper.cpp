#include <sluice/offset_store/zookeeper.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

void run(member const& m) { run_course(m, sl::zookeeper_offsets{.servers = m.s.address}); }

registered const here{{"zookeeper", "HOST:PORT,…", promised_by<sl::zookeeper_offsets>, run, nullptr}};

}}  // namespace crash_course
