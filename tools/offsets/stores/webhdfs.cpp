// webhdfs:http://HOST:PORT/DIRECTORY.
#include <sluice/offset_store/webhdfs_read.hpp>

#include "../own_store.hpp"

namespace offsets_tool { namespace {

std::unique_ptr<store> open(store_words const& w) {
  auto const scheme = w.place.find("://");
  auto const slash = scheme == w.place.npos ? scheme : w.place.find('/', scheme + 3);
  if (slash == w.place.npos)
    throw failure{"webhdfs:http://HOST:PORT/DIRECTORY is wanted, such as webhdfs:http://namenode:9870/user/billing"};
  sl::webhdfs_offsets policy{.address = w.place.substr(0, slash), .directory = w.place.substr(slash), .user = w.user};
  policy.token_file = w.password_file;
  policy.token_variable = w.password_variable;
  return make_own(w, policy);
}

registered const mine{{.word = "webhdfs",
                       .form = "webhdfs:http://HOST:PORT/DIRECTORY",
                       .help = "HDFS by WebHDFS; a delegation token is given as a password is",
                       .takes = {"--user", "--password-file", "--password-variable"},
                       .open = open}};

}}  // namespace offsets_tool
