#include <sluice/offset_store/state_store.hpp>

#include <mutex>

#include "contract.hpp"
#include "thrown.hpp"

namespace {

using contract::advance;
using contract::all;
using contract::claim;
using contract::partitions;
using contract::resolver;
using contract::soon;
using contract::to;
using sl::file_generation;
using sl::offset;
using sl::outcome;
using sl::detail::publication;
using namespace std::chrono_literals;

/// What the mediums of a test share: the newest state, and trouble for the next publication.
struct memory {
  std::mutex mutex{};
  file_generation newest{.id = {1, 2}};
  std::uint64_t version = 0;
  std::function<void()> before{};  // once
  bool lose_answer = false;        // once: stored, but unknown
  bool lose_request = false;       // once: unknown, and not stored
  bool down = false;               // nothing can be read
  sl::errc why = sl::errc::store_unavailable;
  bool always_taken = false;
  bool acknowledged_only = false;  // what was read is not durable by itself
  int reads = 0, writes = 0;
};

class medium {
  memory* in_;
  file_generation state_{};
  std::uint64_t read_ = 0, acknowledged_ = 0;
  bool current_ = false;

 public:
  explicit medium(memory& m) : in_(&m) {}
  void select(std::string const&) {}
  std::string name() const { return "test: memory"; }
  file_generation& newest(sl::time_point) {
    if (current_) return state_;
    if (in_->down) throw sl::store_error(in_->why, "down");
    std::lock_guard const lock{in_->mutex};
    ++in_->reads;
    state_ = in_->newest;
    read_ = in_->version;
    current_ = true;
    return state_;
  }
  bool current() const { return current_; }
  void doubt() { current_ = false; }
  void unchanged() { current_ = true; }
  bool durable() const { return !in_->acknowledged_only || acknowledged_ == read_; }
  publication publish(sl::time_point) {
    if (auto const what = std::exchange(in_->before, {})) what();
    current_ = false;
    std::lock_guard const lock{in_->mutex};
    if (std::exchange(in_->lose_request, false)) return publication::unknown;
    if (in_->always_taken || in_->version != read_) return publication::taken;
    ++in_->writes;
    in_->newest = state_;
    read_ = ++in_->version;
    if (std::exchange(in_->lose_answer, false)) return publication::unknown;
    acknowledged_ = read_;
    current_ = true;
    return publication::yes;
  }
};
static_assert(sl::detail::state_medium<medium>);

struct fixture {
  using store = sl::basic_state_store<medium>;
  std::shared_ptr<memory> m = std::make_shared<memory>();

  std::unique_ptr<store> open() { return std::make_unique<store>(medium{*m}, "billing", true, nullptr); }
  void forget(std::string const& group, sl::topic_partition const& of) {
    m->newest.topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    ++m->version;
  }
  std::vector<std::string> causes() {
    std::vector<std::string> found;
    for (auto const& j : m->newest.jumps) found.push_back(j.cause);
    return found;
  }
};

resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }
offset stands(fixture const& f, std::size_t partition) {
  return f.m->newest.topics.at({"billing", "orders"})[partition].next;
}

}  // namespace

TEST_CASE("a store on a state in memory answers as the contract wants") { contract::holds<fixture>(); }

TEST_CASE("an advance reads nothing as long as nobody else stores, and writes once") {
  fixture f;
  auto r = orders();
  auto const s = f.open();
  auto const c = claim(*s, "billing", partitions("orders", {0, 1}), r);
  CHECK(f.m->reads == 1);
  CHECK(advance(*s, {to(c[0], 15), to(c[1], 25)}) == all(2, outcome::applied));
  CHECK(f.m->reads == 1);
  CHECK(f.m->writes == 2);
}

TEST_CASE("whoever is overtaken between reading and writing does it again on what is there then") {
  fixture f;
  auto r = orders();
  auto const a = f.open(), b = f.open();
  auto const ca = claim(*a, "billing", partitions("orders", {0}), r);
  auto const cb = claim(*b, "billing", partitions("orders", {1}), r);
  f.m->before = [&] { CHECK(advance(*b, {to(cb[0], 25)}) == all{outcome::applied}); };
  CHECK(advance(*a, {to(ca[0], 15)}) == all{outcome::applied});
  CHECK(stands(f, 0) == offset{15});
  CHECK(stands(f, 1) == offset{25});

  f.m->before = [&] { claim(*b, "billing", partitions("orders", {0}), r); };
  auto again = to(ca[0], 18);
  again.from = offset{15};
  CHECK(advance(*a, {again}) == all{outcome::refused});
  CHECK(stands(f, 0) == offset{15});
}

TEST_CASE("a claim that is overtaken asks for the starts once, and keeps what others have stored") {
  fixture f;
  auto ra = orders(), rb = resolver{{{"orders", {offset{100}, offset{200}}}}};
  auto const a = f.open(), b = f.open();
  f.m->before = [&] { claim(*b, "billing", partitions("orders", {0}), rb); };
  auto const c = claim(*a, "billing", partitions("orders", {0, 1}), ra);
  CHECK(ra.asked == 1);
  CHECK(c[0].what == sl::claimed::stored);
  CHECK(c[0].next == offset{100});
  CHECK(c[1].next == offset{200});
  CHECK(c[0].mine.turn == 2);
}

TEST_CASE("without an answer nobody knows, and settle finds out") {
  fixture f;
  auto r = orders();
  auto const s = f.open();
  auto const c = claim(*s, "billing", partitions("orders", {0, 1}), r);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  bool const stored = GENERATE(true, false);
  (stored ? f.m->lose_answer : f.m->lose_request) = true;
  CHECK(advance(*s, moves) == all(2, outcome::unknown));
  CHECK(stands(f, 0) == offset{stored ? 15 : 10});
  SECTION("it stands") {
    auto const before = f.m->writes;
    CHECK(contract::copy(s->settle(moves, soon())) == all(2, outcome::applied));
    CHECK(stands(f, 0) == offset{15});
    CHECK(f.m->writes - before == (stored ? 0 : 1));
  }
  SECTION("where what can be seen may yet be lost, it is written again") {
    f.m->acknowledged_only = true;
    auto const before = f.m->writes;
    CHECK(contract::copy(s->settle(moves, soon())) == all(2, outcome::applied));
    CHECK(f.m->writes - before == 1);
    CHECK(contract::copy(s->settle(moves, soon())) == all(2, outcome::applied));
    CHECK(f.m->writes - before == 1);
  }
  SECTION("somebody else has claimed it since") {
    auto const other = f.open();
    claim(*other, "billing", partitions("orders", {0}), r);
    CHECK(contract::copy(s->settle(moves, soon())) == all{outcome::refused, outcome::applied});
  }
  SECTION("the medium is down, or what it has can't be read") {
    f.m->why = GENERATE(sl::errc::store_unavailable, sl::errc::store_damaged);
    f.m->down = true;
    CHECK(contract::copy(s->settle(moves, soon())) == all(2, outcome::unknown));
    f.m->down = false;
    CHECK(contract::copy(s->settle(moves, soon())) == all(2, outcome::applied));
  }
}

TEST_CASE("a claim and a rewind without an answer fail, whatever became of them") {
  fixture f;
  auto r = orders();
  auto const s = f.open();
  auto const set = partitions("orders", {0, 1});
  auto c = claim(*s, "billing", set, r);
  bool const stored = GENERATE(true, false);
  auto& lose = stored ? f.m->lose_answer : f.m->lose_request;
  lose = true;
  auto const back = s->record({{set[0], offset{3}, c[0].mine, "seek"}}, soon());
  CHECK(back[0].what == sl::claimed::failed);
  CHECK_THAT(back[0].why, ContainsSubstring("test: memory"));
  lose = true;
  for (auto const& failed : s->claim("billing", set, r, soon())) {
    CHECK(failed.what == sl::claimed::failed);
    CHECK_FALSE(failed.why.empty());
    CHECK(failed.mine == sl::fence{});
  }
  CHECK(advance(*s, {to(c[0], 15)}) == all{stored ? outcome::refused : outcome::applied});
}

TEST_CASE("what is known from before is read again before an answer rests on it alone") {
  fixture f;
  auto r = orders();
  auto const a = f.open(), b = f.open();
  auto const c = claim(*a, "billing", partitions("orders", {0}), r);
  CHECK(advance(*a, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(advance(*a, {to(c[0], 15)}) == all{outcome::applied});
  claim(*b, "billing", partitions("orders", {0}), r);
  CHECK(advance(*a, {to(c[0], 15)}) == all{outcome::refused});
}

TEST_CASE("races are not run for ever") {
  fixture f;
  auto r = orders();
  auto const s = f.open();
  auto const c = claim(*s, "billing", partitions("orders", {0}), r);
  f.m->always_taken = true;
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::unknown});
  auto const e = error_of([&] { s->claim("billing", partitions("orders", {0}), r, std::chrono::steady_clock::now()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("test: memory"));
}

TEST_CASE("a resolver that throws leaves nothing behind") {
  struct failing final : sl::start_resolver {
    sl::topic_start start_of(std::string const&, sl::time_point) override { throw std::runtime_error("no brokers"); }
    offset earliest(sl::topic_partition const&, sl::time_point) override { return {}; }
  } none;
  fixture f;
  auto const s = f.open();
  CHECK_THROWS_WITH(s->claim("billing", partitions("orders", {0}), none, soon()), "no brokers");
  auto r = orders();
  CHECK(claim(*s, "billing", partitions("orders", {0}), r)[0].what == sl::claimed::first);
}
