// s3:ENDPOINT/BUCKET, the keys in AWS's own variables of the environment.
#include <sluice/offset_store/s3_read.hpp>

#include "../own_store.hpp"

namespace offsets_tool { namespace {

std::unique_ptr<store> open(store_words const& w) {
  auto const slash = w.place.find_last_of('/');
  if (slash == w.place.npos || slash + 1 == w.place.size())
    throw failure{"s3:ENDPOINT/BUCKET is wanted, such as s3:https://s3.eu-central-1.amazonaws.com/offsets"};
  sl::s3_offsets policy{.bucket = w.place.substr(slash + 1), .endpoint = w.place.substr(0, slash), .path_style = true};
  if (w.has("--prefix")) policy.prefix = w.prefix;
  if (w.has("--region")) policy.region = w.region;
  return make_own(w, policy);
}

registered const mine{{.word = "s3",
                       .form = "s3:ENDPOINT/BUCKET",
                       .help = "S3; keys in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
                       .takes = {"--prefix", "--region"},
                       .open = open}};

}}  // namespace offsets_tool
