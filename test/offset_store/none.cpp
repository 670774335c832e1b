#include <sluice/offset_store/none.hpp>

#include "catch.hpp"
#include "contract.hpp"
#include "scripted_positions.hpp"

namespace sl = sluice;
using earliest = sl::no_offsets<sl::from::earliest>;
using latest = sl::no_offsets<sl::from::latest>;

static_assert(sl::policy_for<earliest, sl::offset_store_slot> && sl::policy_for<latest, sl::offset_store_slot>);
static_assert(sl::offset_store<earliest::runtime> && !sl::transactional_store<earliest::runtime>);
static_assert(earliest::forgets && latest::forgets && latest::where == sl::from::latest);
static_assert(earliest::wanted_start == sl::from::earliest && latest::wanted_start == sl::from::latest);
static_assert(!earliest::runtime::durable_at_advance);

namespace {
struct fixture {
  using store = earliest::runtime;
  std::unique_ptr<store> open() { return std::make_unique<store>(earliest::open({}, {})); }
};
}  // namespace

TEST_CASE("no_offsets keeps the contract of stores") { contract::holds<fixture>(); }

TEST_CASE("every claim starts where the source resolves it, asked once for each topic") {
  auto store = latest::open({}, {});
  scripted::starts starts;
  auto set = scripted::of("orders", {1, 0});
  set.push_back({"clicks", 3});
  auto const first = store.claim("billing", set, starts, scripted::soon());
  CHECK(starts.asked == 2);
  CHECK(first[0].next == sl::offset{101});
  CHECK(first[1].next == sl::offset{100});
  CHECK(first[2].next == sl::offset{103});
  for (auto const& c : first) CHECK(c.what == sl::claimed::first);
  std::vector moves{scripted::onward(first[0], 7)};
  CHECK(store.advance(moves, scripted::soon())[0] == sl::outcome::applied);

  auto const again = store.claim("billing", set, starts, scripted::soon());
  CHECK(again[0].next == sl::offset{101});
  CHECK(again[0].mine != first[0].mine);
}

TEST_CASE("a partition behind those that the source knew starts at its earliest") {
  auto store = latest::open({}, {});
  scripted::starts starts;
  auto const c = store.claim("billing", scripted::of("orders", {4}), starts, scripted::soon());
  CHECK(c[0].what == sl::claimed::added);
  CHECK(c[0].next == sl::offset{5});
}

TEST_CASE("one life of the log can't be told from the next, so the incarnation never changes") {
  auto store = earliest::open({}, {});
  scripted::starts starts;
  auto const c = store.claim("billing", scripted::of("orders", {0}), starts, scripted::soon());
  auto const back = store.record({{c[0].of, sl::offset{3}, c[0].mine, "seek"}}, scripted::soon());
  CHECK(back[0].what == sl::claimed::stored);
  CHECK(back[0].next == sl::offset{3});
  CHECK(back[0].mine != c[0].mine);
  CHECK(back[0].log.incarnation == 1);
  CHECK(c[0].log.incarnation == 1);
}
