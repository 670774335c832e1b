#include <sluice/output/files.hpp>

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <deque>
#include <random>

#include "catch.hpp"
#include "detail/simulated_files.hpp"
#include "detail/temporary_folder.hpp"

namespace {

namespace sl = sluice;
using simulated::survives;
using sl::offset;
using ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// Records of orders/0 (and 1), whose values are their offsets. Every third offset is a gap.
struct records {
  std::deque<std::string> values{};
  std::vector<sl::detail::message> messages{};
  std::vector<sl::detail::part> parts{};

  records(std::int64_t from, std::int64_t until, std::int64_t incarnation = 1, int partitions = 1) {
    std::vector<std::size_t> counts;
    for (int p = 0; p < partitions; ++p) {
      counts.push_back(0);
      for (auto at = from; at < until; ++at) {
        if (at % 3 == 2) continue;
        values.push_back(std::to_string(at));
        messages.push_back(
            {.value = values.back().data(), .value_size = static_cast<std::uint32_t>(values.back().size()), .at = at});
        ++counts.back();
      }
    }
    auto const* next = messages.data();
    for (int p = 0; p < partitions; ++p) {
      auto const* const end = next + counts[static_cast<std::size_t>(p)];
      parts.push_back({next, end, {{"orders", p}, offset{from}, offset{until}, incarnation}, nullptr});
      next = end;
    }
  }
  sl::batch batch() const { return {parts, {}}; }
};

std::string lines(std::int64_t from, std::int64_t until) {
  std::string all;
  for (auto at = from; at < until; ++at)
    if (at % 3 != 2) all += std::to_string(at) + "\n";
  return all;
}

sl::topic_partition const orders{"orders", 0};

ranges ranges_in(std::string const& directory) {
  ranges all;
  for (auto const& f : sl::list_files(directory, orders)) all.emplace_back(f.from.value(), f.until.value());
  return all;
}

}  // namespace

TEST_CASE("a batch is a file for each of its partitions, named by its range") {
  temporary_folder folder;
  sl::files_by_range out{folder.name()};
  records const some{0, 10, 7, 2};
  out(some.batch());
  CHECK(sl::read_files(folder.name(), orders) == lines(0, 10));
  CHECK(sl::read_files(folder.name(), {"orders", 1}) == lines(0, 10));
  CHECK(sl::read_files(folder.name(), {"orders", 2}).empty());
  CHECK(content_of(folder.path / "orders" / "0" / "00000000000000000007-00000000000000000000" /
                   "00000000000000000010.txt") == lines(0, 10));
}

TEST_CASE("the text is the user's, and so is the name's end") {
  temporary_folder folder;
  sl::files_by_range out{folder.name(),
                         [](sl::record const& r, std::string& line) { line.append(r.text()).append(";"); }, ".csv"};
  out(records{0, 2}.batch());
  CHECK(sl::read_files(folder.name(), orders) == "0;1;");
  CHECK(sl::list_files(folder.name(), orders).at(0).path.ends_with("/00000000000000000002.csv"));
}

TEST_CASE("a replay adds what is missing, however it is cut") {
  temporary_folder folder;
  {
    sl::files_by_range out{folder.name()};
    out(records{0, 100}.batch());
    out(records{0, 100}.batch());
    CHECK(ranges_in(folder.name()) == ranges{{0, 100}});
  }
  sl::files_by_range again{folder.name()};
  again(records{0, 50}.batch());
  CHECK(ranges_in(folder.name()) == ranges{{0, 100}});
  again(records{50, 120}.batch());
  again(records{120, 130}.batch());
  CHECK(ranges_in(folder.name()) == ranges{{0, 100}, {100, 120}, {120, 130}});
  CHECK(sl::read_files(folder.name(), orders) == lines(0, 130));
}

TEST_CASE("a batch may begin inside what is there") {
  temporary_folder folder;
  {
    sl::files_by_range first{folder.name()};
    first(records{0, 60}.batch());
  }
  sl::files_by_range out{folder.name()};
  out(records{30, 90}.batch());
  CHECK(ranges_in(folder.name()) == ranges{{0, 60}, {60, 90}});
}

TEST_CASE("a late write of one that was thought dead adds nothing that is there") {
  temporary_folder folder;
  sl::files_by_range late{folder.name()}, owner{folder.name()};
  late(records{0, 10}.batch());
  owner(records{10, 20}.batch());
  owner(records{20, 40}.batch());
  late(records{10, 60}.batch());
  CHECK(ranges_in(folder.name()) == ranges{{0, 10}, {10, 20}, {20, 40}, {40, 60}});
  owner(records{40, 50}.batch());
  owner(records{50, 70}.batch());
  CHECK(ranges_in(folder.name()) == ranges{{0, 10}, {10, 20}, {20, 40}, {40, 60}, {60, 70}});
  CHECK(sl::read_files(folder.name(), orders) == lines(0, 70));
}

TEST_CASE("one that owns a partition again looks what was written meanwhile") {
  temporary_folder folder;
  sl::files_by_range one{folder.name()}, other{folder.name()};
  one(records{0, 10}.batch());
  other(records{10, 60}.batch());  // and died before it advanced
  sl::files_by_range third{folder.name()};
  third(records{10, 30}.batch());
  one(records{30, 70}.batch());
  CHECK(ranges_in(folder.name()) == ranges{{0, 10}, {10, 60}, {60, 70}});
}

TEST_CASE("a hole that a later file leaves is filled, and not more") {
  temporary_folder folder;
  {
    sl::files_by_range out{folder.name()};
    out(records{50, 60}.batch());
  }
  sl::files_by_range out{folder.name()};
  out(records{0, 90}.batch());
  CHECK(ranges_in(folder.name()) == ranges{{0, 50}, {50, 60}, {60, 90}});
  CHECK(sl::read_files(folder.name(), orders) == lines(0, 90));
}

TEST_CASE("a new incarnation has files of its own, and an old one's don't hide it") {
  temporary_folder folder;
  sl::files_by_range out{folder.name()};
  out(records{0, 20, 1}.batch());
  out(records{5, 10, 2}.batch());
  CHECK(sl::read_files(folder.name(), orders) == lines(0, 20) + lines(5, 10));
}

TEST_CASE("a look at what is there that fails half-way is not built on") {
  auto const disk = std::make_shared<simulated::disk>();
  using output = sl::files_by_range<sl::value_lines, simulated::files>;
  output one{"d", {}, ".txt", simulated::files{disk}}, other{"d", {}, ".txt", simulated::files{disk}};
  one(records{0, 10}.batch());
  other(records{0, 4}.batch());  // there already
  one(records{10, 15}.batch());
  disk->fail = [](std::string const& op, std::string const&) { return op == "list" ? EIO : 0; };
  CHECK_THROWS(other(records{4, 12}.batch()));
  disk->fail = {};
  other(records{4, 20}.batch());
  CHECK(sl::detail::read_files(simulated::files{disk}, "d", orders) == lines(0, 20));
}

TEST_CASE("what another one names while it is looked for is not built on before it is durable") {
  auto const disk = std::make_shared<simulated::disk>();
  using output = sl::files_by_range<sl::value_lines, simulated::files>;
  output one{"d", {}, ".txt", simulated::files{disk}}, other{"d", {}, ".txt", simulated::files{disk}};
  one(records{0, 4}.batch());
  other(records{0, 4}.batch());
  bool looked = false, inside = false;
  int syncs = 0;
  disk->fail = [&](std::string const& op, std::string const&) {
    if (inside && op == "sync_folder" && ++syncs == 2) throw simulated::crash{};  // before that of its name
    if (op == "list" && !std::exchange(looked, true)) {
      inside = true;
      CHECK_THROWS_AS(other(records{4, 8}.batch()), simulated::crash);
      inside = false;
    }
    return 0;
  };
  output late{"d", {}, ".txt", simulated::files{disk}};
  late(records{4, 8}.batch());
  std::mt19937 random{1};
  disk->crashed(survives::nothing, random);
  CHECK(sl::detail::read_files(simulated::files{disk}, "d", orders) == lines(0, 8));
}

TEST_CASE("random cuts, replays and owners leave each record once") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 200; ++round) {
    auto const disk = std::make_shared<simulated::disk>();
    using output = sl::files_by_range<sl::value_lines, simulated::files>;
    std::vector<std::unique_ptr<output>> members;
    auto const join = [&] { return std::make_unique<output>("d", sl::value_lines{}, ".txt", simulated::files{disk}); };
    for (int i = 0; i < 3; ++i) members.push_back(join());
    std::int64_t stored = 0;
    std::vector<std::int64_t> stands(3, 0);
    for (int i = 0; i < 30; ++i) {
      auto const who = random() % 3;
      if (random() % 4 == 0) members[who] = join();
      if (random() % 3 == 0) stands[who] = stored;  // claims again
      auto const until = stands[who] + 1 + static_cast<std::int64_t>(random() % 20);
      // The others can only stand where the store stood once.
      if (random() % 2) (*members[who])(records{stands[who], until}.batch());
      if (stands[who] == stored && random() % 3) {
        (*members[who])(records{stands[who], until}.batch());
        stands[who] = stored = until;
      }
    }
    auto const text = sl::detail::read_files(simulated::files{disk}, "d", orders);
    INFO("round " << round);
    REQUIRE(text.starts_with(lines(0, stored)));
    auto const all = sl::detail::list_files(simulated::files{disk}, "d", orders);
    CHECK((all.empty() || text == lines(0, all.back().until.value())));
  }
}

namespace {

/// Hands over batches of ten until the given operation, and answers how far the handler returned.
std::int64_t run_until_crash(std::shared_ptr<simulated::disk> const& disk, std::int64_t from, long crash_at) {
  disk->operations = 0;
  disk->crash_at = crash_at;
  try {
    sl::files_by_range out{"d", sl::value_lines{}, ".txt", simulated::files{disk}};
    for (int i = 0; i < 3; ++i, from += 10) out(records{from, from + 10}.batch());
  } catch (simulated::crash const&) {}
  return from;
}

int violations(bool forget_files, bool forget_folders, std::mt19937& random) {
  int bad = 0;
  auto const whole = std::make_shared<simulated::disk>();
  run_until_crash(whole, 0, -1);
  for (long crash_at = 0; crash_at <= whole->operations; ++crash_at)
    for (auto const what : {survives::nothing, survives::everything, survives::any, survives::any}) {
      auto const disk = std::make_shared<simulated::disk>();
      disk->forgets_file_syncs = forget_files;
      disk->forgets_folder_syncs = forget_folders;
      auto done = run_until_crash(disk, 0, crash_at);
      disk->crashed(what, random);
      try {
        for (int again = 0; again < 2; ++again) {
          auto const all = sl::detail::list_files(simulated::files{disk}, "d", orders);
          auto const end = all.empty() ? 0 : all.back().until.value();
          if (end < done || end > done + 10) ++bad;
          if (sl::detail::read_files(simulated::files{disk}, "d", orders) != lines(0, end)) ++bad;
          // Starts again in the middle of what is there.
          auto const from = std::max<std::int64_t>(0, done - 5);
          done = std::max(done, run_until_crash(disk, from, again ? -1 : static_cast<long>(random() % 20)));
          disk->crashed(what, random);
        }
        if (sl::detail::read_files(simulated::files{disk}, "d", orders) != lines(0, done)) ++bad;
      } catch (sl::store_error const&) { ++bad; }
    }
  return bad;
}

}  // namespace

TEST_CASE("what the handler returned from is there after a crash at any operation") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  CHECK(violations(false, false, random) == 0);
  CHECK(violations(true, false, random) > 0);
  CHECK(violations(false, true, random) > 0);
}

namespace {

/// The same with every combination of what was not synced: how many there were, and how many were wrong.
std::pair<int, int> every_loss(bool forget_files, bool forget_folders) {
  int tried = 0, bad = 0;
  auto const whole = std::make_shared<simulated::disk>();
  run_until_crash(whole, 0, -1);
  for (long crash_at = 0; crash_at <= whole->operations; ++crash_at)
    for (simulated::every_choice left; left.another() && bad == 0; ++tried) {
      auto const disk = std::make_shared<simulated::disk>();
      disk->forgets_file_syncs = forget_files;
      disk->forgets_folder_syncs = forget_folders;
      auto const done = run_until_crash(disk, 0, crash_at);
      disk->crashed(std::ref(left));
      try {
        auto const all = sl::detail::list_files(simulated::files{disk}, "d", orders);
        auto const end = all.empty() ? 0 : all.back().until.value();
        bool good = end >= done && end <= done + 10 &&
                    sl::detail::read_files(simulated::files{disk}, "d", orders) == lines(0, end);
        auto const later = run_until_crash(disk, std::max<std::int64_t>(0, done - 5), -1);
        good = good && sl::detail::read_files(simulated::files{disk}, "d", orders) == lines(0, later);
        bad += !good;
      } catch (sl::store_error const&) { ++bad; }
    }
  return {tried, bad};
}

}  // namespace

TEST_CASE("a power cut after any operation, with any combination of what was not synced") {
  auto const [tried, bad] = every_loss(false, false);
  CHECK(bad == 0);
  CHECK(tried > 100);
  CHECK(every_loss(true, false).second > 0);
  CHECK(every_loss(false, true).second > 0);
}

TEST_CASE("whatever operation fails, the batch is told to have failed and can be handed over again") {
  auto const whole = std::make_shared<simulated::disk>();
  run_until_crash(whole, 0, -1);
  std::mt19937 random{1};
  int thrown = 0;
  for (int const code : {EIO, ENOSPC})
    for (long failing = 0; failing < whole->operations; ++failing) {
      auto const disk = std::make_shared<simulated::disk>();
      disk->fail = [&](std::string const&, std::string const&) { return disk->operations == failing + 1 ? code : 0; };
      INFO("operation " << failing << " fails with " << code);
      std::int64_t done = 0;
      for (int process = 0; process < 3; ++process) {
        sl::files_by_range out{"d", sl::value_lines{}, ".txt", simulated::files{disk}};
        for (int i = 0; i < 3; ++i) {
          try {
            out(records{done, done + 10}.batch());
            done += 10;
          } catch (sl::store_error const& e) {
            ++thrown;
            CHECK((e.code() == sl::errc::store_unavailable || code == ENOSPC));
          }
        }
      }
      CHECK(done >= 50);
      CHECK(sl::detail::read_files(simulated::files{disk}, "d", orders) == lines(0, done));
    }
  CHECK(thrown > 40);
}

TEST_CASE("what could not be looked at to its end is looked at again, behind a hole too") {
  int thrown = 0;
  for (int failing = 1; failing <= 6; ++failing) {
    auto const disk = std::make_shared<simulated::disk>();
    auto const writer = [&] {
      return std::make_unique<sl::files_by_range<sl::value_lines, simulated::files>>("d", sl::value_lines{}, ".txt",
                                                                                     simulated::files{disk});
    };
    auto const late = writer();
    (*late)(records{0, 10}.batch());
    (*writer())(records{10, 20}.batch());
    (*writer())(records{50, 60}.batch());
    int lists = 0;
    disk->fail = [&](std::string const& op, std::string const&) {
      return op == "list" && ++lists == failing ? EMFILE : 0;
    };
    try {
      (*late)(records{10, 70}.batch());
    } catch (sl::store_error const&) { ++thrown; }
    disk->fail = {};
    (*late)(records{10, 70}.batch());
    INFO("list " << failing << " failed");
    CHECK(sl::detail::read_files(simulated::files{disk}, "d", orders) == lines(0, 70));
  }
  CHECK(thrown > 2);
}

TEST_CASE("after a folder's name could not be synced nothing more is taken") {
  auto const disk = std::make_shared<simulated::disk>();
  sl::files_by_range out{"d", sl::value_lines{}, ".txt", simulated::files{disk}};
  out(records{0, 10}.batch());
  disk->fail = [named = false](std::string const& op, std::string const&) mutable {
    named = named || op == "publish";
    return named && op == "sync_folder" ? EIO : 0;
  };
  CHECK_THROWS_AS(out(records{10, 20}.batch()), sl::store_error);
  disk->fail = {};
  CHECK_THROWS_AS(out(records{10, 20}.batch()), sl::store_error);
}

TEST_CASE("two processes with the same batches leave each record once") {
  temporary_folder folder;
  std::vector<::pid_t> children;
  for (int who = 0; who < 2; ++who) {
    auto const child = ::fork();
    if (child == 0) {
      int code = 0;
      try {
        std::mt19937 random{static_cast<unsigned>(who)};
        sl::files_by_range out{folder.name()};
        for (std::int64_t from = 0; from < 300;) {
          auto const until = from + 1 + static_cast<std::int64_t>(random() % 20);
          out(records{from, until}.batch());
          from = until;
        }
      } catch (...) { code = 1; }
      ::_exit(code);
    }
    children.push_back(child);
  }
  for (auto const child : children) {
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  auto const all = sl::list_files(folder.name(), orders);
  CHECK(sl::read_files(folder.name(), orders) == lines(0, all.back().until.value()));
  CHECK(all.back().until >= offset{300});
}

TEST_CASE("no space is store_full, never the record's fault, and leaves nothing half") {
  temporary_folder folder;
  auto const child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit const limit{64, 64};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int code = 1;
    try {
      sl::files_by_range out{folder.name()};
      out(records{0, 10}.batch());
      code = 2;
      out(records{10, 1000}.batch());
    } catch (sl::store_error const& e) {
      if (code == 2 && e.code() == sl::errc::store_full) code = 0;
    }
    ::_exit(code);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(sl::read_files(folder.name(), orders) == lines(0, 10));
  CHECK(std::distance(std::filesystem::directory_iterator{folder.path / "orders" / "0"}, {}) == 1);
}

TEST_CASE("what is no folder, or no such file, is told") {
  temporary_folder folder;
  auto const code = [](auto f) {
    try {
      f();
    } catch (sl::error const& e) { return e.code(); }
    return sl::errc{};
  };
  CHECK(code([&] { sl::files_by_range{folder.name() + "/none"}; }) == sl::errc::bad_configuration);
  CHECK(code([&] { sl::files_by_range{folder.name(), sl::value_lines{}, "/x"}; }) == sl::errc::bad_configuration);
  sl::files_by_range out{folder.name()};
  out(records{0, 10}.batch());
  auto const there = folder.path / "orders" / "0" / "00000000000000000001-00000000000000000000";
  std::filesystem::rename(there / "00000000000000000010.txt", there / "x.txt");
  sl::files_by_range again{folder.name()};
  CHECK(code([&] { again(records{0, 10}.batch()); }) == sl::errc::store_damaged);
  CHECK(code([&] { sl::read_files(folder.name(), orders); }) == sl::errc::store_damaged);
}
