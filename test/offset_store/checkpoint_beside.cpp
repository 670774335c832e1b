#include <sluice/offset_store/checkpoint.hpp>
#include <sluice/offset_store/checkpoint_beside.hpp>
#include <sluice/state/checkpoint.hpp>

#include <random>

#include "catch.hpp"
#include "detail/simulated_files.hpp"
#include "offset_store/checkpoint_support.hpp"
#include "offset_store/contract.hpp"
#include "seed.hpp"

// A checkpoint on a file system that loses what was not synced. One partition is taken forward by steps of ten; each is a
// transaction that changes, adds and removes rows and puts a value, or, every fifth one, a plain advance.
namespace {

namespace sl = sluice;

using contract::resolver;
using contract::soon;
using simulated::survives;
using sl::offset;
using sl::outcome;
using store = sl::basic_file_store<simulated::files, sl::checkpoint_kind>;
using folder_of = sl::detail::generation_folder<simulated::files, sl::checkpoint_generation>;
using rows = sl::detail::state_store<sl::checkpoint_transaction>;

struct machine {
  std::shared_ptr<simulated::disk> disk = std::make_shared<simulated::disk>();
  std::chrono::milliseconds interval{0};

  std::unique_ptr<store> open() {
    return std::make_unique<store>(
        simulated::files{disk}, sl::checkpoint{.directory = "d", .interval = interval, .max_cache = 10'000}, "billing");
  }
};

std::string key(std::int64_t n) { return "k" + std::to_string(n % 11); }

/// What step k does to the rows: one is set to k, every third step removes one.
void change(std::map<std::string, std::int64_t>& in, std::int64_t k) {
  if (k % 5 == 0) return;
  in[key(k * 7)] = k;
  if (k % 3 == 0) in.erase(key(k * 5));
}

struct worker {
  store& s;
  sl::claimed mine{};

  explicit worker(store& on) : s(on) {
    resolver r{{{"orders", {offset{0}, offset{0}}}}};
    mine = s.claim("billing", {{"orders", 0}}, r, soon()).at(0);
  }
  sl::move next() const { return {mine.of, mine.next, offset{mine.next.value() + 10}, mine.mine, mine.log}; }

  outcome batch() {
    auto const m = next();
    auto const k = m.until.value() / 10;
    outcome o{};
    if (k % 5) {
      auto& tx = s.begin({&m, 1}, soon());
      rows in{tx, "last"};
      // Two partitions are read, so that the rows of one are found behind those of the other.
      std::map<std::string, std::int64_t> now;
      in.all(m.of, [&](std::string_view name, std::string_view value, std::int64_t) {
        now[std::string{name}] = std::stoll(std::string{value});
      });
      auto wanted = now;
      change(wanted, k);
      std::vector<std::string> texts;
      std::vector<sl::detail::state_row> changed;
      for (auto const& [name, n] : wanted)
        if (!now.contains(name) || now[name] != n) texts.push_back(std::to_string(n));
      std::size_t t = 0;
      for (auto const& [name, n] : wanted)
        if (!now.contains(name) || now[name] != n)
          changed.push_back({.of = &m.of, .key = name, .value = texts[t++], .due = n});
      for (auto const& [name, n] : now)
        if (!wanted.contains(name)) changed.push_back({.of = &m.of, .key = name, .there = false});
      in.write(changed);
      tx.put("step", std::to_string(k));
      o = s.advance(tx, {&m, 1}, soon())[0];
      if (o != outcome::applied) {
        s.rollback(tx);
        return o;
      }
      o = s.commit(tx, soon());
    } else {
      o = s.advance({&m, 1}, soon())[0];
    }
    for (int i = 0; o == outcome::unknown && i < 3; ++i) o = s.settle({&m, 1}, soon())[0];
    if (o == outcome::applied) mine.next = m.until;
    return o;
  }
};

struct found {
  std::int64_t next = 0;
  std::string wrong{};
};

std::map<std::string, std::int64_t> rows_in(simulated::files const& files, sl::checkpoint_generation const& state) {
  simulated::files mine = files;
  auto const root = mine.on->root;
  sl::detail::local_segments<simulated::files> place{mine, root, "d"};
  sl::detail::open_segments segments{place, 0};
  if (!segments.follow(state.segments)) segments.missing(state.segments, "d");
  for (auto const& s : segments.all()) s->verify();
  std::map<std::string, std::int64_t> all;
  sl::detail::row_view{segments, {}}.each({"billing", "last", "orders", 0, sl::detail::table_key::rows},
                                          [&](sl::detail::table_row const& row) {
                                            all[std::string{row.key}] = std::stoll(std::string{row.value});
                                            return true;
                                          });
  return all;
}

/// Reads as a process would that starts now.
found look(machine& m) {
  simulated::files files{m.disk};
  folder_of folder{files, "d"};
  auto const& state = folder.newest();
  auto const at = state.topics.find({"billing", "orders"});
  if (at == state.topics.end())
    return {-1, state.values.empty() && state.segments.empty() ? "" : "rows without offsets"};
  found f{at->second.at(0).next.value()};
  auto const steps = f.next / 10;
  std::map<std::string, std::int64_t> wanted;
  for (std::int64_t k = 1; k <= steps; ++k) change(wanted, k);
  if (rows_in(files, state) != wanted) f.wrong += "rows ";
  auto const last = steps % 5 == 0 ? steps - 1 : steps;
  auto const v = state.values.find("step");
  if (last > 0 && (v == state.values.end() || v->second.content != std::to_string(last))) f.wrong += "value ";
  // The one before it is whole as well.
  std::vector<std::string> names;
  files.list(m.disk->root, names);
  auto numbers = sl::detail::generation_numbers(names);
  std::erase(numbers, folder.number());
  if (!numbers.empty() && numbers.back() + 1 == folder.number()) {
    std::string data;
    simulated::node_ptr file;
    files.open_to_read(m.disk->root, sl::detail::generation_name(numbers.back()), file);
    files.read(file, 0, file->data.size(), data);
    auto const older = sl::parse_generation<sl::checkpoint_generation>(data, "older");
    rows_in(files, older);
  }
  return f;
}

std::int64_t run_until_crash(machine& m, long crash_at, int batches) {
  std::int64_t acknowledged = -1;
  m.disk->operations = 0;
  m.disk->crash_at = crash_at;
  try {
    auto const s = m.open();
    worker w{*s};
    acknowledged = w.mine.next.value();
    for (int i = 0; i < batches; ++i)
      if (w.batch() == outcome::applied) acknowledged = w.mine.next.value();
    if (m.interval.count() > 0) s->release({w.mine}, soon());
  } catch (simulated::crash const&) {}
  return acknowledged;
}

constexpr int many = 24;  // so that segments are merged on the way

long operations_of(int batches) {
  machine m;
  run_until_crash(m, -1, batches);
  return m.disk->operations;
}

/// How often something acknowledged was lost, rows and offset differ, or nothing can be read.
int violations(bool forget_files, bool forget_folders, std::mt19937& random, long step) {
  int bad = 0;
  auto const all = operations_of(many);
  for (long crash_at = 0; crash_at <= all; crash_at += step)
    for (auto const what : {survives::nothing, survives::everything, survives::any, survives::any}) {
      machine m;
      m.disk->forgets_file_syncs = forget_files;
      m.disk->forgets_folder_syncs = forget_folders;
      auto acknowledged = run_until_crash(m, crash_at, many);
      m.disk->crashed(what, random);
      try {
        for (int again = 0; again < 2; ++again) {
          auto const f = look(m);
          bool const kept =
              f.next == acknowledged || f.next == acknowledged + 10 || (acknowledged == -1 && f.next == 0);
          if (!kept || !f.wrong.empty()) {
            ++bad;
            break;
          }
          acknowledged = std::max(f.next, run_until_crash(m, static_cast<long>(random() % 60), 3));
          m.disk->crashed(what, random);
        }
        if (run_until_crash(m, -1, 2) < 20 || !look(m).wrong.empty()) ++bad;
      } catch (sl::store_error const&) { ++bad; }
    }
  return bad;
}

std::size_t segments_on(machine const& m) {
  std::size_t n = 0;
  for (auto const& [name, file] : m.disk->root->names.at("segments")->names)
    n += name.starts_with("segment.") && !file->data.empty();
  return n;
}

}  // namespace

TEST_CASE("after a crash at any operation offsets and rows are of one moment, and nothing acknowledged is lost") {
  std::mt19937 random{seed()};
  CHECK(operations_of(many) > 200);
  CHECK(violations(false, false, random, 1) == 0);
}

TEST_CASE("the crashes above tell a checkpoint that leaves out a sync") {
  std::mt19937 random{1};
  CHECK(violations(true, false, random, 7) > 0);
  CHECK(violations(false, true, random, 7) > 0);
}

TEST_CASE(
    "rows of a transaction whose moves go nowhere are there, though another is faster, or stores on top at once") {
  machine m;
  auto const a = m.open(), b = m.open();
  worker ours{*a};
  resolver r{{{"orders", {offset{0}, offset{0}}}}};
  auto const theirs = b->claim("billing", {{"orders", 1}}, r, soon()).at(0);
  auto still = ours.next();
  still.until = still.from;
  auto& tx = a->begin({&still, 1}, soon());
  rows{tx, "last"}.write(std::vector<sl::detail::state_row>{{.of = &still.of, .key = "kept", .value = "1", .due = 5}});
  CHECK(a->advance(tx, {&still, 1}, soon())[0] == outcome::applied);
  bool const before = GENERATE(true, false);
  bool published = false, done = false;
  m.disk->fail = [&](std::string const& operation, std::string const&) {
    if (operation == "publish") published = true;
    if (!done && published && (before || operation == "list")) {
      done = true;
      sl::move const next{theirs.of, theirs.next, offset{5}, theirs.mine, theirs.log};
      CHECK(b->advance({&next, 1}, soon())[0] == outcome::applied);
    }
    return 0;
  };
  CHECK(a->commit(tx, soon()) == outcome::applied);
  m.disk->fail = {};
  CHECK(done);
  auto const state = folder_of{simulated::files{m.disk}, "d"}.newest();
  CHECK(rows_in(simulated::files{m.disk}, state) == std::map<std::string, std::int64_t>{{"kept", 1}});
  CHECK(state.segments.size() == 1);
}

TEST_CASE("segments are merged, and those that nobody names go") {
  machine m;
  CHECK(run_until_crash(m, -1, many) == 10 * many);
  CHECK(segments_on(m) < 20);
  CHECK(look(m).wrong == "");
  // What a crash leaves is taken away by the next one.
  run_until_crash(m, operations_of(many) / 2, many);
  run_until_crash(m, -1, 0);
  auto const state = folder_of{simulated::files{m.disk}, "d"}.newest();
  CHECK(segments_on(m) <= state.segments.size() + state.retired.size());
}

TEST_CASE("whatever operation of a checkpoint fails, nothing acknowledged is lost and the store goes on") {
  std::mt19937 random{seed()};
  auto const all = operations_of(20);
  for (int const code : {EIO, ENOSPC})
    for (long failing = 0; failing < all; ++failing) {
      machine m;
      INFO("operation " << failing << " fails with " << code);
      int left = 2;
      m.disk->fail = [&](std::string const&, std::string const&) {
        return m.disk->operations > failing && left > 0 ? --left, code : 0;
      };
      std::int64_t acknowledged = 0;
      for (int attempt = 0; attempt < 4; ++attempt) {
        try {
          auto const s = m.open();
          worker w{*s};
          for (int i = 0; i < 8 && w.mine.what != w.mine.failed; ++i) {
            try {
              if (w.batch() == outcome::applied) acknowledged = w.mine.next.value();
            } catch (sl::store_error const& e) {
              CHECK(e.code() == (code == ENOSPC ? sl::errc::store_full : sl::errc::store_unavailable));
            }
          }
        } catch (sl::error const&) {}
      }
      CHECK(acknowledged >= 50);
      m.disk->crashed(survives::nothing, random);
      auto const f = look(m);
      CHECK(f.next == acknowledged);
      CHECK(f.wrong == "");
    }
}

TEST_CASE("with an interval a crash sets state and offsets back together") {
  std::mt19937 random{seed()};
  machine measured;
  measured.interval = std::chrono::hours{1};
  CHECK(run_until_crash(measured, -1, many) == 10 * many);
  CHECK(look(measured).next == 10 * many);  // closed, so all of it is there
  CHECK(look(measured).wrong == "");
  auto const all = measured.disk->operations;
  CHECK(all < operations_of(many) / 3);
  for (long crash_at = 0; crash_at <= all; ++crash_at)
    for (auto const what : {survives::nothing, survives::everything, survives::any}) {
      machine m;
      m.interval = measured.interval;
      run_until_crash(m, crash_at, many);
      m.disk->crashed(what, random);
      auto const f = look(m);
      CHECK(f.wrong == "");
      CHECK((f.next <= 0 || f.next == 10 * many));
      CHECK(run_until_crash(m, -1, 3) >= 30);
      CHECK(look(m).wrong == "");
    }
}

TEST_CASE(
    "with an interval, what can't be published is set back, and its partition is refused until it is claimed again") {
  machine m;
  m.interval = std::chrono::hours{1};
  auto const s = m.open();
  worker w{*s};
  for (int i = 0; i < 3; ++i) CHECK(w.batch() == outcome::applied);
  m.disk->fail = [](std::string const& op, std::string const&) { return op == "create" ? ENOSPC : 0; };
  s->release({}, soon());
  resolver r{{}};
  CHECK_THROWS(s->claim("billing", {{"orders", 1}}, r, soon()));
  m.disk->fail = {};
  CHECK(w.batch() == outcome::refused);
  worker again{*s};
  CHECK(again.mine.next == offset{0});
  for (int i = 0; i < 3; ++i) CHECK(again.batch() == outcome::applied);
  s->release({again.mine}, soon());
  CHECK(look(m).next == 30);
  CHECK(look(m).wrong == "");
}

TEST_CASE("one process merges, and leaves it to another one when it is through") {
  temporary_folder folder;
  auto const named = [&] { return sl::read_checkpoint(folder.name()).segments.size(); };
  auto const batches = [](checkpoint_worker& of, int n) {
    for (int i = 0; i < n; ++i) CHECK(of.put(key(i), std::to_string(i)) == outcome::applied);
  };
  checkpoint_worker a{{.directory = folder.name()}};
  batches(a, 20);
  CHECK(named() < 10);
  checkpoint_worker b{{.directory = folder.name()}};
  batches(b, 20);
  CHECK(named() < 20);
  {
    sl::detail::posix_files files;
    sl::detail::unique_fd root, segments, merging;
    CHECK(files.open_directory(folder.name(), root) == 0);
    CHECK(files.open_directory(root, "segments", segments) == 0);
    CHECK(files.open_to_write(segments, "merging", merging) == 0);
    REQUIRE(files.lock(merging));
    batches(b, 20);
    CHECK(named() > 20);
  }
  batches(b, 6);
  CHECK(named() < 20);
}
