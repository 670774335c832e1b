#include <sluice/state/checkpoint.hpp>
#include <sluice/window/over_batches.hpp>

#include "../offset_store/checkpoint_support.hpp"
#include "scripted_consumer.hpp"
#include "state_cases.hpp"

namespace {

using namespace scripted;
using counts_by_key = std::map<std::string, std::int64_t>;
using counter = sl::keyed_state<std::string, std::int64_t>;

auto const add = [](auto records, std::optional<std::int64_t>& n) { n = n.value_or(0) + std::ssize(records); };

counts_by_key counts_in(std::string const& folder, std::string const& group) {
  counts_by_key all;
  sl::for_each_state<std::string, std::int64_t>(
      {.directory = folder}, {.group = group}, "counts",
      [&](auto const&, std::string const& key, std::int64_t n) { all[key] += n; });
  return all;
}

template <class Delivery, class Handler>
void run(outside& o, sl::checkpoint const& store, Handler handler, sl::micro_batch batching = {}) {
  sl::stream_consumer<Delivery, sl::checkpoint, source, manual_clock, sl::micro_batch> c{
      o.reading(), store, manual_clock{&o.world}, batching};
  o.world.assign({p0, p1});
  drain_log(c, handler);
}

}  // namespace

TEST_CASE("a checkpoint holds state") { state_cases::hold<checkpoint_fixture>(); }

TEST_CASE("a consumer's counts and windows go on from its checkpoint") {
  temporary_folder folder;
  sl::checkpoint const store{.directory = folder.name()};
  outside o{2};
  std::int64_t windowed = 0, produced = 0;
  auto window = [&] {
    return sl::count_by_window(sl::batch_window{.name = "w", .size = 3s},
                               [&](sl::window_span const&, std::int64_t n) { windowed += n; });
  };
  for (int round = 1; round <= 3; ++round) {
    o.world.produce(p0, 30);
    o.world.produce(p1, 20);
    counter counts{.name = "counts"};
    run<sl::transactional>(
        o, store, sl::update_state_by_key(counts, [](sl::record r) { return std::to_string(r.partition()); }, add));
    CHECK(counts_in(folder.name(), "g") == counts_by_key{{"0", 30 * round}, {"1", 20 * round}});
  }
  for (int round = 0; round < 3; ++round) {
    sl::stream_consumer<sl::transactional, sl::checkpoint, source, manual_clock, sl::micro_batch> c{
        o.reading(), store, manual_clock{&o.world}, sl::micro_batch{.interval = 1s}};
    o.world.assign({p0, p1});
    for (int i = 0; i < 5; ++i) {
      o.world.produce(i % 2 ? p0 : p1, 10);
      produced += 10;
      steps(c, window(), 1);
    }
    if (round == 2) steps(c, window(), 10);
  }
  CHECK(windowed == produced);
}

TEST_CASE("a checkpoint serves the deliveries without a transaction too") {
  temporary_folder folder;
  sl::checkpoint store{.directory = folder.name()};
  outside o{2};
  std::vector<effect> seen;
  auto const see = [&](sl::batch const& b) { recorder{seen}(b); };
  o.world.produce(p0, 7);
  run<sl::at_least_once>(o, store, see);
  o.world.produce(p0, 3);
  run<sl::at_most_once>(o, store, see);
  o.world.produce(p0, 2);
  store.interval = std::chrono::hours{1};
  run<sl::at_least_once>(o, store, see);
  CHECK(offsets_of(p0, seen) == upto(12));
  CHECK(code_of([&] { run<sl::at_most_once>(o, store, see); }) == sl::errc::bad_configuration);
  store.interval = {};
  o.world.produce(p0, 1);
  run<sl::idempotent>(o, store, sl::assume_idempotent(see));
  CHECK(offsets_of(p0, seen) == upto(13));
}
