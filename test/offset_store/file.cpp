#include <sluice/offset_store/file.hpp>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "offset_store/contract.hpp"

namespace {

namespace sl = sluice;
namespace fs = std::filesystem;
using contract::all;
using contract::resolver;
using contract::soon;
using contract::to;
using sl::offset;
using sl::outcome;

static_assert(sl::offset_store<sl::file_offsets::runtime>);
static_assert(sl::transactional_store<sl::file_offsets::runtime>);
static_assert(sl::sets_aside<sl::file_offsets::runtime>);

std::unique_ptr<sl::file_offsets::runtime> open_in(std::string const& directory) {
  return std::unique_ptr<sl::file_offsets::runtime>{
      new sl::file_offsets::runtime(sl::file_offsets::open({.directory = directory}, {.group = "billing"}))};
}

fs::path newest_file(fs::path const& directory) {
  fs::path newest;
  for (auto const& entry : fs::directory_iterator{directory}) {
    auto const name = entry.path().filename().string();
    if (name.starts_with("generation.") && sl::detail::padded_number(std::string_view{name}.substr(11)))
      newest = std::max(newest, entry.path());
  }
  return newest;
}

struct file_fixture {
  using store = sl::file_offsets::runtime;
  temporary_folder folder{};
  std::unique_ptr<store> open() { return open_in(folder.name()); }
  void forget(std::string const& group, sl::topic_partition const& of) {
    auto state = sl::read_generation(folder.name());
    state.topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    std::string bytes;
    encode(state, bytes);
    write_file(newest_file(folder.path), bytes);
  }
  std::vector<std::string> causes() {
    std::vector<std::string> found;
    for (auto const& j : sl::read_generation(folder.name()).jumps) found.push_back(j.cause);
    return found;
  }
  void write(sl::file_transaction& tx, std::string const& result) { tx.put(result, ""); }
  std::vector<std::string> results() {
    std::vector<std::string> found;
    for (auto const& [name, v] : sl::read_generation(folder.name()).values) found.push_back(name);
    return found;
  }
};

}  // namespace

TEST_CASE("file_offsets keeps the contract of stores") { contract::holds<file_fixture>(); }

namespace {

sl::errc code_of(auto f) {
  try {
    f();
  } catch (sl::error const& e) { return e.code(); }
  return {};
}
std::string text_of(auto f) {
  try {
    f();
  } catch (sl::error const& e) { return e.what(); }
  return "nothing was thrown";
}
using Catch::Matchers::ContainsSubstring;

/// Runs f in a process of its own; it says by its result whether all was well.
::pid_t in_child(auto f) {
  auto const child = ::fork();
  if (child == 0) {
    bool good = false;
    try {
      good = f();
    } catch (...) {}
    ::_exit(good ? 0 : 1);
  }
  return child;
}
int ended(::pid_t child) {
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

resolver starts(int partitions) {
  return resolver{{{"orders", std::vector<offset>(static_cast<std::size_t>(partitions), offset{0})}}};
}

}  // namespace

TEST_CASE("a folder that can't be used is refused at construction, with the remedy") {
  temporary_folder folder;
  write_file(folder.path / "file", "");
  for (auto const& directory : {std::string{}, folder.name() + "/none", folder.name() + "/file"}) {
    INFO(directory);
    CHECK(code_of([&] { open_in(directory); }) == sl::errc::bad_configuration);
    CHECK_THAT(text_of([&] { open_in(directory); }),
               ContainsSubstring("file_offsets.directory") && ContainsSubstring("name a"));
  }
  // The superuser may write anywhere: try as another.
  CHECK(ended(in_child([&] {
          std::filesystem::permissions(folder.path, std::filesystem::perms{0555});
          if (::geteuid() == 0 && ::setuid(65534) != 0) return false;
          bool const unwritable = code_of([&] { open_in(folder.name()); }) == sl::errc::bad_configuration;
          return unwritable &&
                 text_of([&] { open_in(folder.name()); }).find("can't be written to") != std::string::npos;
        })) == 0);
  std::filesystem::permissions(folder.path, std::filesystem::perms{0700});
}

TEST_CASE("files are for their owner only, and what is in the folder besides is left alone") {
  temporary_folder folder;
  write_file(folder.path / "generation.7", "mine");
  write_file(folder.path / "generation.0000000000000000000x", "mine");
  auto const store = open_in(folder.name());
  auto r = starts(1);
  auto c = store->claim("billing", {{"orders", 0}}, r, soon()).at(0);
  for (int i = 0; i < 5; ++i, c.next = c.next.next())
    CHECK(contract::advance(*store, {to(c, c.next.value() + 1)}) == all{outcome::applied});
  CHECK((fs::status(newest_file(folder.path)).permissions() & fs::perms::mask) == fs::perms{0600});
  CHECK(std::distance(fs::directory_iterator{folder.path}, {}) == 4);
  CHECK(content_of(folder.path / "generation.7") == "mine");
}

TEST_CASE("a store has an id of its own that stays") {
  temporary_folder one, two;
  auto const id = open_in(one.name())->local_id();
  REQUIRE(id);
  CHECK(id->size() == 32);
  CHECK(open_in(one.name())->local_id() == id);
  CHECK(open_in(two.name())->local_id() != id);
  CHECK(open_in(one.name())->mirror());
}

TEST_CASE("a damaged newest file is an error that names it; an older one never takes its place") {
  temporary_folder folder;
  auto r = starts(1);
  {
    auto const store = open_in(folder.name());
    auto const c = store->claim("billing", {{"orders", 0}}, r, soon());
    CHECK(contract::advance(*store, {to(c[0], 10)}) == all{outcome::applied});
  }
  auto const newest = newest_file(folder.path);
  auto const good = content_of(newest);
  auto const bad = GENERATE_COPY(good.substr(0, good.size() / 2), std::string{}, good + "x",
                                 good.substr(0, 40) + static_cast<char>(good[40] ^ 1) + good.substr(41));
  write_file(newest, bad);
  CHECK(code_of([&] { open_in(folder.name()); }) == sl::errc::store_damaged);
  CHECK_THAT(text_of([&] { open_in(folder.name()); }),
             ContainsSubstring(newest.string()) && ContainsSubstring("put it back from a backup"));
  CHECK(content_of(newest) == bad);
  SECTION("put back") {
    write_file(newest, good);
    CHECK(open_in(folder.name())->claim("billing", {{"orders", 0}}, r, soon())[0].next == offset{10});
  }
  SECTION("moved away, the one before it counts") {
    fs::remove(newest);
    CHECK(open_in(folder.name())->claim("billing", {{"orders", 0}}, r, soon())[0].next == offset{0});
  }
}

TEST_CASE("damage is told to a store that is open, and mended it goes on") {
  temporary_folder folder;
  auto r = starts(1);
  auto const store = open_in(folder.name());
  auto const c = store->claim("billing", {{"orders", 0}}, r, soon());
  auto const newest = newest_file(folder.path);
  auto const later = folder.path / "generation.00000000000000000099";
  fs::copy_file(newest, later);
  write_file(later, "junk");
  CHECK(code_of([&] { contract::advance(*store, {to(c[0], 10)}); }) == sl::errc::store_damaged);
  fs::remove(later);
  CHECK(contract::advance(*store, {to(c[0], 10)}) == all{outcome::applied});
}

TEST_CASE("a later version's file is left as it is") {
  temporary_folder folder;
  open_in(folder.name());
  auto const newest = newest_file(folder.path);
  auto bytes = content_of(newest);
  bytes[8] = 2;
  auto const crc = sl::detail::crc32c(bytes.substr(16), sl::detail::crc32c(bytes.substr(0, 12)));
  for (std::size_t i = 0; i < 4; ++i) bytes[12 + i] = static_cast<char>(crc >> (8 * i));
  write_file(newest, bytes);
  CHECK(code_of([&] { open_in(folder.name()); }) == sl::errc::store_newer);
  CHECK(content_of(newest) == bytes);
}

TEST_CASE("files that vanish under an open store are no fresh start") {
  temporary_folder folder;
  auto r = starts(1);
  auto const store = open_in(folder.name());
  auto const c = store->claim("billing", {{"orders", 0}}, r, soon());
  for (auto const& entry : fs::directory_iterator{folder.path}) fs::remove_all(entry.path());
  CHECK(code_of([&] { contract::advance(*store, {to(c[0], 10)}); }) == sl::errc::store_unavailable);
  CHECK(fs::is_empty(folder.path));
}

TEST_CASE("what dead writers left behind is removed, what living ones write is not") {
  temporary_folder folder;
  write_file(folder.path / "temporary.dead", "x");
  write_file(folder.path / "temporary.alive", "x");
  sl::detail::unique_fd const alive{::open((folder.path / "temporary.alive").c_str(), O_RDWR)};
  REQUIRE(::flock(alive.get(), LOCK_EX) == 0);
  open_in(folder.name());
  CHECK_FALSE(fs::exists(folder.path / "temporary.dead"));
  CHECK(fs::exists(folder.path / "temporary.alive"));
}

TEST_CASE("nothing is written through a symbolic link") {
  temporary_folder folder, elsewhere;
  auto r = starts(1);
  auto const store = open_in(folder.name());
  auto const c = store->claim("billing", {{"orders", 0}}, r, soon());
  fs::create_directory_symlink(elsewhere.path, folder.path / "results");
  std::vector const moves{to(c[0], 10)};
  auto& tx = store->begin(moves, soon());
  tx.append("lines", {"orders", 0}, "x");
  store->advance(tx, moves, soon());
  CHECK(code_of([&] { store->commit(tx, soon()); }) == sl::errc::store_unavailable);
  CHECK(fs::is_empty(elsewhere.path));
  fs::remove(folder.path / "results");
  auto& again = store->begin(moves, soon());
  again.append("lines", {"orders", 0}, "x");
  store->advance(again, moves, soon());
  CHECK(store->commit(again, soon()) == outcome::applied);
}

TEST_CASE("no room is store_full, names the folder, and is no end") {
  temporary_folder folder;
  auto const fills = [&] {
    auto r = starts(1);
    auto const store = open_in(folder.name());
    auto const c = store->claim("billing", {{"orders", 0}}, r, soon());
    std::vector const moves{to(c[0], 10)};
    auto& tx = store->begin(moves, soon());
    tx.put("large", std::string(200'000, 'x'));
    store->advance(tx, moves, soon());
    auto text = text_of([&] { store->commit(tx, soon()); });
    if (text.find(folder.name()) == text.npos || text.find("make room") == text.npos) return false;
    auto& text_tx = store->begin(moves, soon());
    text_tx.append("lines", {"orders", 0}, std::string(200'000, 'x'));
    store->advance(text_tx, moves, soon());
    if (code_of([&] { store->commit(text_tx, soon()); }) != sl::errc::store_full) return false;
    auto& small = store->begin(moves, soon());
    small.append("lines", {"orders", 0}, "x\n");
    store->advance(small, moves, soon());
    return store->commit(small, soon()) == outcome::applied && sl::read_text(folder.name(), "lines") == "x\n";
  };
  SECTION("by the size that a file may have") {
    CHECK(ended(in_child([&] {
            ::signal(SIGXFSZ, SIG_IGN);
            rlimit const limit{100'000, 100'000};
            ::setrlimit(RLIMIT_FSIZE, &limit);
            return fills();
          })) == 0);
  }
  SECTION("by a small file system, where the test may make one") {
    if (::mount("tmpfs", folder.name().c_str(), "tmpfs", 0, "size=160k") != 0) return;
    CHECK(ended(in_child(fills)) == 0);
    CHECK(::umount(folder.name().c_str()) == 0);
  }
}

TEST_CASE("what was acknowledged to a process that is killed is there") {
  temporary_folder folder;
  std::int64_t last = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    auto const child = in_child([&] {
      auto r = starts(1);
      auto const store = open_in(folder.name());
      auto c = store->claim("billing", {{"orders", 0}}, r, soon()).at(0);
      for (;;) {
        sl::move const m{c.of, c.next, c.next.next(), c.mine, c.log};
        auto& tx = store->begin({&m, 1}, soon());
        tx.append("lines", m.of, std::to_string(c.next.value()) + "\n");
        store->advance(tx, {&m, 1}, soon());
        if (store->commit(tx, soon()) != outcome::applied) return false;
        c.next = m.until;
        auto const told = c.next.value();
        if (::write(pipe[1], &told, sizeof told) != sizeof told) return false;
      }
    });
    ::close(pipe[1]);
    std::int64_t told = last;
    for (int i = 0; i <= round % 4; ++i) REQUIRE(::read(pipe[0], &told, sizeof told) == sizeof told);
    ::kill(child, SIGKILL);
    ended(child);
    for (std::int64_t more = 0; ::read(pipe[0], &more, sizeof more) == sizeof more;) told = more;
    ::close(pipe[0]);
    auto const stored = sl::read_generation(folder.name()).topics.at({"billing", "orders"}).at(0).next.value();
    CHECK((stored == told || stored == told + 1));
    std::string lines;
    for (std::int64_t i = 0; i < stored; ++i) lines += std::to_string(i) + "\n";
    CHECK(sl::read_text(folder.name(), "lines") == lines);
    last = stored;
  }
  CHECK(std::ranges::count_if(fs::directory_iterator{folder.path}, [](auto const& e) {
          return e.path().filename().string().starts_with("temporary.");
        }) <= 1);
}

TEST_CASE("two processes that publish at once lose nothing") {
  temporary_folder folder;
  auto const work = [&](int partition) {
    return [&folder, partition] {
      auto r = starts(2);
      auto const store = open_in(folder.name());
      auto c = store->claim("billing", {{"orders", partition}}, r, soon()).at(0);
      for (int i = 0; i < 40;) {
        sl::move const m{c.of, c.next, c.next.next(), c.mine, c.log};
        auto& tx = store->begin({&m, 1}, soon());
        auto const n = tx.get_text("total");
        tx.put("total", std::to_string((n ? std::stoi(std::string{*n}) : 0) + 1));
        tx.append("lines", m.of, "x");
        store->advance(tx, {&m, 1}, soon());
        auto const o = store->commit(tx, soon());
        if (o == outcome::unknown) return false;
        if (o == outcome::refused) continue;
        c.next = m.until;
        ++i;
      }
      return true;
    };
  };
  auto const a = in_child(work(0)), b = in_child(work(1));
  CHECK(ended(a) == 0);
  CHECK(ended(b) == 0);
  auto const state = sl::read_generation(folder.name());
  CHECK(state.values.at("total").content == "80");
  for (auto const& p : state.topics.at({"billing", "orders"})) CHECK(p.next == offset{40});
  CHECK(sl::read_text(folder.name(), "lines") == std::string(80, 'x'));
}

TEST_CASE("a stopped process wakes up and stores nothing over its successor") {
  temporary_folder folder;
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  auto const sleeper = in_child([&] {
    auto r = starts(1);
    auto const store = open_in(folder.name());
    auto const c = store->claim("billing", {{"orders", 0}}, r, soon()).at(0);
    if (::write(pipe[1], "c", 1) != 1) return false;
    ::raise(SIGSTOP);
    return contract::advance(*store, {to(c, 5)}) == all{outcome::refused};
  });
  char byte = 0;
  REQUIRE(::read(pipe[0], &byte, 1) == 1);
  int status = 0;
  REQUIRE(::waitpid(sleeper, &status, WUNTRACED) == sleeper);
  REQUIRE(WIFSTOPPED(status));
  auto r = starts(1);
  auto const store = open_in(folder.name());
  auto const c = store->claim("billing", {{"orders", 0}}, r, soon());
  CHECK(contract::advance(*store, {to(c[0], 3)}) == all{outcome::applied});
  ::kill(sleeper, SIGCONT);
  CHECK(ended(sleeper) == 0);
  CHECK(sl::read_generation(folder.name()).topics.at({"billing", "orders"}).at(0).next == offset{3});
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_CASE("what was released is nobody's") {
  temporary_folder folder;
  auto r = starts(1);
  auto const store = open_in(folder.name());
  auto const c = store->claim("billing", {{"orders", 0}}, r, soon());
  store->release(c, soon());
  CHECK(contract::advance(*store, {to(c[0], 10)}) == all{outcome::refused});
  auto nobody = to(c[0], 10);
  nobody.mine.nonce = 0;
  CHECK(contract::advance(*store, {nobody}) == all{outcome::refused});
}

TEST_CASE("rewinds are kept, the newest thousand of them") {
  temporary_folder folder;
  {
    sl::file_generation g = [&] {
      auto r = starts(1);
      open_in(folder.name())->claim("billing", {{"orders", 0}}, r, soon());
      return sl::read_generation(folder.name());
    }();
    for (int i = 0; i < 1000; ++i) g.jumps.push_back({"billing", {"orders", 0}, {}, {}, i, {}, std::to_string(i)});
    std::string bytes;
    encode(g, bytes);
    write_file(newest_file(folder.path), bytes);
  }
  auto const store = open_in(folder.name());
  auto r = starts(1);
  auto const c = store->claim("billing", {{"orders", 0}}, r, soon()).at(0);
  store->record({{c.of, offset{3}, c.mine, "seek"}}, soon());
  auto const jumps = sl::read_generation(folder.name()).jumps;
  REQUIRE(jumps.size() == 1000);
  CHECK(jumps.front().cause == "1");
  CHECK(jumps.back().cause == "seek");
  CHECK(jumps.back().to == offset{3});
  CHECK(jumps.back().group == "billing");
  CHECK(jumps.back().incarnation > c.log.incarnation);
}

TEST_CASE("no byte of a record or value is in an error") {
  temporary_folder folder;
  auto const store = open_in(folder.name());
  auto r = starts(1);
  auto const c = store->claim("billing", {{"orders", 0}}, r, soon());
  std::vector const moves{to(c[0], 10)};
  auto& tx = store->begin(moves, soon());
  CHECK_THAT(text_of([&] { tx.append(std::string(300, 'x') + "canary", {"orders", 0}, "canary"); }),
             !ContainsSubstring("canary"));
  CHECK_THAT(text_of([&] { tx.append("lines", {"orders", 9}, "canary"); }), !ContainsSubstring("canary"));
}
