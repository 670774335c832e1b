// s3:ENDPOINT/BUCKET, checkpoint-s3:ENDPOINT/BUCKET, the keys in AWS's own variables of the environment.
#include <sluice/offset_store/checkpoint_in_read.hpp>
#include <sluice/offset_store/s3_checkpoint.hpp>
#include <sluice/offset_store/s3_read.hpp>

#include "../own_store.hpp"

namespace offsets_tool { namespace {

sl::s3_offsets policy_of(store_words const& w) {
  auto const slash = w.place.find_last_of('/');
  if (slash == w.place.npos || slash + 1 == w.place.size())
    throw failure{w.kind + ":ENDPOINT/BUCKET is wanted, such as " + w.kind +
                  ":https://s3.eu-central-1.amazonaws.com/offsets"};
  sl::s3_offsets policy{.bucket = w.place.substr(slash + 1), .endpoint = w.place.substr(0, slash), .path_style = true};
  if (w.has("--prefix")) policy.prefix = w.prefix;
  if (w.has("--region")) policy.region = w.region;
  return policy;
}
std::unique_ptr<store> open(store_words const& w) { return make_own(w, policy_of(w)); }
std::unique_ptr<store> open_checkpoint(store_words const& w) {
  if (!w.has("--prefix")) throw failure{"checkpoint-s3:ENDPOINT/BUCKET needs --prefix: the checkpoint's own"};
  return make_own(w, sl::checkpoint_in<sl::s3_offsets>{.place = policy_of(w)});
}

registered const mine{{.word = "s3",
                       .form = "s3:ENDPOINT/BUCKET",
                       .help = "S3; keys in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
                       .takes = {"--prefix", "--region"},
                       .open = open}};
registered const checkpoint{{.word = "checkpoint-s3",
                             .form = "checkpoint-s3:ENDPOINT/BUCKET",
                             .help = "checkpoint_in<s3_offsets>; --prefix is the checkpoint's own",
                             .takes = {"--prefix", "--region"},
                             .open = open_checkpoint}};

}}  // namespace offsets_tool
