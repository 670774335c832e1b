// zookeeper:HOST:PORT,…: the library's own, which are a number that every program reads; so those of others too.
#include <sluice/offset_store/zookeeper_read.hpp>

#include "../own_store.hpp"

namespace offsets_tool { namespace {

std::unique_ptr<store> open(store_words const& w) {
  sl::zookeeper_offsets policy{.servers = w.place};
  if (w.has("--path")) policy.path = w.path;
  policy.user = w.user;
  policy.password_file = w.password_file;
  policy.password_variable = w.password_variable;
  return make_own(w, policy);
}

registered const mine{
    {.word = "zookeeper",
     .form = "zookeeper:HOST:PORT,…",
     .help = "ZooKeeper, with a chroot if there is one; also what Spark jobs or Kafka before 0.9 wrote",
     .takes = {"--path", "--user", "--password-file", "--password-variable"},
     .open = open}};

}}  // namespace offsets_tool
