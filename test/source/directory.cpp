#include <sluice/source/directory.hpp>

#include <sluice/offset_store/sqlite.hpp>

#include "source/consuming.hpp"

using namespace consuming;
namespace fs = std::filesystem;
using sl::directory_source;
using sl::offset;

namespace {

struct place {
  temporary_folder folder{};
  std::ostringstream told{};
  directory_source config{};

  place() {
    fs::create_directory(folder.path / "in");
    fs::create_directory(folder.path / "elsewhere");
    config.directory = (folder.path / "in").string();
    config.group = "g";
    config.settle = 0ms;
    config.scan_every = 10ms;
  }
  fs::path in(std::string const& name) const { return folder.path / "in" / name; }
  void put(std::string const& name, std::string const& content) const { write_file(in(name), content); }
  void rename_in(std::string const& name, std::string const& content) const {
    write_file(folder.path / "elsewhere" / name, content);
    fs::rename(folder.path / "elsewhere" / name, in(name));
  }
  template <class Delivery = sl::at_least_once, class... More>
  auto start(More const&... more) {
    return sl::stream_consumer<Delivery, sl::sqlite_offsets, directory_source, sl::log_to, More...>{
        config, sl::sqlite_offsets{folder.name() + "/offsets.db"}, sl::log_to{&told}, more...};
  }
  bool was_told(std::string const& what) const { return told.str().find(what) != std::string::npos; }
};

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

TEST_CASE("a file that still changes is waited for; one that is renamed in is not") {
  place p;
  p.config.settle = 1h;
  auto c = p.start();
  noted seen;
  p.put("growing", "half a li");
  for (int i = 0; i < 5; ++i) c.step(seen.handler(), 20ms);
  CHECK(seen.lines.empty());
  p.rename_in("whole", "w1\n");
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
  CHECK(seen.lines == texts{"w1"});
}

TEST_CASE("a file that does not change any more is read after settle") {
  place p;
  p.config.settle = 300ms;
  auto c = p.start();
  noted seen;
  auto const begun = std::chrono::steady_clock::now();
  p.put("a", "1\n");
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
  CHECK(std::chrono::steady_clock::now() - begun >= 250ms);
}

TEST_CASE("a change after a file was seen is told, and nothing of it is read twice") {
  place p;
  p.put("a", "a1\n");
  auto c = p.start();
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
  std::ofstream{p.in("a"), std::ios::app} << "a2\n";
  REQUIRE(until(c, seen.handler(), [&] { return p.was_told("a was changed after it was seen"); }));
  p.put("b", "b1\n");
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 2; }));
  CHECK(seen.lines == texts{"a1", "b1"});
}

TEST_CASE("a rename within the directory is no new file; a new file of an old name is") {
  place p;
  p.put("a", "a1\n");
  auto c = p.start();
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
  fs::rename(p.in("a"), p.in("moved"));
  p.rename_in("a", "second a\n");
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 2; }));
  for (int i = 0; i < 5; ++i) c.step(seen.handler(), 20ms);
  CHECK(seen.lines == texts{"a1", "second a"});
}

TEST_CASE("renamed and then changed it is a new file: it might have got the inode of one that was removed") {
  place p;
  p.put("a", "a1\n");
  auto c = p.start();
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
  fs::rename(p.in("a"), p.in("b"));
  std::ofstream{p.in("b"), std::ios::app} << "a2\n";
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 3; }));
  CHECK(seen.lines == texts{"a1", "a1", "a2"});
}

TEST_CASE("a file that is lost before it was read: an error, or left out") {
  place p;
  std::string content;
  for (int i = 0; i < 10; ++i) content += std::to_string(i) + "\n";
  for (bool const shrinks : {false, true}) {
    p.put("a", content);
    fs::last_write_time(p.in("a"), fs::file_time_type::clock::now() - 1s * (shrinks ? 2 : 1));
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
    p.put("b" + std::to_string(shrinks), "b\n");
    p.config.on_lost_file = sl::lost_file::skip;
    {
      auto c = p.start();
      noted seen;
      REQUIRE(until(c, seen.handler(), [&] { return std::count(seen.lines.begin(), seen.lines.end(), "b") == 1; }));
      CHECK(until(c, seen.handler(), [&] { return p.was_told("they are left out"); }));
    }
    p.config.on_lost_file = sl::lost_file::stop;
    fs::remove(p.in("a"));
  }
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

TEST_CASE("what is older than remember is left out, and forgotten when it was read") {
  place p;
  p.config.remember = 3600s;
  p.put("ancient", "no\n");
  fs::last_write_time(p.in("ancient"), fs::file_time_type::clock::now() - 2h);
  noted seen;
  {
    auto c = p.start();
    p.put("new", "yes\n");
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
    CHECK(p.was_told("1 files are older than .remember"));
  }
  auto const journal = [&] {
    std::string newest;
    for (auto const& f : fs::directory_iterator(p.folder.path / "in" / ".sluice.g"))
      if (f.path().filename().string().starts_with("journal.")) newest = content_of(f.path());
    return newest;
  };
  CHECK(journal().find(" new\n") != std::string::npos);
  p.config.remember = 1s;
  fs::last_write_time(p.in("new"), fs::file_time_type::clock::now() - 1h);
  auto c = p.start();
  p.put("third", "3\n");
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 2; }));
  std::this_thread::sleep_for(1100ms);
  REQUIRE(until(c, seen.handler(), [&] { return journal().find(" third\n") == std::string::npos; }));
  CHECK(journal().find(" new\n") == std::string::npos);
}

TEST_CASE("what was read and forgotten is not new again when more is remembered, or the clock was set back") {
  place p;
  p.config.remember = 3600s;
  p.put("a", "1\n");
  fs::last_write_time(p.in("a"), fs::file_time_type::clock::now() - 30min);
  noted seen;
  for (auto const remember : {3600s, 60s, 3600s}) {
    p.config.remember = remember;
    auto c = p.start();
    auto const before = seen.lines.size();
    auto const name = "b" + std::to_string(before);
    p.put(name, name + "\n");
    REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty() && seen.lines.back() == name; }));
    for (int i = 0; i < 5; ++i) c.step(seen.handler(), 20ms);  // looks at it again, all of it stored
  }
  CHECK(std::count(seen.lines.begin(), seen.lines.end(), "1") == 1);
  CHECK(seen.lines.size() == 4);
}

TEST_CASE("a device that has another number after a restart of the machine makes no file new") {
  place p;
  p.put("a", "a1\na2\n");
  noted seen;
  {
    auto c = p.start(sl::micro_batch{.max_records = 1});
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
  }
  for (auto const& f : fs::directory_iterator(p.folder.path / "in" / ".sluice.g")) {
    if (!f.path().filename().string().starts_with("journal.")) continue;
    auto state = sl::detail::read_journal(content_of(f.path())).value();
    REQUIRE(state.files.size() == 1);
    ++state.files[0].device;
    write_file(f.path(), sl::detail::to_text(state));
  }
  auto c = p.start();
  p.put("b", "b1\n");
  REQUIRE(until(c, seen.handler(), [&] { return std::count(seen.lines.begin(), seen.lines.end(), "b1") == 1; }));
  std::ofstream{p.in("b"), std::ios::app} << "b2\n";
  REQUIRE(until(c, seen.handler(), [&] { return p.was_told("b was changed after it was seen"); }));
  CHECK(seen.lines == texts{"a1", "a2", "b1"});
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
