#include <sluice/offset_store/checkpoint.hpp>

#include "checkpoint_support.hpp"

namespace {

static_assert(sl::offset_store<sl::checkpoint::runtime>);
static_assert(sl::transactional_store<sl::checkpoint::runtime>);
static_assert(sl::sets_aside<sl::checkpoint::runtime>);

}  // namespace

TEST_CASE("checkpoint keeps the contract of stores") { contract::holds<checkpoint_fixture>(); }
