#include <sluice/offset_store/checkpoint_unlocked.hpp>

#include <sluice/offset_store/checkpoint_in.hpp>
#include <sluice/offset_store/checkpoint_read.hpp>
#include <sluice/state/checkpoint.hpp>

#include "catch.hpp"
#include "offset_store/contract.hpp"
#include "offset_store/file_server_in_memory.hpp"
#include "seed.hpp"

// Processes on several hosts share a checkpoint on a server that loses requests, carries them out late, and lets the others
// in between any two requests; some die. The rows of a partition are known from its position.
namespace {

namespace sl = sluice;

using contract::resolver;
using contract::soon;
using in_memory::died;
using in_memory::world;
using sl::offset;
using sl::outcome;
using state_row = sl::detail::state_row;
using by_key = std::map<std::string, std::string>;

sl::detail::hosted_checkpoint const config{.directory = "/d", .max_cache = 1000};

by_key rows_at(std::int64_t position) {
  by_key all;
  for (std::int64_t k = 1; k <= position; ++k) {
    all["k" + std::to_string(k * 7 % 11)] = std::to_string(k);
    if (k % 3 == 0) all.erase("k" + std::to_string(k * 5 % 11));
  }
  return all;
}

template <bool Renames>
struct process {
  using server = in_memory::server<Renames>;
  using files = sl::detail::hosted_files<server>;
  using store = sl::hosted_checkpoint_store<server>;
  using rows = sl::detail::state_store<sl::hosted_checkpoint_transaction>;

  world& w;
  std::int32_t partition;
  std::vector<std::int64_t>& acknowledged;
  std::shared_ptr<bool> dead{};
  std::unique_ptr<store> s{};
  std::optional<sl::claimed> mine{};
  bool busy = false;
  std::string trouble{};

  void start() {
    mine.reset();
    s.reset();
    dead = std::make_shared<bool>(false);
    s = std::make_unique<store>(files{server{w, dead}}, config, "g", nullptr);
  }
  static by_key rows_of(sl::hosted_checkpoint_transaction& tx, sl::topic_partition const& of) {
    by_key found;
    rows{tx, "last"}.all(
        of, [&](std::string_view key, std::string_view value, std::int64_t) { found.emplace(key, value); });
    return found;
  }
  void batch() {
    sl::move const m{mine->of, mine->next, mine->next.next(), mine->mine, mine->log};
    auto& tx = s->begin({&m, 1}, soon());
    auto const now = rows_of(tx, m.of), wanted = rows_at(m.until.value());
    std::vector<state_row> changed;
    for (auto const& [key, value] : wanted)
      if (!now.contains(key) || now.at(key) != value) changed.push_back({.of = &m.of, .key = key, .value = value});
    for (auto const& [key, value] : now)
      if (!wanted.contains(key)) changed.push_back({.of = &m.of, .key = key, .there = false});
    rows{tx, "last"}.write(changed);
    auto o = s->advance(tx, {&m, 1}, soon())[0];
    if (o != outcome::applied) {
      s->rollback(tx);
      return mine.reset();
    }
    o = s->commit(tx, soon());
    while (o == outcome::unknown) o = s->settle({&m, 1}, soon())[0];
    if (o != outcome::applied) return mine.reset();
    if (now != rows_at(m.from.value())) trouble = "rows of another position were built on";
    auto& known = acknowledged.at(static_cast<std::size_t>(partition));
    known = std::max(known, m.until.value());
    mine->next = m.until;
  }
  /// Something that a process does; what it can't do it tries again another time.
  void turn() {
    busy = true;
    try {
      if (!s || *dead || w.chance(20)) start();
      if (!mine) {
        resolver r{{{"orders", {offset{0}, offset{0}}}}};
        auto const c = s->claim("g", {{"orders", partition}}, r, soon()).at(0);
        if (c.what != c.stored && c.what != c.first) return static_cast<void>(busy = false);
        mine = c;
        auto& known = acknowledged.at(static_cast<std::size_t>(partition));
        known = std::max(known, c.next.value());
      } else {
        batch();
      }
    } catch (died const&) {
      // Until its next turn it is as it was left: what it asked for may come late.
    } catch (sl::store_error const& e) {
      if (e.code() != sl::errc::store_unavailable) trouble = e.what();
    }
    busy = false;
  }
};

template <bool Renames>
void run(std::uint64_t seed, int turns) {
  INFO("seed " << seed);
  world w{seed};
  w.trouble = seed % 3 == 0 ? 0 : 60;
  std::vector<std::int64_t> acknowledged(2);
  std::vector<std::unique_ptr<process<Renames>>> all;
  for (std::int32_t p : {0, 1, 0})
    all.push_back(std::unique_ptr<process<Renames>>{new process<Renames>{w, p, acknowledged}});
  auto const any = [&] {
    auto& p = *all[w.random() % all.size()];
    if (!p.busy) p.turn();
  };
  w.meanwhile = any;
  for (int i = 0; i < turns; ++i) any();
  w.meanwhile = {};
  w.trouble = 0;
  while (!w.late.empty()) w.deliver_one();
  for (auto& p : all) {
    if (p->dead) *p->dead = true;
    CHECK(p->trouble == "");
  }
  process<Renames> last{w, 0, acknowledged};
  for (int i = 0; i < 8; ++i) last.turn();
  CHECK(last.trouble == "");

  typename process<Renames>::files files{{w, std::make_shared<bool>(false)}};
  sl::detail::checkpoint_folder<decltype(files)> folder{files, "/d"};
  auto const state = folder.newest();
  for (std::size_t p = 0; p < 2; ++p) {
    auto const& partition = state.topics.at({"g", "orders"}).at(p);
    CHECK(partition.next.value() >= acknowledged[p]);
    CHECK(partition.next.value() <= acknowledged[p] + 1);
    by_key found;
    sl::detail::each_state_row(files, "/d", "g", "last", [&](auto const& t, sl::detail::table_row const& row) {
      if (t.partition == static_cast<std::int32_t>(p)) found.emplace(row.key, row.value);
    });
    CHECK(found == rows_at(partition.next.value()));
  }
  // The older of the two that are kept is whole, and nothing else is left.
  std::size_t generations = 0, segments = 0;
  for (auto const& [name, content] : w.files) {
    segments += name.starts_with("/d/segments/segment.");
    if (!name.starts_with("/d/generation.")) continue;
    ++generations;
    auto const one = sl::parse_generation<sl::checkpoint_generation>(content, name);
    for (auto const& ref : one.segments) {
      INFO(name);
      CHECK(w.files.contains("/d/segments/" + sl::detail::segment_name(ref.id)));
    }
  }
  CHECK(generations == 2);
  CHECK(segments <= state.segments.size() + state.retired.size() + 1);  // a merge of the living one's
}

}  // namespace

TEST_CASE("segments that can't be locked: none that counts goes, none that nobody needs stays") {
  auto const first = seed() % 1'000'000;
  for (std::uint64_t s = first; s < first + 25; ++s) {
    run<false>(s, 120);
    run<true>(s, 120);
  }
}

TEST_CASE("segments that can't be locked, for long", "[.long]") {
  auto const first = seed() % 1'000'000;
  for (std::uint64_t s = first; s < first + 2'000; ++s) {
    run<false>(s, 400);
    run<true>(s, 400);
  }
}
