#include <sluice/offset_store/webhdfs_checkpoint.hpp>

#include <sluice/legality.hpp>

#include "hosted_checkpoint_support.hpp"
#include "webhdfs_support.hpp"

namespace {

struct webhdfs_checkpoint_base : webhdfs_fixture {
  sl::webhdfs_offsets config_at(int at) const {
    auto c = config;
    c.address = the_hdfs().address(at);
    return c;
  }
  std::vector<std::string> names(std::string const& below) const {
    sl::detail::webhdfs::client c{sl::detail::webhdfs::settings_of(config)};
    return c.list(config.directory + "/" + below, contract::soon()).value();
  }
};
using fixture = hosted_checkpoint<webhdfs_checkpoint_base>;
using checkpoint = sl::checkpoint_in<sl::webhdfs_offsets>;

static_assert(sl::transactional_store<checkpoint::runtime> && !sl::sets_aside<checkpoint::runtime>);
static_assert(sl::legal<sl::transactional, checkpoint> && sl::legal<sl::at_most_once, checkpoint>);

}  // namespace

TEST_CASE("a checkpoint in HDFS keeps the contract of stores") { contract::holds<fixture>(); }
TEST_CASE("a checkpoint in HDFS keeps the contract of stores behind a network") {
  contract::holds_over_network<fixture>();
}
TEST_CASE("in HDFS state follows its partition") {
  fixture f;
  hosted_cases::state_follows_its_partition(f);
}
TEST_CASE("in HDFS nothing is left behind") {
  fixture f;
  hosted_cases::what_was_left_behind(f);
}
