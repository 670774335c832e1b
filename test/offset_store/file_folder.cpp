#include <sluice/offset_store/file.hpp>
#include <sluice/offset_store/file_folder.hpp>

#include <iostream>
#include <random>

#include "catch.hpp"
#include "detail/simulated_files.hpp"
#include "offset_store/contract.hpp"

// A store on a file system that loses what was not synced. One partition is taken forward by steps of ten; the odd steps
// are transactions with a value and a line of text, the even ones plain advances with a record set aside.
namespace {

namespace sl = sluice;
using contract::resolver;
using contract::soon;
using simulated::survives;
using sl::offset;
using sl::outcome;
using store = sl::basic_file_store<simulated::files>;

struct letter_of {
  sl::detail::message message{.value = "x", .value_size = 1};
  sl::detail::part part{};
  explicit letter_of(std::int64_t at) {
    message.at = at;
    part = {&message, &message + 1, {{"orders", 0}, offset{at}, offset{at + 1}, 1}, nullptr};
  }
  sl::dead_letter letter() const { return {.what = {&message, &part}, .error = "no"}; }
};

struct machine {
  std::shared_ptr<simulated::disk> disk = std::make_shared<simulated::disk>();
  std::unique_ptr<store> open() {
    return std::make_unique<store>(simulated::files{disk}, sl::file_offsets{.directory = "d"}, "billing");
  }
};

struct worker {
  store& s;
  sl::claimed mine{};

  explicit worker(store& on) : s(on) {
    resolver r{{{"orders", {offset{0}, offset{0}}}}};
    mine = s.claim("billing", {{"orders", 0}}, r, soon()).at(0);
  }
  sl::move next() const { return {mine.of, mine.next, offset{mine.next.value() + 10}, mine.mine, mine.log}; }

  /// What the engine does with one batch; false where it was refused.
  outcome batch() {
    auto const m = next();
    auto const k = m.until.value() / 10;
    outcome o{};
    if (k % 2) {
      auto& tx = s.begin({&m, 1}, soon());
      auto const before = tx.get_text("n");
      tx.put("n", std::to_string((before ? std::stoll(std::string{*before}) : 0) + 1));
      tx.append("lines", m.of, std::to_string(k) + "\n");
      o = s.advance(tx, {&m, 1}, soon())[0];
      if (o != outcome::applied) {
        s.rollback(tx);
        return o;
      }
      o = s.commit(tx, soon());
    } else {
      s.set_aside("", letter_of{m.from.value()}.letter());
      o = s.advance({&m, 1}, soon())[0];
    }
    for (int i = 0; o == outcome::unknown && i < 3; ++i) o = s.settle({&m, 1}, soon())[0];
    if (o == outcome::applied) mine.next = m.until;
    return o;
  }
};

struct found {
  std::int64_t next = 0;
  std::string wrong{};  // empty: results and offset agree
};

/// Reads as a process would that starts now.
found look(machine& m) {
  simulated::files files{m.disk};
  sl::detail::generation_folder<simulated::files> folder{files, "d"};
  auto const& state = folder.newest();
  auto const at = state.topics.find({"billing", "orders"});
  if (at == state.topics.end())
    return {-1, state.values.empty() && state.texts.empty() ? "" : "results without offsets"};
  found f{at->second.at(0).next.value()};
  auto const steps = f.next / 10;
  std::string lines;
  for (std::int64_t k = 1; k <= steps; k += 2) lines += std::to_string(k) + "\n";
  auto const n = state.values.find("n");
  if ((n == state.values.end() ? "0" : n->second.content) != std::to_string((steps + 1) / 2)) f.wrong += "value ";
  if (sl::detail::read_text(files, "d", "lines", "") != lines) f.wrong += "text ";
  auto const skipped = sl::detail::read_text(files, "d", "skipped", "");
  if (std::count(skipped.begin(), skipped.end(), '\n') != steps / 2) f.wrong += "skipped ";
  return f;
}

/// Runs until the given operation, which does not happen. Answers what was acknowledged, or -1 before the first claim.
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
  } catch (simulated::crash const&) {}
  return acknowledged;
}

long operations_of(int batches) {
  machine m;
  run_until_crash(m, -1, batches);
  return m.disk->operations;
}

/// What a process finds that starts now: all that was acknowledged, or one step more, and results that agree with it.
bool is_kept(machine& m, std::int64_t acknowledged) {
  try {
    auto const f = look(m);
    return f.wrong.empty() &&
           (f.next == acknowledged || f.next == acknowledged + 10 || (acknowledged == -1 && f.next == 0));
  } catch (sl::store_error const&) { return false; }
}

/// How often something acknowledged was lost, results and offset differ, or nothing can be read, over all crashes.
int violations(bool forget_files, bool forget_folders, std::mt19937& random) {
  int bad = 0;
  auto const all = operations_of(5);
  for (long crash_at = 0; crash_at <= all; ++crash_at)
    for (auto const what : {survives::nothing, survives::everything, survives::any, survives::any, survives::any}) {
      machine m;
      m.disk->forgets_file_syncs = forget_files;
      m.disk->forgets_folder_syncs = forget_folders;
      auto acknowledged = run_until_crash(m, crash_at, 5);
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
          // Recovery may crash as well; in the end the store is of use.
          acknowledged = std::max(f.next, run_until_crash(m, static_cast<long>(random() % 30), 2));
          m.disk->crashed(what, random);
        }
        if (run_until_crash(m, -1, 2) < 20 || !look(m).wrong.empty()) ++bad;
      } catch (sl::store_error const&) { ++bad; }
    }
  return bad;
}

}  // namespace

TEST_CASE("after a crash at any operation all that was acknowledged is there, and results agree with the offset") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  CHECK(operations_of(5) > 60);
  CHECK(violations(false, false, random) == 0);
}

namespace {

struct losses {
  int tried = 0, bad = 0;
};

/// One process that is cut off after an operation, and its successor after another (-1: never), with one combination of what
/// was not synced at each; is all as it must be, and the store of use?
bool is_good(machine& m, long crash_at, long again, int batches, simulated::every_choice& left) {
  auto const acknowledged = run_until_crash(m, crash_at, batches);
  m.disk->crashed(std::ref(left));
  if (!is_kept(m, acknowledged)) return false;
  if (again >= 0) {
    auto const before = look(m).next;
    auto const later = std::max(before, run_until_crash(m, again, 1));
    m.disk->crashed(std::ref(left));
    if (!is_kept(m, later)) return false;
  }
  run_until_crash(m, -1, 1);
  return look(m).wrong.empty();
}

/// Each combination, up to the first that is wrong.
losses every_loss(int batches, bool twice, bool forget_files = false, bool forget_folders = false) {
  losses all;
  auto const operations = operations_of(batches);
  for (long crash_at = 0; crash_at <= operations; ++crash_at)
    for (long again = -1; again < (twice ? 24 : 0); ++again)
      for (simulated::every_choice left; left.another(); ++all.tried) {
        machine m;
        m.disk->forgets_file_syncs = forget_files;
        m.disk->forgets_folder_syncs = forget_folders;
        try {
          all.bad += !is_good(m, crash_at, again, batches, left);
        } catch (sl::store_error const&) { ++all.bad; }
        if (all.bad) return all;
      }
  return all;
}

}  // namespace

TEST_CASE("a power cut after any operation, with any combination of what was not synced") {
  auto const once = every_loss(7, false);
  CHECK(once.bad == 0);
  CHECK(once.tried > 300);
  auto const twice = every_loss(2, true);
  CHECK(twice.bad == 0);
  CHECK(twice.tried > 5'000);
  std::cout << once.tried << " combinations of one power cut, " << twice.tried << " of two\n";
}

TEST_CASE("the crashes above tell a store that leaves out a sync") {
  std::mt19937 random{1};
  CHECK(violations(true, false, random) > 0);
  CHECK(violations(false, true, random) > 0);
  CHECK(every_loss(3, false, true, false).bad > 0);
  CHECK(every_loss(3, false, false, true).bad > 0);
}

TEST_CASE("behind the highest number that there is nothing is published") {
  machine m;
  {
    auto const s = m.open();
    worker w{*s};
    CHECK(w.batch() == outcome::applied);
  }
  auto& names = m.disk->root->names;
  auto const newest = std::prev(names.lower_bound("generation.9"))->second;
  names[sl::detail::generation_name(UINT64_MAX)] = newest;
  CHECK_THROWS_WITH(worker{*m.open()}, Catch::Matchers::ContainsSubstring("highest number"));
}

TEST_CASE("whatever operation fails, nothing acknowledged is lost and the store goes on") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  auto const all = operations_of(5);
  int thrown = 0;
  for (int const code : {EIO, ENOSPC})
    for (long failing = 0; failing < all; ++failing)
      for (int times = 1; times <= 2; ++times) {
        machine m;
        INFO("operation " << failing << " fails with " << code);
        int left = times;
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
                ++thrown;
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
  CHECK(thrown > 100);
}

TEST_CASE("a failed sync is no success because it is tried again") {
  std::mt19937 random{1};
  std::string const operation = GENERATE("sync", "sync_folder");
  bool const once = operation == "sync" && GENERATE(false, true);
  for (int const batches : {0, 1}) {  // the next is a transaction, or not
    machine m;
    auto const s = m.open();
    worker w{*s};
    for (int i = 0; i < batches; ++i) REQUIRE(w.batch() == outcome::applied);
    auto const move = w.next();
    auto const arm = [&] {
      m.disk->fail = [&, armed = false](std::string const& op, std::string const& name) mutable {
        armed = armed || (op == "create" && name.starts_with("temporary"));
        if (!armed || op != operation) return 0;
        armed = !once;
        return EIO;
      };
    };
    arm();
    outcome o{};
    if (batches) {
      o = s->advance({&move, 1}, soon())[0];
    } else {
      auto& tx = s->begin({&move, 1}, soon());
      tx.put("n", "1");
      tx.append("lines", move.of, "1\n");
      s->advance(tx, {&move, 1}, soon());
      o = s->commit(tx, soon());
    }
    CHECK(o == outcome::unknown);
    if (operation == "sync_folder" && batches) CHECK(s->advance({&move, 1}, soon())[0] == outcome::unknown);
    if (operation == "sync_folder") CHECK(s->settle({&move, 1}, soon())[0] == outcome::unknown);
    m.disk->fail = {};
    bool const lost = operation == "sync" && !batches;  // a transaction that was not published can't be tried again
    CHECK(s->settle({&move, 1}, soon())[0] == (lost ? outcome::refused : outcome::applied));
    m.disk->crashed(survives::nothing, random);
    auto const state = sl::detail::generation_folder<simulated::files>{simulated::files{m.disk}, "d"}.newest();
    CHECK(state.topics.at({"billing", "orders"}).at(0).next == (lost ? move.from : move.until));
    CHECK(state.values.contains("n") == !lost);
  }
}

// ---- sleepers: while one is about to publish, others publish several files and remove the number that it wants

namespace {

struct sleeper {
  std::shared_ptr<simulated::disk> disk = std::make_shared<simulated::disk>();
  store late;
  store other;

  sleeper()
      : late(simulated::files{disk}, sl::file_offsets{.directory = "d"}, "billing"),
        other(simulated::files{disk}, sl::file_offsets{.directory = "d"}, "billing") {}

  /// `others` runs when `late` has written its file and is about to give it its number.
  void sleeps_through(std::function<void()> others) {
    disk->fail = [others = std::move(others), done = false](std::string const& op, std::string const&) mutable {
      if (op == "publish" && !std::exchange(done, true)) others();
      return 0;
    };
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (auto const& [name, what] : disk->root->names) all.push_back(name);
    return all;
  }
};

sl::move forward(sl::claimed& c) {
  sl::move const m{c.of, c.next, offset{c.next.value() + 10}, c.mine, c.log};
  c.next = m.until;
  return m;
}

}  // namespace

TEST_CASE("a sleeper that takes an old number again overwrites nothing") {
  sleeper two;
  resolver r{{{"orders", {offset{0}, offset{0}}}}};
  auto mine = two.late.claim("billing", {{"orders", 0}}, r, soon()).at(0);
  auto theirs = two.other.claim("billing", {{"orders", 1}}, r, soon()).at(0);
  SECTION("its partition is still its own: it is stored on top of the newest") {
    two.sleeps_through([&] {
      for (int i = 0; i < 3; ++i) {
        auto const m = forward(theirs);
        CHECK(two.other.advance({&m, 1}, soon())[0] == outcome::applied);
      }
    });
    auto const m = forward(mine);
    CHECK(two.late.advance({&m, 1}, soon())[0] == outcome::applied);
    auto const m2 = forward(mine), m3 = forward(theirs);
    CHECK(two.other.advance({&m3, 1}, soon())[0] == outcome::applied);
    CHECK(two.late.advance({&m2, 1}, soon())[0] == outcome::applied);
    resolver none{{}};
    auto const now = two.other.claim("billing", {{"orders", 0}, {"orders", 1}}, none, soon());
    CHECK(now[0].next == offset{20});
    CHECK(now[1].next == offset{40});
  }
  SECTION("its partition has another owner by then: it is refused") {
    two.sleeps_through([&] {
      auto taken = two.other.claim("billing", {{"orders", 0}}, r, soon()).at(0);
      for (int i = 0; i < 3; ++i) {
        auto const m = forward(taken);
        CHECK(two.other.advance({&m, 1}, soon())[0] == outcome::applied);
      }
    });
    auto const m = forward(mine);
    CHECK(two.late.advance({&m, 1}, soon())[0] == outcome::refused);
    resolver none{{}};
    CHECK(two.other.claim("billing", {{"orders", 0}}, none, soon())[0].next == offset{30});
  }
  SECTION("a transaction that doesn't fit any more leaves nothing") {
    two.sleeps_through([&] {
      for (int i = 0; i < 3; ++i) {
        auto const m = forward(theirs);
        auto& tx = two.other.begin({&m, 1}, soon());
        tx.put("total", "theirs");
        two.other.advance(tx, {&m, 1}, soon());
        CHECK(two.other.commit(tx, soon()) == outcome::applied);
      }
    });
    auto const m = forward(mine);
    auto& tx = two.late.begin({&m, 1}, soon());
    tx.put("total", "mine");
    two.late.advance(tx, {&m, 1}, soon());
    CHECK(two.late.commit(tx, soon()) == outcome::refused);
    CHECK(two.other.begin({}, soon()).get_text("total") == "theirs");
  }
  CHECK(std::ranges::count_if(two.names(), [](auto const& n) { return n.starts_with("generation."); }) <= 2);
  CHECK(std::ranges::none_of(two.names(), [](auto const& n) { return n.starts_with("temporary."); }));
}
