#include <sluice/source/directory.hpp>

#include "source/watched_directory.hpp"

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
