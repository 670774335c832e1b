#include <sluice/offset_store/webhdfs.hpp>

#include <sluice/legality.hpp>

#include "contract_network.hpp"
#include "webhdfs_support.hpp"

static_assert(sl::offset_store<sl::webhdfs_offset_store> && !sl::transactional_store<sl::webhdfs_offset_store>);
static_assert(sl::legal<sl::at_most_once, sl::webhdfs_offsets> && sl::legal<sl::idempotent, sl::webhdfs_offsets>);
static_assert(!sl::legal<sl::transactional, sl::webhdfs_offsets>);

TEST_CASE("webhdfs_offsets keeps the contract of stores") { contract::holds<webhdfs_fixture>(); }
TEST_CASE("webhdfs_offsets keeps the contract of stores behind a network") {
  contract::holds_over_network<webhdfs_fixture>();
}

/// The cases that show how a file is published there.
TEST_CASE("an HttpFS before HDFS will do as well") {
  using namespace contract;
  using F = http_fs_fixture;
  on_fresh<F>("the first claim stores all starts", first_claim<F>);
  on_fresh<F>("a later claim resumes", later_claim<F>);
  on_fresh<F>("an old fence is refused", old_fence<F>);
  on_fresh<F>("two claimants at once", two_claimants_at_once<F>);
  for (auto const t : {trouble::cut_after, trouble::hold})
    on_fresh<F>("an advance and " + name_of(t), [t](F& f) { advance_in_trouble(f, t); });
}
TEST_CASE("the contract of stores through HttpFS", "[.long]") { contract::holds<http_fs_fixture>(); }

TEST_CASE("20 kills of HDFS in mid-store lose nothing that it acknowledged", "[.long]") {
  contract::server_killed_often<webhdfs_fixture>();
}
