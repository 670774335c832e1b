#include <sluice/source/directory_scan.hpp>

#include "source/watched_directory.hpp"

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

TEST_CASE("two names of one file are one file, in one look and in two") {
  place p;
  p.put("a", "a1\na2\n");
  fs::create_hard_link(p.in("a"), p.in("b"));
  auto c = p.start(sl::micro_batch{.max_records = 10});
  noted seen;
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() >= 2; }));
  fs::create_hard_link(p.in("a"), p.in("c"));
  p.put("d", "d1\n");
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() >= 3; }));
  CHECK(seen.lines == texts{"a1", "a2", "d1"});
  CHECK(seen.offsets == std::vector<std::int64_t>{0, 3, 6});
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
