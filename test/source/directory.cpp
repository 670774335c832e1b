#include <sluice/source/directory.hpp>

#include <sys/resource.h>

#include "sanitized.hpp"
#include "source/watched_directory.hpp"

namespace {

/// While it lives no descriptor can be had.
class no_descriptors {
  rlimit before_{};

 public:
  no_descriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit const none{3, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
};

/// Reads fail where this process has `path` open now. False: nowhere.
bool cut_off(fs::path const& path) {
  bool done = false;
  for (auto const& one : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(one, gone) != path) continue;
    sl::detail::unique_fd const unreadable{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    done = ::dup2(unreadable.get(), std::stoi(one.path().filename())) >= 0;
  }
  return done;
}

}  // namespace

TEST_CASE("each file once, each line a record; a restart goes on in the middle of a file") {
  place p;
  p.put("a", "a1\na2\r\n\na4");
  p.put(".hidden", "no\n");
  fs::create_directory(p.in("folder"));
  fs::create_symlink(p.in("a"), p.in("link"));
  noted seen;
  {
    auto c = p.start(sl::micro_batch{.max_records = 3});
    REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
  }
  CHECK(seen.lines == texts{"a1", "a2", ""});
  p.put("b", "b1\n");
  {
    auto c = p.start();
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 5; }));
    p.put("empty", "");
    p.put("c", "c1\nc2\n");
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 7; }));
  }
  CHECK(seen.lines == texts{"a1", "a2", "", "a4", "b1", "c1", "c2"});
  CHECK(seen.offsets == std::vector<std::int64_t>{0, 3, 7, 8, 10, 13, 16});
  auto c = p.start<sl::transactional>();
  p.put("d", "d1\n");
  REQUIRE(until(c, [&](sl::batch const& b, auto&) { seen.handler()(b); }, [&] { return seen.lines.size() == 8; }));
  CHECK(seen.lines.back() == "d1");
}

TEST_CASE("a file that is lost before it was read: an error, or left out") {
  std::string content;
  for (int i = 0; i < 10; ++i) content += std::to_string(i) + "\n";
  for (bool const shrinks : {false, true}) {
    place p;
    p.put("a", content);
    fs::last_write_time(p.in("a"), fs::file_time_type::clock::now() - 1s);
    {
      auto c = p.start(sl::micro_batch{.max_records = 1});
      noted seen;
      REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
    }
    if (shrinks)
      fs::resize_file(p.in("a"), 5);
    else
      fs::remove(p.in("a"));
    {
      auto c = p.start();
      std::string said;
      for (int i = 0; i < 100 && said.empty(); ++i) {
        try {
          c.step([](sl::batch const&) {}, 20ms);
        } catch (sl::error const& e) {
          said = e.what();
          CHECK(e.code() == sl::errc::position_missing);
        }
      }
      CHECK(said.find("a: it ") != std::string::npos);
      CHECK(said.find(" bytes were not read") != std::string::npos);
    }
    p.put("b", "b\n");
    p.config.on_lost_file = sl::lost_file::skip;
    {
      auto c = p.start();
      noted seen;
      REQUIRE(until(c, seen.handler(), [&] { return std::count(seen.lines.begin(), seen.lines.end(), "b") == 1; }));
      CHECK(until(c, seen.handler(), [&] { return p.was_told("they are left out"); }));
    }
  }
}

TEST_CASE("a file that can't be opened now is not lost, nor is one that can't be looked for") {
  if (sanitized::addresses) return;  // it reads an object's type through a pipe, which takes two descriptors
  for (auto const policy : {sl::lost_file::stop, sl::lost_file::skip}) {
    place p;
    p.config.on_lost_file = policy;
    auto const at = [&](std::string const& name, std::chrono::seconds ago) {
      p.put(name, name + "1\n" + name + "2\n");
      fs::last_write_time(p.in(name), fs::file_time_type::clock::now() - ago);
    };
    at("a", 9s), at("b", 8s), at("c", 7s), at("d", 6s);
    noted seen;
    {
      auto c = p.start(sl::micro_batch{.max_records = 1});
      REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
    }
    if (policy == sl::lost_file::skip) fs::remove(p.in("c"));
    auto c = p.start(sl::micro_batch{.max_records = 1});
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() >= 2; }));
    auto const fails = [&](std::string const& name) {
      no_descriptors const now;
      for (int i = 0; i < 3; ++i) {
        CHECK(code_of([&] { c.step(seen.handler()); }) == sl::errc::store_unavailable);
        CHECK(complaint([&] { c.step(seen.handler()); }) ==
              "sluice: can't read " + name + " in " + p.config.directory + ": Too many open files");
      }
    };
    fails("b");
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() >= 4; }));
    fails("c");
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.back() == "d2"; }));
    auto all = texts{"a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2"};
    if (policy == sl::lost_file::skip) std::erase_if(all, [](auto const& line) { return line[0] == 'c'; });
    CHECK(seen.lines == all);
  }
}

TEST_CASE("a read that fails is tried again, on the file opened anew") {
  place p;
  p.config.on_lost_file = sl::lost_file::skip;
  std::string content;
  for (int i = 0; i < 10'000; ++i) content += std::to_string(i) + std::string(90, 'x') + "\n";
  p.put("a", content);
  auto c = p.start(sl::micro_batch{.max_records = 1000});
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
  REQUIRE(cut_off(p.in("a")));
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 10'000; }));
}

TEST_CASE("what was passed by before a file that can't be opened is told once") {
  if (sanitized::addresses) return;  // it reads an object's type through a pipe, which takes two descriptors
  place p;
  p.config.max_record = 1000;
  p.put("a", "1\n" + std::string(1001, 'x') + "\n");
  p.put("b", "2\n");
  fs::last_write_time(p.in("a"), fs::file_time_type::clock::now() - 9s);
  auto c = p.start(sl::micro_batch{.max_records = 1});
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
  for (int i = 0; i < 5; ++i) {
    no_descriptors const now;
    (void)code_of([&] { c.step(seen.handler()); });
  }
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 2; }));
  c.step(seen.handler());  // tells
  auto const text = p.told.str();
  auto const told = text.find("longer than .max_record");
  REQUIRE(told != text.npos);
  CHECK(text.find("longer than .max_record", told + 1) == text.npos);
}

TEST_CASE("on another file system than at the start the directory has lost nothing") {
  place p;
  p.config.on_lost_file = sl::lost_file::skip;
  p.config.journal = p.folder.name() + "/journal";
  p.config.directory = p.folder.name() + "/mounted";
  fs::create_symlink(p.folder.path / "in", p.config.directory);
  p.put("a", "a1\n");
  p.put("b", "b1\n");
  fs::last_write_time(p.in("a"), fs::file_time_type::clock::now() - 9s);
  auto c = p.start(sl::micro_batch{.max_records = 1});
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
  auto const mount = [&](fs::path const& what) {
    fs::create_symlink(what, p.folder.path / "other");
    fs::rename(p.folder.path / "other", p.config.directory);
    std::this_thread::sleep_for(20ms);
  };
  mount("/proc/self/task");
  CHECK(complaint([&] { c.step(seen.handler()); }).find("can't read b in ") != std::string::npos);
  CHECK(code_of([&] { c.step(seen.handler()); }) == sl::errc::store_unavailable);
  mount(p.folder.path / "in");
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 2; }));
  CHECK(seen.lines == texts{"a1", "b1"});
}

TEST_CASE("renamed before it was read it is found, though a new file has its name") {
  place p;
  p.put("a", "a1\na2\n");
  noted seen;
  {
    auto c = p.start(sl::micro_batch{.max_records = 1});
    REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
  }
  fs::rename(p.in("a"), p.in("a.1"));
  p.rename_in("a", "new\n");
  auto c = p.start();
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 3; }));
  CHECK(seen.lines == texts{"a1", "a2", "new"});
}

TEST_CASE("a journal of before that has one file twice: it is read to its end twice") {
  place p;
  p.put("a", "a1\na2\n");
  noted seen;
  {
    auto c = p.start(sl::micro_batch{.max_records = 1});
    REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
  }
  fs::create_hard_link(p.in("a"), p.in("b"));
  for (auto const& f : fs::directory_iterator(p.folder.path / "in" / ".sluice.g")) {
    if (!f.path().filename().string().starts_with("journal.")) continue;
    auto state = sl::detail::read_journal(content_of(f.path())).value();
    REQUIRE(state.files.size() == 1);
    state.files.push_back(state.files[0]);
    state.files[1].first = std::exchange(state.end, state.end + state.files[1].size);
    state.files[1].name = "b";
    write_file(f.path(), sl::detail::to_text(state));
  }
  auto c = p.start(sl::micro_batch{.max_records = 10});
  p.put("c", "c1\n");
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() >= 5; }));
  CHECK(seen.lines == texts{"a1", "a2", "a1", "a2", "c1"});
}

TEST_CASE("a file that changes while it is read is no longer what was seen") {
  place p;
  std::string const line = std::string(99, 'x') + "\n";
  std::string content;
  for (int i = 0; i < 10'000; ++i) content += line;
  p.put("a", content);
  auto c = p.start(sl::micro_batch{.max_records = 10});
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() >= 10; }));
  std::ofstream{p.in("a"), std::ios::app} << line;
  std::optional<sl::errc> said;
  for (int i = 0; i < 1500 && !said; ++i) said = code_of([&] { c.step(seen.handler(), 5ms); });
  CHECK(said == sl::errc::position_missing);
  CHECK(seen.lines.size() < 10'000);
}

TEST_CASE("a directory that vanishes is told and waited for") {
  place p;
  auto c = p.start();
  fs::rename(p.folder.path / "in", p.folder.path / "away");
  REQUIRE(until(c, [](sl::batch const&) {}, [&] { return p.was_told("the directory can't be read"); }));
  fs::rename(p.folder.path / "away", p.folder.path / "in");
  p.put("a", "1\n");
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
}

TEST_CASE("a line that is too long is left out and told, the others are read, at the file's end too") {
  place p;
  p.config.max_record = 1000;
  p.put("a", "1\n" + std::string(1001, 'x') + "\n2\n" + std::string(1000, 'y') + "\n" + std::string(3'000'000, 'z') +
                 "\n3\n" + std::string(2000, 'e'));
  p.config.until = sl::read_until::end();
  auto c = p.start();
  noted seen;
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines == texts{"1", "2", std::string(1000, 'y'), "3"});
  auto const text = p.told.str();
  std::size_t told = 0;
  for (auto at = text.find("longer than .max_record"); at != text.npos;
       at = text.find("longer than .max_record", at + 1))
    ++told;
  CHECK(told == 3);
}

TEST_CASE("a position within a line is no record's: what is left of the line is none") {
  place p;
  p.config.max_record = 1000;
  p.put("a", "good\n" + std::string(262'600, 'z') + "\nlast\n");
  noted seen;
  p.config.until = sl::read_until::offset(offset{100'000});
  {
    auto c = p.start();
    REQUIRE(to_the_end(c, seen.handler()));
  }
  p.config.until = {};
  CHECK(seen.lines == texts{"good"});
  auto c = p.start();
  REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty() && seen.lines.back() == "last"; }));
  CHECK(seen.lines == texts{"good", "last"});
  c.seek({"files", 0}, offset{2});
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() > 2; }));
  CHECK(seen.lines == texts{"good", "last", "last"});
}

TEST_CASE("the journal: one consumer; deleted, it is found out") {
  place p;
  p.put("a", "1\n");
  noted seen;
  {
    auto c = p.start();
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
    CHECK(code_of([&] { p.start(); }) == sl::errc::store_unavailable);
  }
  fs::remove_all(p.in(".sluice.g"));
  auto c = p.start();
  CHECK(code_of([&] { c.step(seen.handler(), 50ms); }) == sl::errc::position_truncated);
}

TEST_CASE("start latest leaves out what is there; a suffix chooses; bad input") {
  place p;
  p.config.start = sl::start_at::latest;
  p.config.suffix = ".log";
  p.put("old.log", "old\n");
  {
    auto c = p.start();
    noted seen;
    c.step(seen.handler());
    p.put("new.txt", "no\n");
    p.put("new.log", "new\n");
    REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
    CHECK(seen.lines == texts{"new"});
  }
  p.config.directory = p.folder.name() + "/nowhere";
  CHECK(code_of([&] { p.start(); }) == sl::errc::bad_configuration);
  p.config.directory.clear();
  CHECK(code_of([&] { p.start(); }) == sl::errc::bad_configuration);
}

static_assert(sl::local_log<sl::directory_log<void>>);
