#include <sluice/offset_store/sqlite.hpp>

#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "../seed.hpp"
#include "sql_cases.hpp"
#include "sqlite_support.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using fixture = sqlite_fixture;

std::string contents(std::string const& file) {
  std::ostringstream out;
  out << std::ifstream{file, std::ios::binary}.rdbuf();
  return out.str();
}

/// A process that takes the write lock of `file` and stops there, as one does that was paused in its transaction.
class stopped_process {
  pid_t pid_;

 public:
  explicit stopped_process(std::string const& file) : pid_(::fork()) {
    if (pid_ == 0) {
      plain db{file};
      db.rows("begin immediate");
      std::raise(SIGSTOP);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid_, &status, WUNTRACED);
  }
  stopped_process(stopped_process const&) = delete;
  stopped_process& operator=(stopped_process const&) = delete;
  ~stopped_process() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
};

}  // namespace

TEST_CASE("sqlite_offsets keeps the contract of stores") { contract::holds<fixture>(); }

TEST_CASE("what the configuration can't be is told with its key and a remedy") {
  fixture f;
  auto const config = f.config;
  auto const refused = [&] { return error_of([&] { f.open(); }); };

  for (auto const* name : {"", "a b", "1a", "a;b", "a\"b", "sqlite_mine", "caf\xc3\xa9"}) {
    f.config = config;
    f.config.table = name;
    CHECK(refused().code == sl::errc::bad_configuration);
    CHECK_THAT(refused().text, ContainsSubstring("sqlite_offsets.table"));
  }
  f.config.table = std::string(64, 'a');
  CHECK(refused().code == sl::errc::bad_configuration);
  for (auto const& name : {std::string(63, 'a'), std::string("order")}) {  // the second: a word of SQL's
    f.config.table = name;
    CHECK(refused().text.empty());
  }
}

TEST_CASE("a table that is somebody else's is left alone") {
  fixture f;
  rows(f.config.path, "create table sluice_offsets (mine); insert into sluice_offsets values (7)");
  auto const e = error_of([&] { f.open(); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("sluice_offsets.table") || ContainsSubstring("sqlite_offsets.table"));
  CHECK(f.look("select * from sluice_offsets") == texts{"7"});
  f.config.table = "others";
  f.open();
}

TEST_CASE("a file of a newer format is refused and left as it was") {
  fixture f;
  f.open();
  f.look("update sluice_offsets_meta set value = '2' where name = 'format'");
  auto const before = contents(f.config.path);
  auto const e = error_of([&] { f.open(); });
  CHECK(e.code == sl::errc::store_newer);
  CHECK(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring(f.config.path));
  CHECK(contents(f.config.path) == before);

  f.look("update sluice_offsets_meta set value = 'rubbish' where name = 'format'");
  CHECK(error_of([&] { f.open(); }).code == sl::errc::store_damaged);
}

TEST_CASE("a damaged file is told") {
  fixture f;
  SECTION("not a database") {
    std::ofstream{f.config.path} << std::string(5000, 'x');
    auto const e = error_of([&] { f.open(); });
    CHECK(e.code == sl::errc::store_damaged);
    CHECK(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring(f.config.path));
    CHECK(contents(f.config.path) == std::string(5000, 'x'));
  }
  SECTION("pages overwritten") {
    auto r = resolver{{{"orders", std::vector<offset>(2000, offset{1})}}};
    claim(*f.open(), "billing", partitions("orders", {0}), r);
    auto const size = std::filesystem::file_size(f.config.path);
    REQUIRE(size > 3 * 4096);
    std::fstream file{f.config.path, std::ios::binary | std::ios::in | std::ios::out};
    for (std::uintmax_t at = 4096; at < size; at += 4096) {
      file.seekp(static_cast<std::streamoff>(at));
      file << std::string(300, 'x');
    }
    file.close();
    auto const e = error_of([&] {
      auto const s = f.open();
      claim(*s, "billing", partitions("orders", up_to(2000)), r);
    });
    CHECK(e.code == sl::errc::store_damaged);
    CHECK(e.of_store);
  }
}

TEST_CASE("the local id is the file's own") {
  fixture f, other;
  auto const id = f.open()->local_id();
  REQUIRE(id);
  CHECK(id->size() == 32);
  CHECK(f.open()->local_id() == id);
  CHECK(other.open()->local_id() != id);
}

TEST_CASE("a stopped process that holds the lock makes the others answer in time, and does not stop them for good") {
  fixture f;
  f.config.lock_timeout = 100ms;
  auto [r, set, s, c] = claim_orders(f);
  {
    stopped_process const holder{f.config.path};
    auto const started = std::chrono::steady_clock::now();
    auto const busy = s->claim("billing", set, r, soon());
    CHECK(std::chrono::steady_clock::now() - started >= 100ms);
    CHECK(std::chrono::steady_clock::now() - started < 3s);
    REQUIRE(busy.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(busy[i].what == sl::claimed::busy);
      CHECK(busy[i].of == set[i]);
      CHECK_THAT(busy[i].why, ContainsSubstring(f.config.path) && ContainsSubstring("another process holds the lock"));
    }
    auto const rewound = s->record({{set[0], offset{1}, c[0].mine, "seek"}}, soon());
    CHECK(rewound[0].what == sl::claimed::busy);
    std::vector const moves{to(c[0], 15)};
    for (auto const& e : {error_of([&] { s->advance(moves, soon()); }), error_of([&] { s->begin(moves, soon()); })}) {
      CHECK(e.code == sl::errc::store_unavailable);
      CHECK(e.of_store);
      CHECK_THAT(e.text, ContainsSubstring(f.config.path) && ContainsSubstring("another process holds the lock"));
    }
    s->release(c, soon());
    f.config.lock_timeout = 1h;
    auto const by = std::chrono::steady_clock::now() + 100ms;
    CHECK(f.open()->claim("billing", set, r, by)[0].what == sl::claimed::busy);  // opening needs no lock
    CHECK(std::chrono::steady_clock::now() < by + 3s);
  }
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}

TEST_CASE("a commit whose fsync fails is unknown until it was settled") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};

  SECTION("an advance") {
    failing_disk::log_syncs_fail = 1;
    CHECK(advance(*s, moves) == all(2, outcome::unknown));
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::applied));
    CHECK(f.look("select next from sluice_offsets order by partition") == texts{"15", "25"});
  }
  SECTION("an advance of which a part is refused for certain") {
    auto const other = claim(*f.open(), "billing", {set[1]}, r);
    failing_disk::log_syncs_fail = 1;
    CHECK(advance(*s, moves) == all{outcome::unknown, outcome::refused});
    CHECK(copy(s->settle(moves, soon())) == all{outcome::applied, outcome::refused});
  }
  SECTION("settling that fails as well is unknown still") {
    failing_disk::log_syncs_fail = 3;
    CHECK(advance(*s, moves) == all(2, outcome::unknown));
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::unknown));
    failing_disk::log_syncs_fail = 0;
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::applied));
  }
  SECTION("settling for which the file can't be opened again is unknown still") {
    failing_disk::log_syncs_fail = 1;
    CHECK(advance(*s, moves) == all(2, outcome::unknown));
    failing_disk::no_opens = true;
    for (int i = 0; i < 2; ++i) CHECK(copy(s->settle(moves, soon())) == all(2, outcome::unknown));
    for (auto const& e : {error_of([&] { s->advance(moves, soon()); }), error_of([&] { s->begin(moves, soon()); }),
                          error_of([&] { s->claim("billing", set, r, soon()); }),
                          error_of([&] { s->record({{set[0], offset{1}, c[0].mine, "seek"}}, soon()); })}) {
      CHECK(e.of_store);
      CHECK(e.code == sl::errc::store_unavailable);
      CHECK_THAT(e.text, ContainsSubstring(f.config.path) && ContainsSubstring("can't be opened"));
    }
    failing_disk::no_opens = false;
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::applied));
  }
  SECTION("a transaction: its results are there if and only if settle says so") {
    auto& tx = s->begin(moves, soon());
    f.write(tx, "a");
    s->advance(tx, moves, soon());
    failing_disk::log_syncs_fail = 1;
    CHECK(s->commit(tx, soon()) == outcome::unknown);
    auto const o = copy(s->settle(moves, soon()));
    CHECK(o[0] == o[1]);
    CHECK(o[0] != outcome::unknown);
    bool const there = o[0] == outcome::applied;
    CHECK(f.results().size() == (there ? 1 : 0));
    CHECK(f.look("select next from sluice_offsets order by partition")[0] == (there ? "15" : "10"));
    if (!there) CHECK(transact(f, *s, "b", moves) == outcome::applied);
    s.reset();
    CHECK(f.results().size() == 1);
  }
  SECTION("a transaction that was rolled back in the failure is never stored without its results") {
    auto& tx = s->begin(moves, soon());
    f.write(tx, "a");
    s->advance(tx, moves, soon());
    failing_disk::log_syncs_fail = 3;  // the commit's, and two of closing and opening again
    CHECK(s->commit(tx, soon()) == outcome::unknown);
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::unknown));
    failing_disk::log_syncs_fail = 0;
    auto const o = copy(s->settle(moves, soon()));
    CHECK(f.results().size() == (o[0] == outcome::applied ? 1 : 0));
    CHECK(f.look("select next from sluice_offsets where partition = 0")[0] == (o[0] == outcome::applied ? "15" : "10"));
  }
  SECTION("a claim that fails so is asked again") {
    failing_disk::log_syncs_fail = 1;
    CHECK(s->claim("billing", set, r, soon())[0].what == sl::claimed::failed);
    auto const again = s->claim("billing", set, r, soon());
    CHECK(again[0].what == sl::claimed::stored);
    CHECK(advance(*s, {to(again[0], 15)}) == all{outcome::applied});
  }
  SECTION("records set aside come with the advance that settling repeats") {
    some_records letters{set[0]};
    letters.add(12, "k", "v");
    s->set_aside("", {letters[0], "broken", 1, {}});
    failing_disk::log_syncs_fail = 1;
    CHECK(advance(*s, moves) == all(2, outcome::unknown));
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::applied));
    CHECK(f.look("select \"offset\" from sluice_offsets_skipped") == texts{"12"});
  }
  SECTION("records set aside come with the settled advance, once") {
    some_records letters{set[0]};
    letters.add(12, "k", "v");
    s->set_aside("", {letters[0], "broken", 1, {}});
    failing_disk::log_syncs_fail = 3;
    CHECK(advance(*s, moves) == all(2, outcome::unknown));
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::unknown));
    failing_disk::log_syncs_fail = 0;
    s->set_aside("", {letters[0], "broken", 1, {}});
    CHECK(copy(s->settle(moves, soon())) == all(2, outcome::applied));
    CHECK(f.look("select \"offset\" from sluice_offsets_skipped") == texts{"12"});
    letters.add(16, "k", "v");
    s->set_aside("", {letters[1], "broken", 1, {}});
    auto next = to(c[0], 18);
    next.from = offset{15};
    CHECK(advance(*s, {next}) == all{outcome::applied});
    CHECK(f.look("select \"offset\" from sluice_offsets_skipped") == texts{"12", "16"});
  }
}

TEST_CASE("a full disk is told, and nothing is stored") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto const is_full = [](thrown const& e) { return e.code == sl::errc::store_full && e.of_store; };

  failing_disk::full = true;
  CHECK(is_full(error_of([&] { s->advance(moves, soon()); })));
  CHECK(is_full(error_of([&] { s->claim("billing", set, r, soon()); })));
  CHECK(is_full(error_of([&] {
    auto& tx = s->begin(moves, soon());
    f.write(tx, "gone");
    s->advance(tx, moves, soon());
    s->commit(tx, soon());
  })));
  failing_disk::full = false;
  CHECK(f.look("select next from sluice_offsets order by partition") == texts{"10", "20"});
  CHECK(transact(f, *s, "kept", moves) == outcome::applied);
  CHECK(f.results() == texts{"kept"});
}

TEST_CASE("the file's largest size is as good as a full disk, and no fault of the record") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f, {0});
  std::vector const moves{to(c[0], 15)};
  auto& tx = s->begin(moves, soon());
  f.write(tx, "small");
  sqlite3_exec(tx.native_handle(), "pragma max_page_count = 20", nullptr, nullptr, nullptr);
  auto const e = error_of([&] { tx.execute("insert into results values (?)", std::string(1 << 20, 'x')); });
  CHECK(e.code == sl::errc::store_full);
  CHECK(e.of_store);
  s->rollback(tx);
  CHECK(f.results().empty());
}

TEST_CASE("an advance that was acknowledged outlives kill -9") {
  fixture f;
  auto r = orders();
  auto const set = partitions("orders", {0});
  std::minstd_rand random{seed()};
  claim(*f.open(), "billing", set, r);
  for (int round = 0; round < 20; ++round) {
    int acknowledged[2];
    REQUIRE(::pipe(acknowledged) == 0);
    auto const child = ::fork();
    if (child == 0) {
      try {
        auto const s = f.open();
        auto const c = claim(*s, "billing", set, r);
        auto m = to(c[0], c[0].next.value() + 1);
        while (advance(*s, {m}) == all{outcome::applied}) {
          auto const until = m.until.value();
          if (::write(acknowledged[1], &until, sizeof until) < 0) break;
          m.from = m.until;
          m.until = m.until.next();
        }
      } catch (...) {}
      ::_exit(1);
    }
    ::close(acknowledged[1]);
    std::int64_t last = 0, next = 0;
    auto const kill_after = 1 + random() % 30;
    for (unsigned n = 0; ::read(acknowledged[0], &next, sizeof next) == sizeof next;) {
      last = next;
      if (++n == kill_after) ::kill(child, SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(acknowledged[0]);
    REQUIRE(WIFSIGNALED(status));
    auto const stood = claim(*f.open(), "billing", set, r)[0].next.value();
    CHECK(stood >= last);
    CHECK(stood <= last + 1);
  }
}

TEST_CASE("sqlite_offsets does what SQL stores must do") { sql_cases::hold<fixture>(); }
