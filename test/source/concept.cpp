#include <sluice/source/concept.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
struct least {
  void open(sl::time_point) {}
  void serve(sl::source_owner&, sl::time_point) {}
  std::span<sl::lane const> lanes() const { return {}; }
  std::optional<std::int64_t> lag_of(std::size_t) const { return {}; }
  void take(std::span<std::size_t const>, std::size_t, std::size_t, sl::intake&) {}
  void give_back(sl::intake&) {}
  void reclaim(sl::topic_partition const&, sl::time_point) {}
  void reposition(sl::claimed const&) {}
  std::optional<sl::time_point> next_due() { return {}; }
  void wait(sl::time_point) {}
  void wake() {}
  void wake_on(int) {}
  bool close(std::chrono::milliseconds) { return true; }
};
struct keeps_positions : least {
  sl::group_positions& positions();
};
struct lanes_change : least {
  std::span<sl::lane> lanes() const { return {}; }
};
struct lag_always_known : least {
  std::int64_t lag_of(std::size_t) const { return 0; }
};
struct never_says_whether_it_closed : least {
  void close(std::chrono::milliseconds) {}
};
struct cannot_reclaim : least {
  void reclaim() {}
};
struct cannot_wake : least {
 private:
  void wake() {}
};

static_assert(sl::source_runtime<least>);
static_assert(!sl::grouped_source<least> && sl::grouped_source<keeps_positions>);
static_assert(!sl::source_runtime<lanes_change>, "lanes are the source's own");
static_assert(!sl::source_runtime<lag_always_known>, "a lag may be unknown");
static_assert(!sl::source_runtime<never_says_whether_it_closed>);
static_assert(!sl::source_runtime<cannot_reclaim>);
static_assert(!sl::source_runtime<cannot_wake>);
static_assert(!std::destructible<sl::source_owner> && !std::destructible<sl::group_positions>,
              "nobody owns through these");
}  // namespace

TEST_CASE("a lane is not read before it is claimed; an intake starts with nothing") {
  CHECK_FALSE(sl::lane{}.reading);
  CHECK(sl::intake{}.messages.empty());
  CHECK(sl::intake{}.bytes == 0);
  sl::group_position const nothing{};
  CHECK((!nothing.there && !nothing.failed));
}
