#include <sluice/offset_store/kafka.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

void run(member const& m) { run_course(m, sl::kafka_offsets{}); }

registered const here{{"kafka", "", promised_by<sl::kafka_offsets, false>, run, nullptr}};

}}  // namespace crash_course
