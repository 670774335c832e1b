// webhdfs:http://HOST:PORT/DIRECTORY, checkpoint-webhdfs:http://HOST:PORT/DIRECTORY.
#include <sluice/offset_store/checkpoint_in_read.hpp>
#include <sluice/offset_store/webhdfs_checkpoint.hpp>
#include <sluice/offset_store/webhdfs_read.hpp>

#include "../own_store.hpp"

namespace offsets_tool { namespace {

sl::webhdfs_offsets policy_of(store_words const& w) {
  auto const scheme = w.place.find("://");
  auto const slash = scheme == w.place.npos ? scheme : w.place.find('/', scheme + 3);
  if (slash == w.place.npos)
    throw failure{w.kind + ":http://HOST:PORT/DIRECTORY is wanted, such as " + w.kind +
                  ":http://namenode:9870/user/billing"};
  sl::webhdfs_offsets policy{.address = w.place.substr(0, slash), .directory = w.place.substr(slash), .user = w.user};
  policy.token_file = w.password_file;
  policy.token_variable = w.password_variable;
  return policy;
}
std::unique_ptr<store> open(store_words const& w) { return make_own(w, policy_of(w)); }
std::unique_ptr<store> open_checkpoint(store_words const& w) {
  return make_own(w, sl::checkpoint_in<sl::webhdfs_offsets>{.place = policy_of(w)});
}

registered const mine{{.word = "webhdfs",
                       .form = "webhdfs:http://HOST:PORT/DIRECTORY",
                       .help = "HDFS by WebHDFS; a delegation token is given as a password is",
                       .takes = {"--user", "--password-file", "--password-variable"},
                       .open = open}};
registered const checkpoint{{.word = "checkpoint-webhdfs",
                             .form = "checkpoint-webhdfs:http://HOST:PORT/DIRECTORY",
                             .help = "checkpoint_in<webhdfs_offsets>",
                             .takes = {"--user", "--password-file", "--password-variable"},
                             .open = open_checkpoint}};

}}  // namespace offsets_tool
