#include <sluice/offset_store/checkpoint.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "batches.hpp"
#include "checkpoint_support.hpp"

namespace {

using contract::resolver;
using contract::soon;
using sl::offset;
using sl::outcome;
using worker = checkpoint_worker;

static_assert(sl::offset_store<sl::checkpoint::runtime>);
static_assert(sl::transactional_store<sl::checkpoint::runtime>);
static_assert(sl::sets_aside<sl::checkpoint::runtime>);

void damage(fs::path const& file, std::size_t at) {
  auto text = content_of(file);
  REQUIRE(at < text.size());
  text[at] = static_cast<char>(text[at] ^ 16);
  write_file(file, text);
}

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

}  // namespace

TEST_CASE("checkpoint keeps the contract of stores") { contract::holds<checkpoint_fixture>(); }

TEST_CASE("a folder that can't hold a checkpoint is refused, with the remedy") {
  temporary_folder folder;
  for (auto const& directory : {std::string{}, folder.name() + "/none"}) {
    auto const e = error_of([&] { open_checkpoint({.directory = directory}); });
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("checkpoint.directory") && ContainsSubstring("name a"));
  }
  auto const e = error_of([&] { open_checkpoint({.directory = folder.name(), .interval = std::chrono::seconds{-1}}); });
  CHECK_THAT(e.text, ContainsSubstring("checkpoint.interval is negative"));
  sl::file_offsets::open({.directory = folder.name()}, sl::context{.group = "billing"});
  auto const before = contents_of(folder.path);
  for (auto const what : {sl::on_damage::stop, sl::on_damage::start_anew}) {
    auto const of_files = error_of([&] { open_checkpoint({.directory = folder.name(), .on_damage = what}); });
    CHECK(of_files.code == sl::errc::bad_configuration);
    CHECK_THAT(of_files.text, ContainsSubstring("was made by file_offsets; name another folder"));
  }
  for (auto const& [name, content] : before) CHECK(content_of(folder.path / name) == content);
}

TEST_CASE("a checkpoint goes on where it was, and a batch writes what it changed") {
  temporary_folder folder;
  std::string const large(100'000, 'x');
  {
    worker w{{.directory = folder.name()}};
    CHECK(w.put("ka", large) == outcome::applied);
    CHECK(w.put("kb", "1") == outcome::applied);
    CHECK(fs::file_size(segments_in(folder.path).at(0)) + fs::file_size(segments_in(folder.path).at(1)) < 101'000);
    CHECK(fs::file_size(newest_generation(folder.path)) < 1'000);
  }
  worker w{{.directory = folder.name()}};
  CHECK(w.mine.what == sl::claimed::stored);
  CHECK(w.mine.next == offset{2});
  CHECK(w.get("ka") == large);
  CHECK(w.get("kb") == "1");
  CHECK(w.get("kc") == "-");
  for (auto const& file : files_in(folder.path / "segments", ""))
    CHECK((fs::status(file).permissions() & fs::perms::mask) == fs::perms{0600});
}

TEST_CASE("many batches leave few files, and none that nobody needs") {
  temporary_folder folder;
  std::map<std::string, std::string> wanted;
  {
    worker w{{.directory = folder.name()}};
    for (int i = 0; i < 300; ++i) {
      auto const key = "k" + std::to_string(i * 7919 % 97), value = std::to_string(i);
      if (i % 5 == 4) {
        wanted.erase(key);
        CHECK(w.batch([&](auto& tx, std::int64_t) {
          worker::rows_of(tx, "counts")
              .write(std::vector<sl::detail::state_row>{{.of = &w.mine.of, .key = key, .there = false}});
        }) == outcome::applied);
      } else {
        wanted[key] = value;
        CHECK(w.put(key, value) == outcome::applied);
      }
    }
    CHECK(segments_in(folder.path).size() < 60);
    for (int k = 0; k < 97; ++k) {
      auto const key = "k" + std::to_string(k);
      CHECK(w.get(key) == (wanted.contains(key) ? wanted[key] : "-"));
    }
  }
  worker again{{.directory = folder.name()}};
  auto const state = sl::read_checkpoint(folder.name());
  CHECK(segments_in(folder.path).size() == state.segments.size() + state.retired.size());
  std::uint64_t rows = 0;
  for (auto const& s : state.segments) rows += s.rows;
  CHECK(rows < 300);  // removed rows went with what they removed
}

TEST_CASE("a damaged generation is an error that names it and the way back, and nothing is gone back to silently") {
  temporary_folder folder;
  {
    worker w{{.directory = folder.name()}};
    for (int i = 0; i < 3; ++i) w.put("ka", std::to_string(i));
  }
  auto const newest = newest_generation(folder.path);
  damage(newest, fs::file_size(newest) / 2);
  auto const before = contents_of(folder.path);
  auto const e = error_of([&] { open_checkpoint({.directory = folder.name()}); });
  CHECK(e.code == sl::errc::store_damaged);
  CHECK_THAT(e.text,
             ContainsSubstring(newest.string()) && ContainsSubstring("the file with the number before it counts"));
  CHECK(contents_of(folder.path) == before);
  fs::rename(newest, folder.path / "moved away");
  worker w{{.directory = folder.name()}};
  CHECK(w.mine.next == offset{2});
  CHECK(w.get("ka") == "1");
}

TEST_CASE("a damaged, short or missing segment is told by name, when it is opened or when it is read") {
  temporary_folder folder;
  {
    worker w{{.directory = folder.name()}};
    for (int i = 0; i < 3; ++i) w.put("k" + std::to_string(i), std::string(10'000, 'x'));
  }
  auto const file = segments_in(folder.path).at(1);
  auto const good = content_of(file);
  auto const told = [&](std::string const& what) {
    auto const e = error_of([&] {
      worker w{{.directory = folder.name()}};
      for (int i = 0; i < 3; ++i) w.get("k" + std::to_string(i));
    });
    INFO(what);
    CHECK(e.code == sl::errc::store_damaged);
    CHECK(e.of_store);
    CHECK_THAT(e.text,
               ContainsSubstring(file.string()) && ContainsSubstring("backup") && ContainsSubstring("start_anew"));
  };
  for (auto const cut : {good.size() - 1, good.size() / 2, std::size_t{0}}) {
    write_file(file, good.substr(0, cut));
    told("cut");
  }
  write_file(file, good + "x");
  told("longer");
  for (std::size_t at = 0; at < good.size(); at += 97) {
    write_file(file, good);
    damage(file, at);
    told("byte " + std::to_string(at));
  }
  fs::remove(file);
  told("missing");
  write_file(file, good);
  worker w{{.directory = folder.name()}};
  CHECK(w.get("k1") == std::string(10'000, 'x'));
}

TEST_CASE("start_anew sets damaged files aside, says so, and begins without them") {
  temporary_folder folder;
  {
    worker w{{.directory = folder.name()}};
    for (int i = 0; i < 3; ++i) w.put("k" + std::to_string(i), std::string(10'000, 'x'));
  }
  std::vector<std::string> lines;
  sl::context const around{.group = "billing", .log = [&](int level, std::string_view line) {
                             lines.push_back(std::to_string(level) + " " + std::string{line});
                           }};
  sl::checkpoint const with{.directory = folder.name(), .on_damage = sl::on_damage::start_anew};
  open_checkpoint(with, around);
  CHECK(lines.empty());  // nothing is damaged
  auto const file = GENERATE(0, 1) ? newest_generation(folder.path) : segments_in(folder.path).at(1);
  damage(file, 3000 % fs::file_size(file));
  auto const before = contents_of(folder.path);
  {
    auto const store = open_checkpoint(with, around);
    resolver r{{{"orders", {offset{7}}}}};
    CHECK(contract::claim(*store, "billing", {{"orders", 0}}, r).at(0).what == sl::claimed::first);
  }
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], ContainsSubstring("3 checkpoint in " + folder.name() + " is damaged") &&
                           ContainsSubstring(file.string()) && ContainsSubstring("begin anew"));
  auto const after = contents_of(folder.path);
  for (auto const& [name, content] : before) {
    auto const slash = name.rfind('/') == name.npos ? 0 : name.rfind('/') + 1;
    auto const aside = std::string{name}.insert(slash, "damaged.");
    INFO(aside);
    REQUIRE(after.contains(aside));
    CHECK(after.at(aside) == content);
  }
}

TEST_CASE("start_anew goes back to no older file, whatever was set aside before") {
  temporary_folder folder;
  auto const claim = [&](sl::on_damage what) {
    resolver r{{{"orders", {offset{7}}}}};
    auto const store = open_checkpoint({.directory = folder.name(), .on_damage = what}, {.group = "billing"});
    return contract::claim(*store, "billing", {{"orders", 0}}, r).at(0).what;
  };
  CHECK(claim(sl::on_damage::stop) == sl::claimed::first);
  CHECK(claim(sl::on_damage::stop) == sl::claimed::stored);
  auto const newest = newest_generation(folder.path);
  damage(newest, 100);
  for (auto const& f : fs::directory_iterator(folder.path))
    if (auto const name = f.path().filename().string(); name.starts_with("generation.") && f.path() != newest)
      write_file(folder.path / ("damaged." + name), "of an earlier time");
  CHECK(claim(sl::on_damage::start_anew) == sl::claimed::first);
}

TEST_CASE("a later version's files are told and left, also where damage would be set aside") {
  temporary_folder folder;
  {
    worker w{{.directory = folder.name()}};
    w.put("ka", "1");
  }
  fs::path file;
  SECTION("the generation") {
    file = newest_generation(folder.path);
    auto text = content_of(file);
    text[8] = 2;
    auto const crc = sl::detail::crc32c(text.substr(16), sl::detail::crc32c(text.substr(0, 12)));
    for (std::size_t i = 0; i < 4; ++i) text[12 + i] = static_cast<char>(crc >> (8 * i));
    write_file(file, text);
  }
  SECTION("a segment") {
    file = segments_in(folder.path).at(0);
    auto text = content_of(file);
    text[8] = 2;
    write_file(file, text);
  }
  auto const before = contents_of(folder.path);
  for (auto const what : {sl::on_damage::stop, sl::on_damage::start_anew}) {
    auto const e = error_of([&] { open_checkpoint({.directory = folder.name(), .on_damage = what}); });
    CHECK(e.code == sl::errc::store_newer);
    CHECK_THAT(e.text, ContainsSubstring(file.string()) && ContainsSubstring("format 2, this one reads up to 1"));
  }
  CHECK(contents_of(folder.path) == before);
}

TEST_CASE("the checkpoint of another program is refused, and left") {
  temporary_folder folder;
  { worker w{{.directory = folder.name(), .program = "totals", .version = "1.2"}}; }
  auto const before = contents_of(folder.path);
  auto const e = error_of([&] { open_checkpoint({.directory = folder.name(), .program = "visits"}); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("'totals' (version '1.2'), and .program is 'visits'; name another folder"));
  CHECK(contents_of(folder.path) == before);
  { worker later{{.directory = folder.name(), .program = "totals", .version = "1.3"}}; }
  CHECK(sl::read_checkpoint(folder.name()).version == "1.3");
  worker unnamed{{.directory = folder.name()}};
  CHECK(sl::read_checkpoint(folder.name()).program == "totals");
}

TEST_CASE("with an interval, generations are made when it is over, and when the consumer ends") {
  temporary_folder folder;
  sl::checkpoint const with{.directory = folder.name(), .interval = std::chrono::hours{1}};
  CHECK_THAT(error_of([&] { open_checkpoint(with, {.group = "g", .stores_first = true}); }).text,
             ContainsSubstring("at_most_once can't be kept"));
  {
    worker w{with};
    auto const at_first = newest_generation(folder.path);
    for (int i = 0; i < 20; ++i) CHECK(w.put("k" + std::to_string(i % 3), std::to_string(i)) == outcome::applied);
    CHECK(contract::advance(*w.store, {w.next()}) == contract::all{outcome::applied});
    w.mine.next = w.mine.next.next();
    CHECK(w.get("k1") == "19");
    w.store->tend();
    CHECK(newest_generation(folder.path) == at_first);
    CHECK(error_of([&] { open_checkpoint(with); }).code == sl::errc::store_unavailable);
    CHECK_THAT(error_of([&] { open_checkpoint({.directory = folder.name()}); }).text,
               ContainsSubstring("another process has the checkpoint in " + folder.name()));
    w.store->release({w.mine}, soon());
    CHECK(segments_in(folder.path).size() == 1);
  }
  {
    worker w{with};
    CHECK(w.mine.next == offset{21});
    CHECK(w.get("k2") == "17");
    CHECK(w.put("k2", "lost") == outcome::applied);
  }
  {
    worker w{{.directory = folder.name(), .interval = std::chrono::milliseconds{1}}};
    CHECK(w.mine.next == offset{21});  // nobody had released
    CHECK(w.get("k2") == "17");
    auto const before = newest_generation(folder.path);
    w.put("k2", "kept");
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
    w.store->tend();
    CHECK(newest_generation(folder.path) != before);
  }
  worker w{{.directory = folder.name()}};
  CHECK(w.get("k2") == "kept");
}

TEST_CASE("rows that no fence guards are compared: who is second runs again") {
  temporary_folder folder;
  worker a{{.directory = folder.name()}}, b{{.directory = folder.name()}, 1};
  sl::topic_partition const shared{"orders", -1};
  auto const add = [&](sl::checkpoint_transaction& tx, std::string const& what) {
    auto in = worker::rows_of(tx, "counts");
    std::string text;
    in.read(std::vector<sl::detail::state_row>{{.of = &shared, .key = "p"}},
            [&](std::size_t, std::string_view value, std::int64_t) { text = value; });
    text += what;
    in.write(std::vector<sl::detail::state_row>{{.of = &shared, .key = "p", .value = text}});
  };
  CHECK(a.batch([&](auto& tx, std::int64_t) {
    add(tx, "a");
    CHECK(b.batch([&](auto& other, std::int64_t) { add(other, "b"); }) == outcome::applied);
  }) == outcome::refused);
  CHECK(a.batch([&](auto& tx, std::int64_t) { add(tx, "a"); }) == outcome::applied);
  std::string text;
  sl::detail::each_state_row(sl::detail::posix_files{}, folder.name(), "billing", "counts",
                             [&](auto const&, auto const& row) { text = row.value; });
  CHECK(text == "ba");
  // Only its own partition's: no matter what the other does.
  CHECK(a.batch([&](auto& tx, std::int64_t) {
    worker::rows_of(tx, "counts")
        .write(std::vector<sl::detail::state_row>{{.of = &a.mine.of, .key = "k", .value = "1"}});
    CHECK(b.put("k", "2") == outcome::applied);
  }) == outcome::applied);
  CHECK(a.get("k") == "1");
  CHECK(b.get("k") == "2");
}

TEST_CASE("a failed record's rows vanish, what was there before it is there") {
  temporary_folder folder;
  worker w{{.directory = folder.name()}};
  w.put("ka", "old");
  CHECK(w.batch([&](sl::checkpoint_transaction& tx, std::int64_t) {
    auto in = worker::rows_of(tx, "counts");
    auto const write = [&](std::string const& key, std::string const& value) {
      in.write(std::vector<sl::detail::state_row>{{.of = &w.mine.of, .key = key, .value = value, .due = 5}});
    };
    write("kb", "1");
    tx.savepoint();
    write("ka", "2");
    write("kb", "2");
    write("kb", "3");
    write("kc", "2");
    tx.put("value", "2");
    tx.rollback_to_savepoint();
    CHECK_FALSE(tx.get("value"));
    tx.savepoint();
    write("kd", "4");
    tx.release_savepoint();
    tx.rollback_to_savepoint();
  }) == outcome::applied);
  CHECK(w.get("ka") == "old");
  CHECK(w.get("kb") == "1");
  CHECK(w.get("kc") == "-");
  CHECK(w.get("kd") == "4");
}

TEST_CASE("what was acknowledged to a process that is killed is there, and rows agree with it") {
  temporary_folder folder;
  sl::checkpoint const with{.directory = folder.name()};
  auto const key = [](std::int64_t at) { return "k" + std::to_string(at % 5); };
  std::int64_t last = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    auto const child = in_child([&] {
      worker w{with};
      for (;;) {
        auto const at = w.mine.next.value();
        auto const before = w.get(key(at));
        if (w.put(key(at), std::to_string((before == "-" ? 0 : std::stoll(before)) + 1)) != outcome::applied)
          return false;
        auto const told = w.mine.next.value();
        if (::write(pipe[1], &told, sizeof told) != sizeof told) return false;
      }
    });
    ::close(pipe[1]);
    std::int64_t told = last;
    for (int i = 0; i <= 3 + round % 7; ++i) REQUIRE(::read(pipe[0], &told, sizeof told) == sizeof told);
    ::kill(child, SIGKILL);
    ended(child);
    for (std::int64_t more = 0; ::read(pipe[0], &more, sizeof more) == sizeof more;) told = more;
    ::close(pipe[0]);
    worker w{with};
    auto const stored = w.mine.next.value();
    CHECK((stored == told || stored == told + 1));
    for (int k = 0; k < 5; ++k) {
      auto const n = (stored + 4 - k) / 5;
      CHECK(w.get(key(k)) == (n ? std::to_string(n) : "-"));
    }
    last = stored;
  }
  worker w{with};
  auto const state = sl::read_checkpoint(folder.name());
  CHECK(segments_in(folder.path).size() <= state.segments.size() + state.retired.size());
  CHECK(state.segments.size() < 40);
}

TEST_CASE("two processes on one folder lose nothing, and merge beside each other") {
  temporary_folder folder;
  { worker first{{.directory = folder.name()}}; }
  auto const work = [&](int partition) {
    return [&folder, partition] {
      worker w{{.directory = folder.name()}, partition};
      for (int i = 0; i < 60;) {
        auto const before = w.get("k");
        auto const o = w.batch([&](auto& tx, std::int64_t) {
          worker::rows_of(tx, "counts")
              .write(std::vector<sl::detail::state_row>{
                  {.of = &w.mine.of, .key = "k", .value = std::to_string(before == "-" ? 1 : std::stoi(before) + 1)},
                  {.of = &w.mine.of, .key = "k" + std::to_string(i), .value = "x"}});
        });
        if (o == outcome::unknown) return false;
        i += o == outcome::applied;
      }
      return true;
    };
  };
  auto const a = in_child(work(0)), b = in_child(work(1));
  CHECK(ended(a) == 0);
  CHECK(ended(b) == 0);
  for (int p = 0; p < 2; ++p) {
    worker w{{.directory = folder.name()}, p};
    CHECK(w.mine.next == offset{60});
    CHECK(w.get("k") == "60");
    for (int i = 0; i < 60; ++i) CHECK(w.get("k" + std::to_string(i)) == "x");
  }
  CHECK(segments_in(folder.path).size() < 50);
}

// ---- a program that is rebuilt

namespace {

namespace old_program {
struct visits {
  std::int64_t count = 0;
};
}  // namespace old_program
namespace new_program {
struct visits {
  std::int64_t count = 0;
  std::string last{};
};
}  // namespace new_program

}  // namespace

template <>
struct sluice::codec<old_program::visits> : sluice::members_of<&old_program::visits::count> {};
template <>
struct sluice::codec<new_program::visits>
    : sluice::members_of<&new_program::visits::count, &new_program::visits::last> {
  static constexpr std::uint32_t version = 2;
  static new_program::visits decode(sluice::decoder& from, std::uint32_t written) {
    return written == 1 ? sluice::members_of<&new_program::visits::count>::read(from) : read(from);
  }
};

namespace {

template <class Value>
void visit(worker& w, sl::keyed_state<std::string, Value>& state, std::vector<made> const& records, auto change) {
  auto const o = w.batch([&](auto& tx, std::int64_t) {
    held h;
    h.part("orders", 0, records);
    state.update(h.batch(), tx, [](sl::record r) { return r.key_text(); }, change);
  });
  CHECK(o == outcome::applied);
}

}  // namespace

TEST_CASE(
    "a rebuilt program with a grown value and one more operator goes on from its checkpoint; one that can't is told") {
  temporary_folder folder;
  {
    worker w{{.directory = folder.name()}};
    sl::keyed_state<std::string, old_program::visits> state{.name = "visits"};
    visit(w, state, {{0, "ann"}, {1, "bob"}, {2, "ann"}},
          [](auto news, auto& v) { v = old_program::visits{(v ? v->count : 0) + std::ssize(news)}; });
  }
  {
    worker w{{.directory = folder.name()}};
    sl::keyed_state<std::string, new_program::visits> state{.name = "visits"};
    sl::keyed_state<std::string, std::int64_t> others{.name = "others"};
    auto const grown = [](auto news, auto& v) {
      v = new_program::visits{(v ? v->count : 0) + std::ssize(news), "today"};
    };
    visit(w, state, {{3, "ann"}, {4, "cid"}}, grown);
    visit(w, others, {{5, "ann"}}, [](auto news, auto& v) { v = std::ssize(news); });
  }
  std::map<std::string, std::pair<std::int64_t, std::string>> found;
  sl::for_each_state<std::string, new_program::visits>(
      {.directory = folder.name()}, {.group = "billing"}, "visits",
      [&](sl::topic_partition const& of, std::string const& key, new_program::visits const& v) {
        CHECK(of == sl::topic_partition{"orders", 0});
        found[key] = {v.count, v.last};
      });
  CHECK(found == decltype(found){{"ann", {3, "today"}}, {"bob", {1, ""}}, {"cid", {1, "today"}}});
  // Back to the old one: it can't read what the new one wrote, says which and why, and changes nothing.
  worker w{{.directory = folder.name()}};
  auto const before = contents_of(folder.path);
  sl::keyed_state<std::string, old_program::visits> state{.name = "visits"};
  auto const e = error_of([&] { visit(w, state, {{6, "ann"}}, [](auto, auto& v) { v = old_program::visits{0}; }); });
  CHECK(e.code == sl::errc::store_newer);
  CHECK(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring("state \"visits\"") && ContainsSubstring("orders/0") &&
                         ContainsSubstring("version 2 of its type, this program knows up to 1"));
  CHECK(contents_of(folder.path) == before);
  CHECK_THAT(error_of([&] {
               sl::for_each_state<std::string, old_program::visits>({.directory = folder.name()}, {.group = "billing"},
                                                                    "visits", [](auto const&...) {});
             }).text,
             ContainsSubstring("state \"visits\"") && ContainsSubstring("version 2"));
}
