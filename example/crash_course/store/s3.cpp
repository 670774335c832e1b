#include <sluice/offset_store/s3.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

void run(member const& m) {
  auto const slash = m.s.address.find_last_of('/');
  if (slash == m.s.address.npos) throw std::runtime_error("--at takes ENDPOINT/BUCKET of the S3");
  run_course(
      m, sl::s3_offsets{
             .bucket = m.s.address.substr(slash + 1), .endpoint = m.s.address.substr(0, slash), .path_style = true});
}

registered const here{{"s3", "ENDPOINT/BUCKET; its keys are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                       promised_by<sl::s3_offsets>, run, nullptr}};

}}  // namespace crash_course
