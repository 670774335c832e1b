#include <sluice/observer.hpp>

#include <condition_variable>
#include <mutex>
#include <sstream>
#include <thread>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

namespace {

/// What was told, in order, a word for each callback.
struct diary {
  std::vector<std::string> all{};
  std::string throws_at{};
  int count(std::string const& what) const {
    return static_cast<int>(std::ranges::count_if(all, [&](auto const& line) { return line.starts_with(what); }));
  }
  bool has(std::string const& line) const { return std::ranges::find(all, line) != all.end(); }
};

struct writer {
  using slot = sl::observer_slot;
  diary* into = nullptr;

  void write(std::string const& what, std::string const& rest = {}) {
    into->all.push_back(what + " " + rest);
    if (into->throws_at == what) throw std::runtime_error("the observer's own: " + what);
  }
  void on_claim(sl::claimed const& c) { write("claim", to_string(c.of) + " " + std::to_string(c.what)); }
  void on_rebalance(sl::rebalance_event const& e) { write("rebalance", std::to_string(e.what)); }
  void on_position_error(sl::position_event const& e) { write("position", std::to_string(e.cause)); }
  void on_handling(sl::batch const& b) { write("handling", std::to_string(b.size())); }
  void on_handled(sl::batch const& b) { write("handled", std::to_string(b.size())); }
  void on_advancing(sl::advance_event const& e) {
    write("advancing", std::to_string(e.moves[0].from.value()) + "-" + std::to_string(e.moves[0].until.value()));
    CHECK(e.outcomes.empty());
  }
  void on_advanced(sl::advance_event const& e) {
    write("advanced", std::to_string(static_cast<int>(e.outcomes[0])));
    CHECK(e.moves.size() == e.outcomes.size());
  }
  void on_refused(sl::move const& m) { write("refused", to_string(m.of)); }
  void on_batch(sl::batch_event const& e) {
    write("batch", std::to_string(e.records) + " " + std::to_string(e.bytes) + " " + std::to_string(e.lag) + " " +
                       std::to_string(e.handling / 1ms));
  }
  void on_retry(sl::retry_event const& e) { write("retry", e.error + (e.store_failed ? " store" : " handler")); }
  void on_dead_letter(sl::dead_letter_event const& e) {
    write("letter", std::to_string(e.letter.what.offset().value()) + (e.skipped ? " skipped" : " kept"));
  }
  void on_slow_handler(sl::slow_event const& e) { write("slow", std::to_string(e.limit.count())); }
  void on_log(sl::log_event const& e) { write("log", std::string{e.line}); }
};

struct rig : outside {
  diary d{};
  auto consumer() { return start<sl::at_least_once>(writer{&d}, sl::retry<sl::skip>{.times = 1, .then = {}}); }
};

}  // namespace

TEST_CASE("each step of a batch is told, in its order, with its numbers") {
  rig o;
  o.world.produce(p0, 3);
  auto c = o.consumer();
  o.world.assign({p0});
  c.step([&](sl::batch const&) {
    o.world.produce(p0, 5);
    o.world.pass(7ms);
  });
  CHECK(o.d.all == std::vector<std::string>{"rebalance 0", "claim t/0 1", "handling 3", "handled 3", "advancing 0-3",
                                            "advanced 0", "batch 3 6 5 7"});
}

TEST_CASE("what goes wrong is told") {
  rig o;
  o.world.produce(p0, 3);
  auto c = o.consumer();
  o.world.assign({p0});
  o.disk.advances = {{act::down}, {act::refuse}};
  int calls = 0;
  auto handler = sl::each([&](sl::record r) {
    if (r.offset().value() == 1 && calls++ < 4) throw std::runtime_error("poison");
    o.world.pass(200s);
  });
  steps(c, handler, 12, 10s);
  CHECK(o.d.has("retry sluice: the store is down store"));
  CHECK(o.d.has("retry poison handler"));
  CHECK(o.d.has("refused t/0"));
  CHECK(o.d.has("letter 1 skipped"));
  CHECK(o.d.has("slow 300000"));
  CHECK(o.d.has("advanced 1"));
  o.world.tell(sl::client::trouble{sl::errc::client_failed, "a hiccup"});
  o.world.revoke({p0}, true);
  o.disk.rows.at(p0).next = sl::offset{77};
  o.world.assign({p0});
  steps(c, handler, 3);
  CHECK(o.d.has("log a hiccup"));
  CHECK(o.d.has("rebalance 2"));
  CHECK(o.d.has("position 3"));
}

TEST_CASE("what an observer throws is kept, thrown at the end of step, and changes nothing else") {
  auto const at =
      GENERATE(as<std::string>{}, "claim", "rebalance", "handling", "handled", "advancing", "advanced", "batch");
  rig o;
  o.world.produce(p0, 3);
  auto c = o.consumer();
  o.world.assign({p0});
  o.d.throws_at = at;
  std::vector<effect> seen;
  CHECK_THROWS_WITH(c.step(recorder{seen}), "the observer's own: " + at);
  CHECK(seen.size() == 3);
  CHECK(o.disk.next(p0) == 3);
  o.d.throws_at.clear();
  CHECK(c.step(recorder{seen}).what == sl::step_result::idle);
  c.close();
  CHECK(o.world.wrong() == "");
}

namespace {

/// Told on another thread.
struct hearer {
  using slot = sl::observer_slot;
  struct heard {
    std::mutex guard{};
    std::condition_variable news{};
    std::vector<sl::slow_event> events{};
    std::thread::id by{};
  };
  heard* to = nullptr;
  void on_hanging_handler(sl::slow_event const& e) const {
    std::lock_guard const lock{to->guard};
    to->events.push_back(e);
    to->by = std::this_thread::get_id();
    to->news.notify_all();
    throw std::runtime_error("nobody can catch it");
  }
};
static_assert(sl::detail::watches_handler<hearer, sl::system_clock>);
static_assert(!sl::detail::watches_handler<hearer, manual_clock> &&
              !sl::detail::watches_handler<sl::log_to, sl::system_clock>);  // no thread where nobody asked for it

}  // namespace

TEST_CASE("a handler that hangs is told while it hangs, once, from another thread") {
  outside o;
  o.world.now = std::chrono::steady_clock::now();
  hearer::heard heard;
  auto from = o.reading();
  from.properties["max.poll.interval.ms"] = "200";
  sl::stream_consumer<sl::at_least_once, offsets, source, hearer> c{from, offsets{&o.disk}, hearer{&heard}};
  o.world.assign({p0});
  o.world.produce(p0, 1);
  bool told = false;
  c.step([&](sl::batch const&) {
    std::unique_lock lock{heard.guard};
    told = heard.news.wait_for(lock, 10s, [&] { return !heard.events.empty(); });
    lock.unlock();
    std::this_thread::sleep_for(400ms);  // would be time for more
  });
  CHECK(told);
  std::lock_guard const lock{heard.guard};
  REQUIRE(heard.events.size() == 1);
  CHECK(heard.events[0].handling >= 100ms);
  CHECK(heard.events[0].limit == 200ms);
  CHECK_THAT(heard.events[0].text, Catch::Matchers::ContainsSubstring("max.poll.interval.ms (200 ms)"));
  CHECK(heard.by != std::this_thread::get_id());
}

TEST_CASE("handlers that are quick are never told, however many one after another, nor is one that is done") {
  outside o;
  o.world.now = std::chrono::steady_clock::now();
  hearer::heard heard;
  auto from = o.reading();
  from.properties["max.poll.interval.ms"] = "2000";
  sl::stream_consumer<sl::at_least_once, offsets, source, hearer> c{from, offsets{&o.disk}, hearer{&heard},
                                                                    sl::micro_batch{.max_records = 1}};
  o.world.assign({p0});
  o.world.produce(p0, 25);
  for (int i = 0; i < 25; ++i) c.step([](sl::batch const&) { std::this_thread::sleep_for(50ms); });  // 1.25 s in all
  CHECK(c.statistics().records == 25);
  std::this_thread::sleep_for(1200ms);
  std::lock_guard const lock{heard.guard};
  CHECK(heard.events.empty());
}

TEST_CASE("lines for a person") {
  std::ostringstream out;
  sl::log_to to{.out = &out, .level = 6, .batches = true};
  to.on_claim({.of = p0, .next = sl::offset{1234}, .mine = {7, 1}, .what = sl::claimed::stored});
  to.on_claim({.of = p1, .next = sl::offset{0}, .mine = {1, 1}, .what = sl::claimed::added});
  to.on_claim({.of = p1, .what = sl::claimed::failed, .why = "no answer"});
  to.on_log({7, "too fine"});
  to.on_log({6, "fine"});
  to.on_batch({.records = 3});
  CHECK_THAT(out.str(), Catch::Matchers::ContainsSubstring("t/0: stored 1234, fence 7\n"));
  CHECK_THAT(out.str(), Catch::Matchers::ContainsSubstring("t/1: new, from earliest 0, fence 1\n"));
  CHECK_THAT(out.str(), Catch::Matchers::ContainsSubstring("t/1: failed: no answer\n"));
  CHECK_THAT(out.str(), Catch::Matchers::ContainsSubstring("fine\nbatch: 3 records"));
  CHECK(out.str().find("too fine") == std::string::npos);
  CHECK(code_of([] { (void)sl::log_to::open({}, {}); }) == sl::errc::bad_configuration);
}

TEST_CASE("no observer is an empty type without callbacks") {
  static_assert(std::is_empty_v<sl::no_observer>);
  std::exception_ptr kept;
  sl::no_observer nobody;
  sl::detail::teller<sl::no_observer> teller{nobody, kept};
  teller.on_claim(sl::claimed{});
  CHECK_FALSE(kept);
}
