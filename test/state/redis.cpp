#include <sluice/state/redis.hpp>
#include <sluice/window/over_batches.hpp>
#include <sluice/window/over_event_time.hpp>

#include "../offset_store/redis_support.hpp"
#include "state_cases.hpp"

TEST_CASE("redis_offsets holds state") { state_cases::hold<redis_fixture>(); }

TEST_CASE("lossy_redis_offsets holds state") { state_cases::hold<lossy_redis_fixture>(); }

TEST_CASE("a handler can't write over state by hand") {
  redis_fixture f;
  state_cases::claimed_store<redis_fixture> s{f};
  s.transact(
      [](sl::redis_transaction& tx) {
        CHECK(error_of([&] { tx.set(tx.slot() + ":state:counts:orders:0", "x"); }).code == sl::errc::bad_statement);
      },
      false);
}

// One script takes no more than a million words, so what has piled up goes in several batches: or it would never go.
namespace {

using namespace std::chrono_literals;
using store_of = state_cases::claimed_store<redis_fixture>;

constexpr int at_once = 20'000, keys_in_a_batch = 22'000;

/// A batch of orders/0 at that second, with records of the keys from `first` on; of none: without records.
template <class Handle>
void turn(store_of& s, std::int64_t second, int first, int keys, Handle handle) {
  std::vector<made> all;
  for (int i = 0; i < keys; ++i) all.push_back({i, "key " + std::to_string(first + i), "", second});
  sl::wall_time const time{std::chrono::seconds{second}};
  auto const done = s.transact([&](sl::redis_transaction& tx) {
    held h;
    if (keys > 0) h.part("orders", 0, all);
    sl::detail::part const none{nullptr, nullptr, {state_cases::o0, sl::offset{}, sl::offset{}, 1}, &held::access};
    handle(keys > 0 ? h.batch(time, 1s) : sl::batch{{&none, 1}, time, 1s}, tx);
  });
  CHECK(done == sl::outcome::applied);
}
template <class Handle>
void pile_up(store_of& s, int keys, Handle handle) {
  for (int i = 0; i < keys; i += keys_in_a_batch)
    turn(s, 100 + i / keys_in_a_batch, i, std::min(keys - i, keys_in_a_batch), handle);
}
int rows_left(redis_fixture const& f) {
  int all = 0;
  for (auto const& field : the_redis().ask({"HKEYS", f.slot() + ":state:many:orders:0"})) all += field.front() == 'k';
  return all;
}

auto const key_of = [](sl::record r) { return r.key_text(); };

void keys_that_are_over(int many) {
  redis_fixture f;
  store_of s{f};
  sl::keyed_state<std::string, int> state{.name = "many", .timeout = 50s};
  int over = 0;
  auto const count = [&](sl::batch const& b, auto& tx) {
    state.update(
        b, tx, key_of, [](auto const&, auto records, auto& n) { n = n.value_or(0) + static_cast<int>(records.size()); },
        [&](auto const&, int n) { over += n; });
  };
  pile_up(s, many, count);
  turn(s, 1000, many - 5, 5, count);  // keys that are over begin anew, though others wait
  CHECK(over == at_once + 5);
  for (int i = 1; over < many && i < 20; ++i) turn(s, 1000 + i, 0, 0, count);
  CHECK(over == many);
  CHECK(rows_left(f) == 5);
}

void panes_that_leave(int many) {
  redis_fixture f;
  store_of s{f};
  std::size_t given = 0;
  auto const counter = [&] {
    return sl::reduce_by_key_and_window(
        {.name = "many", .size = 10s, .slide = 10s}, key_of, [](sl::record) { return 1; }, std::plus{},
        [&](sl::window_span const&, auto const& results) { given += results.size(); });
  };
  auto window = counter(), again = counter();
  pile_up(s, many, [&](auto const& b, auto& tx) { window(b, tx); });
  for (int i = 0, left = many; left > 0; ++i) {
    turn(s, 130 + i, 0, 0, [&](auto const& b, auto& tx) { (i % 3 == 1 ? again : window)(b, tx); });
    left = std::max(0, left - at_once);
    CHECK(rows_left(f) == left);
  }
  CHECK(given == static_cast<std::size_t>(many));
}

void windows_that_end(int many) {
  redis_fixture f;
  store_of s{f};
  int given = 0;
  auto window = sl::reduce_by_key_and_event_window(
      {.name = "many", .size = 10s}, [](sl::record r) { return r.timestamp(); }, key_of, [](sl::record) { return 1; },
      std::plus{}, [&](sl::window_span const&, std::string const&, int n) { given += n; });
  auto const handle = [&](auto const& b, auto& tx) { window(b, tx); };
  pile_up(s, many, handle);
  for (int i = 1, left = many; left > 0; ++i) {
    turn(s, 100'000 * i, 0, 1, handle);
    left = std::max(0, left - at_once + (i > 1));
    CHECK(given == many + i - 1 - left);
  }
  CHECK(rows_left(f) == 1);
}

}  // namespace

TEST_CASE("what is over or leaves goes in parts that one commit takes") {
  SECTION("keys") { keys_that_are_over(at_once + 10); }
  SECTION("panes") { panes_that_leave(at_once + 10); }
  SECTION("windows") { windows_that_end(at_once + 10); }
}

TEST_CASE("more may be over at once than one commit takes", "[.long]") {
  SECTION("keys") { keys_that_are_over(110'000); }
  SECTION("panes") { panes_that_leave(110'000); }
  SECTION("windows") { windows_that_end(110'000); }
}
