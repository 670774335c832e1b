#include <sluice/many.hpp>

#include <sluice/reduce_by_key.hpp>
#include <sluice/window/over_batches.hpp>

#include "batches.hpp"
#include "state/kept_counts.hpp"

using namespace kept_counts;

namespace {
auto const words = [](sl::record line) { return sl::many{line.text() | std::views::split(' ')}; };
auto const one = [](sl::record) { return std::int64_t{1}; };
using counted = std::map<std::string, std::int64_t>;
}  // namespace

TEST_CASE("a record counts for each of its keys, as often as that is there") {
  held h;
  h.part("t", 0, {{0, "", "to be or not to be"}, {1, "", ""}, {2, "", "be"}});
  auto const found = sl::reduce_by_key(h.batch(), words, one, std::plus{});
  CHECK(counted(found.begin(), found.end()) == counted{{"to", 2}, {"be", 3}, {"or", 1}, {"not", 1}});
  auto const none = [](sl::record) { return sl::many{std::vector<int>{}}; };
  CHECK(sl::reduce_by_key(h.batch(), none, one, std::plus{}).empty());
}

TEST_CASE("in state: the record is there once for each") {
  outside_with_file o;
  counter state{.name = "counts"};
  auto c = o.consumer();
  o.world.assign({p0});
  for (auto const* line : {"to be or", "not to be"}) o.world.produce(p0, line, "");
  std::map<std::string, std::string> lines;
  drain_log(c, [&](sl::batch const& batch, sl::sqlite_transaction& tx) {
    state.update(batch, tx, words, [&](std::string const& word, auto records, auto& n) {
      n = n.value_or(0) + std::ssize(records);
      for (sl::record r : records) lines[word] += std::string{r.text()} + ";";
    });
  });
  CHECK(o.counts() == counts_by_key{{"to", 2}, {"be", 2}, {"or", 1}, {"not", 1}});
  CHECK(lines["be"] == "to be or;not to be;");
}

TEST_CASE("in windows") {
  outside_with_file o;
  auto c = o.consumer(sl::micro_batch{.interval = 1s});
  o.world.assign({p0});
  o.world.produce(p0, "to be or not to be", "");
  counted found;
  auto window = sl::reduce_by_key_and_window({.name = "words", .size = 2s, .slide = 1s}, words, one, std::plus{},
                                             std::minus{}, [&](sl::window_span const&, auto const& counts) {
                                               for (auto const& [word, n] : counts) found[word] = n;
                                             });
  steps(c, window, 5);
  CHECK(found == counted{{"to", 2}, {"be", 2}, {"or", 1}, {"not", 1}});
}
