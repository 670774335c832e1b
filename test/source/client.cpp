#include <sluice/source/client.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
struct least {
  std::optional<sl::client::event> poll() { return {}; }
  void subscribe(std::vector<std::string> const&) {}
  void assign(std::vector<sl::position> const&) {}
  void incremental_assign(std::vector<sl::position> const&) {}
  void incremental_unassign(std::vector<sl::topic_partition> const&) {}
  bool cooperative() const { return false; }
  std::size_t open_queue(sl::topic_partition const&) { return 0; }
  void close_queue(std::size_t) {}
  sl::client::taken take(std::size_t, std::span<sl::detail::message>) { return {}; }
  void release(std::span<sl::detail::message const>) {}
  sl::detail::message_access const* access() const { return nullptr; }
  sl::client::watermarks limits(std::size_t) const { return {}; }
  void reach(sl::time_point) {}
  std::int32_t partition_count(std::string const&, sl::time_point) { return 0; }
  std::vector<sl::client::watermarks> ends(std::vector<sl::topic_partition> const&, sl::time_point) { return {}; }
  std::vector<sl::offset> offsets_at(std::vector<sl::topic_partition> const&, sl::wall_time, sl::time_point) {
    return {};
  }
  sl::group_positions& positions();
  void wait(sl::time_point) {}
  void wake() {}
  void wake_on(int) {}
  void renew() {}
  bool close(sl::time_point) { return true; }
};
struct waits_for_an_event : least {
  sl::client::event poll() { return {}; }
};
struct eager_only : least {
 private:
  void incremental_assign(std::vector<sl::position> const&) {}
};
struct no_time_limit : least {
  std::int32_t partition_count(std::string const&) { return 0; }
};

static_assert(sl::client::kafka_client<least>);
static_assert(!sl::client::kafka_client<waits_for_an_event>);
static_assert(!sl::client::kafka_client<eager_only>);
static_assert(!sl::client::kafka_client<no_time_limit>, "what asks the brokers has a limit");
}  // namespace

TEST_CASE("nothing is known or fatal unless it is said") {
  CHECK_FALSE(sl::client::watermarks{}.known);
  CHECK_FALSE(sl::client::trouble{}.fatal);
  CHECK_FALSE(sl::client::revoked{}.lost);
  CHECK((sl::client::taken{}.count == 0 && !sl::client::taken{}.out_of_range));
}
