#include <sluice/offset_store/s3_checkpoint.hpp>

#include <sluice/legality.hpp>

#include "hosted_checkpoint_support.hpp"
#include "s3_support.hpp"
#include "state/state_cases.hpp"

namespace {

struct s3_checkpoint_base : s3_fixture {
  sl::s3_offsets config_at(int at) const {
    auto c = config;
    c.endpoint = the_s3().endpoint(at);
    return c;
  }
  std::vector<std::string> names(std::string const& below) const {
    sl::detail::s3::files_of s{sl::detail::s3::settings_of(config)};
    return s.list(config.prefix + below, contract::soon()).value();
  }
};
using fixture = hosted_checkpoint<s3_checkpoint_base>;
using checkpoint = sl::checkpoint_in<sl::s3_offsets>;

static_assert(sl::transactional_store<checkpoint::runtime> && !sl::sets_aside<checkpoint::runtime>);
static_assert(sl::legal<sl::transactional, checkpoint> && sl::legal<sl::at_most_once, checkpoint>);
static_assert(!sl::legal<sl::transactional, checkpoint, sl::skip>);

}  // namespace

TEST_CASE("a checkpoint in S3 keeps the contract of stores") { contract::holds<fixture>(); }
TEST_CASE("a checkpoint in S3 keeps the contract of stores behind a network") {
  contract::holds_over_network<fixture>();
}
TEST_CASE("a checkpoint in S3 holds state") { state_cases::hold<fixture>(); }
TEST_CASE("in S3 state follows its partition") { 
  fixture f;
  hosted_cases::state_follows_its_partition<fixture>(f);
 }
TEST_CASE("in S3 nothing is left behind") { 
  fixture f;
  hosted_cases::what_was_left_behind<fixture>(f);
 }
