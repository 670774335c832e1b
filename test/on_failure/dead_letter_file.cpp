#include <sluice/on_failure/dead_letter_file.hpp>

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

#include "catch.hpp"
#include "detail/simulated_files.hpp"
#include "detail/temporary_folder.hpp"
#include "some_records.hpp"

namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

static_assert(sl::dead_letter_home<sl::dead_letter_file::runtime>);
static_assert(sl::must_be_configured<sl::dead_letter_file>);

sl::time_point soon() { return std::chrono::steady_clock::now() + 5s; }

/// A record with all that a letter tells.
struct failed {
  std::string key, value;
  sl::detail::message message{};
  sl::detail::part part{};
  sl::detail::message_access access{[](void const*) { return std::int64_t{1700000000123}; }, nullptr};
  failed(std::string k, std::string v, std::int64_t at) : key(std::move(k)), value(std::move(v)) {
    message = {.key = key.data(),
               .value = value.data(),
               .key_size = static_cast<std::uint32_t>(key.size()),
               .value_size = static_cast<std::uint32_t>(value.size()),
               .at = at};
    part = {&message, &message + 1, {{"orders", 3}, sl::offset{0}, sl::offset{at + 1}, 42}, &access};
  }
  failed(failed const&) = delete;
  failed& operator=(failed const&) = delete;
  sl::dead_letter letter(std::string error = "bad") const {
    return {.what = {&message, &part}, .error = std::move(error), .attempts = 4, .first = sl::wall_time{77ms}};
  }
};

std::vector<nlohmann::json> lines_of(std::filesystem::path const& file) {
  std::vector<nlohmann::json> lines;
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

std::string message_of(auto f) {
  try {
    f();
  } catch (sl::error const& e) { return std::to_string(static_cast<int>(e.code())) + " " + e.what(); }
  return "none";
}
std::string starts_with(sl::errc code) { return std::to_string(static_cast<int>(code)) + " "; }

}  // namespace

TEST_CASE("a letter is one line of JSON that any parser reads") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  auto home = sl::dead_letter_file::open({.path = file.string()}, {});
  failed const one{"k", std::string{"\0\xff\n", 3}, 12}, empty{"", "", 13};
  home.keep(one.letter("line\n\"quote\" \\ \x01 \xc3\xa9 \xf0\x9f\x90\xb3 \xff \xed\xa0\x80 \xc0\xaf end"), soon());
  CHECK(content_of(file).empty());
  home.keep(empty.letter(), soon());
  home.flush(soon());
  auto const lines = lines_of(file);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == nlohmann::json{{"topic", "orders"},
                                   {"partition", 3},
                                   {"offset", 12},
                                   {"incarnation", 42},
                                   {"timestamp", 1700000000123},
                                   {"key", "aw=="},
                                   {"value", "AP8K"},
                                   {"headers", nlohmann::json::array()},
                                   {"error",
                                    "line\n\"quote\" \\ \x01 \xc3\xa9 \xf0\x9f\x90\xb3 \xef\xbf\xbd "
                                    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd end"},
                                   {"attempts", 4},
                                   {"first", 77}});
  CHECK(lines[1]["key"] == "");
  CHECK(lines[1]["value"] == "");
  struct stat s{};
  REQUIRE(::stat(file.c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0600);
}

TEST_CASE("a letter has its record's headers, in their order") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  auto home = sl::dead_letter_file::open({.path = file.string()}, {});
  some_records r{{"orders", 3}};
  r.add(12, "k", std::nullopt, {{"b", "1"}, {"\"a\"", std::string{"\0\xff", 2}}, {"b", std::nullopt}, {"", ""}});
  home.keep({.what = r[0]}, soon());
  home.flush(soon());
  auto const line = lines_of(file).at(0);
  CHECK(line["headers"].dump() == R"([["b","MQ=="],["\"a\"","AP8="],["b",null],["",""]])");
  CHECK(line["value"].is_null());
}

TEST_CASE("flush alone makes letters durable, and once") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  failed const one{"k", "v", 1}, two{"k", "v", 2};
  {
    auto home = sl::dead_letter_file::open({.path = file.string()}, {});
    home.flush(soon());
    home.keep(one.letter(), soon());
    home.flush(soon());
    home.flush(soon());
    CHECK(lines_of(file).size() == 1);
    home.keep(two.letter(), soon());
  }
  CHECK(lines_of(file).size() == 1);
  auto home = sl::dead_letter_file::open({.path = file.string()}, {});
  home.keep(two.letter(), soon());
  home.flush(soon());
  CHECK(lines_of(file).size() == 2);
}

TEST_CASE("half a line that a crash left is cut") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  failed const one{"k", "v", 1};
  auto const half = GENERATE(std::string{"{\"topic\":"}, std::string(10'000, 'x'), std::string{"x"});
  auto const whole = GENERATE(std::string{}, std::string{"{}\n"}, std::string(5000, ' ') + "{}\n");
  write_file(file, whole + half);
  auto home = sl::dead_letter_file::open({.path = file.string()}, {});
  CHECK(content_of(file) == whole);
  write_file(file, whole + half);  // by another consumer, since
  home.keep(one.letter(), soon());
  home.flush(soon());
  CHECK(content_of(file) == whole + sl::detail::json_line(one.letter()));
}

TEST_CASE("several consumers may share a file") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  auto a = sl::dead_letter_file::open({.path = file.string()}, {});
  auto b = sl::dead_letter_file::open({.path = file.string()}, {});
  for (int i = 0; i < 5; ++i) {
    failed const one{"k", "v", i};
    a.keep(one.letter("a"), soon());
    b.keep(one.letter("b"), soon());
    b.flush(soon());
    a.flush(soon());
  }
  CHECK(lines_of(file).size() == 10);
  sl::detail::unique_fd held{::open(file.c_str(), O_RDWR)};
  REQUIRE(::flock(held.get(), LOCK_EX) == 0);
  failed const one{"k", "v", 9};
  a.keep(one.letter(), soon());
  CHECK_THAT(message_of([&] { a.flush(std::chrono::steady_clock::now() + 5ms); }),
             ContainsSubstring("another process"));
  held = {};
  a.flush(soon());
  CHECK(lines_of(file).size() == 11);
}

TEST_CASE("a letter that can't be kept is an error, never dropped") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  failed const one{"k", "v", 1};
  SECTION("more than max_bytes") {
    auto const size = sl::detail::json_line(one.letter()).size();
    auto home = sl::dead_letter_file::open({.path = file.string(), .max_bytes = 2 * size}, {});
    home.keep(one.letter(), soon());
    home.keep(one.letter(), soon());
    home.flush(soon());
    home.keep(one.letter(), soon());
    auto const text = message_of([&] { home.flush(soon()); });
    CHECK(text.starts_with(starts_with(sl::errc::dead_letter_failed)));
    CHECK_THAT(text, ContainsSubstring("max_bytes") && ContainsSubstring(file.string()));
    CHECK(lines_of(file).size() == 2);
  }
  SECTION("no space: nothing half is left, and it can be tried again") {
    auto const child = ::fork();
    if (child == 0) {
      ::signal(SIGXFSZ, SIG_IGN);
      auto home = sl::dead_letter_file::open({.path = file.string()}, {});
      home.keep(one.letter(), soon());
      home.flush(soon());
      auto const before = content_of(file);
      rlimit old{};
      ::getrlimit(RLIMIT_FSIZE, &old);
      rlimit const limit{before.size() + 10, old.rlim_max};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      home.keep(one.letter(), soon());
      bool good = message_of([&] { home.flush(soon()); }).starts_with(starts_with(sl::errc::dead_letter_failed));
      good = good && content_of(file) == before;
      ::setrlimit(RLIMIT_FSIZE, &old);
      good = good && message_of([&] { home.flush(soon()); }) == "none" && content_of(file) == before + before;
      ::_exit(good ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
}

TEST_CASE("a file that was moved away or removed is made anew by the next letter") {
  temporary_folder folder;
  auto const file = folder.path / "letters", old = folder.path / "letters.1";
  auto a = sl::dead_letter_file::open({.path = file.string()}, {});
  auto b = sl::dead_letter_file::open({.path = file.string()}, {});
  failed const one{"k", "v", 1}, two{"k", "v", 2};
  a.keep(one.letter(), soon());
  a.flush(soon());
  std::string before;
  SECTION("moved") { std::filesystem::rename(file, old); }
  SECTION("removed") { std::filesystem::remove(file); }
  SECTION("replaced by another one, with half a line") {
    before = "{}\n";
    write_file(old, before + "{");
    std::filesystem::rename(old, file);
  }
  a.keep(two.letter("a"), soon());
  a.flush(soon());
  b.keep(two.letter("b"), soon());
  b.flush(soon());
  CHECK(content_of(file) == before + sl::detail::json_line(two.letter("a")) + sl::detail::json_line(two.letter("b")));
  if (std::filesystem::exists(old)) CHECK(content_of(old) == sl::detail::json_line(one.letter()));
  struct stat s{};
  REQUIRE(::stat(file.c_str(), &s) == 0);
  CHECK((before.size() || (s.st_mode & 0777) == 0600));
}

TEST_CASE("a file that can't be made anew is an error until it can be") {
  temporary_folder folder;
  auto const within = folder.path / "in", file = within / "letters";
  std::filesystem::create_directory(within);
  auto home = sl::dead_letter_file::open({.path = file.string()}, {});
  failed const one{"k", "v", 1};
  std::filesystem::rename(within, folder.path / "elsewhere");
  for (int i = 0; i < 2; ++i) {
    home.keep(one.letter(), soon());
    auto const text = message_of([&] { home.flush(soon()); });
    CHECK(text.starts_with(starts_with(sl::errc::dead_letter_failed)));
    CHECK_THAT(text, ContainsSubstring("opening it anew") && ContainsSubstring(file.string()));
  }
  std::filesystem::create_directory(within);
  home.flush(soon());
  CHECK(lines_of(file).size() == 1);
}

TEST_CASE("a file that is too long goes on once it was moved away, as its error says") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  failed const one{"k", "v", 1};
  auto const line = sl::detail::json_line(one.letter());
  auto home = sl::dead_letter_file::open({.path = file.string(), .max_bytes = line.size()}, {});
  home.keep(one.letter(), soon());
  home.flush(soon());
  home.keep(one.letter(), soon());
  CHECK_THAT(message_of([&] { home.flush(soon()); }), ContainsSubstring("move it away"));
  std::filesystem::rename(file, folder.path / "letters.1");
  CHECK(message_of([&] { home.flush(soon()); }) == "none");
  CHECK(content_of(file) == line);
}

TEST_CASE("a relative path stays where it was when the program goes to another folder") {
  temporary_folder folder;
  struct home_again {
    std::filesystem::path was = std::filesystem::current_path();
    ~home_again() { std::filesystem::current_path(was); }
  } const at_the_end;
  std::filesystem::create_directory(folder.path / "other");
  std::filesystem::current_path(folder.path);
  auto home = sl::dead_letter_file::open({.path = "letters"}, {});
  std::filesystem::current_path(folder.path / "other");
  std::filesystem::remove(folder.path / "letters");
  failed const one{"k", "v", 1};
  home.keep(one.letter(), soon());
  home.flush(soon());
  CHECK(lines_of(folder.path / "letters").size() == 1);
  CHECK(std::filesystem::is_empty(folder.path / "other"));
}

namespace {

/// Somebody does something to the file at each sync of its bytes, or at each lock that was got.
struct meddled_with : sl::detail::posix_files {
  std::function<void()> at_lock{}, at_sync{};
  bool lock(handle const& of) {
    bool const got = posix_files::lock(of);
    if (got && at_lock) at_lock();
    return got;
  }
  int sync_data(handle const& of) {
    int const e = posix_files::sync_data(of);
    if (at_sync) at_sync();
    return e;
  }
};

}  // namespace

TEST_CASE("a letter whose file is removed or moved while it is written is in the file that is there then") {
  temporary_folder folder;
  auto const file = folder.path / "letters", old = folder.path / "letters.1";
  bool armed = false;
  auto const move_away = [&] {
    if (std::exchange(armed, false)) std::filesystem::rename(file, old);
  };
  auto const remove = [&] {
    if (std::exchange(armed, false)) std::filesystem::remove(file);
  };
  meddled_with files;
  SECTION("moved, with the lock held") { files.at_lock = move_away; }
  SECTION("removed, with the lock held") { files.at_lock = remove; }
  SECTION("moved, written") { files.at_sync = move_away; }
  SECTION("removed, written") { files.at_sync = remove; }
  sl::dead_letter_file::basic_runtime<meddled_with> home{file.string(), 1 << 20, files};
  failed const one{"k", "v", 1};
  auto const line = sl::detail::json_line(one.letter());
  armed = true;
  home.keep(one.letter(), soon());
  home.flush(soon());
  CHECK(content_of(file) == line);
  if (std::filesystem::exists(old)) CHECK((content_of(old).empty() || content_of(old) == line));
}

TEST_CASE("a file that is moved away each time is an error at the deadline") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  meddled_with files;
  files.at_sync = [&] { std::filesystem::rename(file, folder.path / "letters.1"); };
  sl::dead_letter_file::basic_runtime<meddled_with> home{file.string(), 1 << 20, files};
  failed const one{"k", "v", 1};
  home.keep(one.letter(), soon());
  CHECK_THAT(message_of([&] { home.flush(std::chrono::steady_clock::now() + 20ms); }),
             ContainsSubstring("again and again"));
}

TEST_CASE("letters of a failed flush that are kept once more are written once") {
  temporary_folder folder;
  auto const file = folder.path / "letters";
  failed const one{"k", "v", 1}, two{"k", "v", 2};
  auto const both = sl::detail::json_line(one.letter()) + sl::detail::json_line(two.letter());
  auto home = sl::dead_letter_file::open({.path = file.string(), .max_bytes = 3 * both.size()}, {});
  sl::detail::unique_fd held{::open(file.c_str(), O_RDWR)};
  REQUIRE(::flock(held.get(), LOCK_EX) == 0);
  for (int i = 0; i < 10; ++i) {
    home.keep(one.letter(), soon());
    home.keep(two.letter(), soon());
    CHECK_THAT(message_of([&] { home.flush(std::chrono::steady_clock::now()); }), ContainsSubstring("another process"));
  }
  held = {};
  home.keep(one.letter(), soon());
  home.keep(two.letter(), soon());
  CHECK(message_of([&] { home.flush(soon()); }) == "none");
  CHECK(content_of(file) == both);
}

TEST_CASE("a path that is no file's is refused at construction") {
  temporary_folder folder;
  std::filesystem::create_symlink(folder.path / "elsewhere", folder.path / "link");
  for (auto const& path :
       {std::string{}, folder.name(), folder.name() + "/no/letters", folder.name() + "/link", std::string{"/dev/null"}})
    CHECK(message_of([&] {
            sl::dead_letter_file::open({.path = path}, {});
          }).starts_with(starts_with(sl::errc::bad_configuration)));
}

TEST_CASE("no byte of a record is in an error") {
  temporary_folder folder;
  auto home = sl::dead_letter_file::open({.path = folder.name() + "/letters", .max_bytes = 10}, {});
  failed const one{"canary", "canary", 1};
  home.keep(one.letter(), soon());
  CHECK_THAT(message_of([&] { home.flush(soon()); }), !ContainsSubstring("canary") && !ContainsSubstring("Y2FuYXJ5"));
}

namespace simulated {

int is_path_of(files& f, std::string const& path, files::handle const& file, bool& out) {
  auto const at = f.on->root->names.find(path.substr(path.rfind('/') + 1));
  out = at != f.on->root->names.end() && at->second == file;
  return 0;
}

}  // namespace simulated

namespace {

using simulated_letters = sl::dead_letter_file::basic_runtime<simulated::files>;

/// Keeps letters one by one, from the record `from` on, until the given operation; the file is moved away before record
/// `moved`. Answers how many flushes returned.
int run_until_crash(std::shared_ptr<simulated::disk> const& disk, int from, int count, long crash_at, int moved = -1) {
  int kept = 0;
  disk->operations = 0;
  disk->crash_at = crash_at;
  try {
    simulated_letters home{"d/letters", 1 << 20, simulated::files{disk}};
    for (int i = from; i < from + count; ++i, ++kept) {
      failed const one{"k", std::string(20, 'v'), i};
      if (i == moved) {
        simulated::files{disk}.publish(disk->root, "letters", "letters.1");
        simulated::files{disk}.sync(disk->root);
      }
      home.keep(one.letter(), soon());
      home.flush(soon());
    }
  } catch (simulated::crash const&) {}
  return kept;
}

/// The records that whole lines are about, as a process sees them that has just begun to write.
std::vector<int> letters_on(std::shared_ptr<simulated::disk> const& disk, std::string const& name = "letters") {
  simulated_letters const home{"d/" + name, 1 << 20, simulated::files{disk}};
  std::vector<int> all;
  auto const& text = disk->root->names.at(name)->data;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    auto const line = nlohmann::json::parse(text.substr(at, text.find('\n', at) - at), nullptr, false);
    all.push_back(line.is_object() ? line.at("offset").get<int>() : -1);
    if (text.find('\n', at) == text.npos) break;
  }
  return all;
}

std::pair<int, int> every_loss(bool forget_files, bool forget_folders) {
  int tried = 0, bad = 0;
  auto const whole = std::make_shared<simulated::disk>();
  run_until_crash(whole, 0, 3, -1);
  for (long crash_at = 0; crash_at <= whole->operations; ++crash_at)
    for (simulated::every_choice left; left.another() && bad == 0; ++tried) {
      auto const disk = std::make_shared<simulated::disk>();
      disk->forgets_file_syncs = forget_files;
      disk->forgets_folder_syncs = forget_folders;
      auto const kept = run_until_crash(disk, 0, 3, crash_at);
      disk->crashed(std::ref(left));
      auto found = letters_on(disk);
      auto const there = static_cast<int>(found.size());
      run_until_crash(disk, 10, 1, -1);
      found = letters_on(disk);
      std::vector<int> wanted;
      for (int i = 0; i < there; ++i) wanted.push_back(i);
      wanted.push_back(10);
      bad += there < kept || there > kept + 1 || found != wanted;
    }
  return {tried, bad};
}

}  // namespace

TEST_CASE(
    "a power cut after any operation, with any combination of what was not synced, leaves whole lines of all letters") {
  auto const [tried, bad] = every_loss(false, false);
  CHECK(bad == 0);
  CHECK(tried > 20);
  CHECK(every_loss(true, false).second > 0);
  CHECK(every_loss(false, true).second > 0);
}

TEST_CASE("a power cut after the file was moved away leaves all letters in both") {
  auto const whole = std::make_shared<simulated::disk>();
  run_until_crash(whole, 0, 3, -1, 1);
  CHECK(whole->root->names.contains("letters.1"));
  int tried = 0;
  for (long crash_at = 0; crash_at <= whole->operations; ++crash_at)
    for (simulated::every_choice left; left.another(); ++tried) {
      auto const disk = std::make_shared<simulated::disk>();
      auto const kept = run_until_crash(disk, 0, 3, crash_at, 1);
      disk->crashed(std::ref(left));
      std::set<int> found;
      for (auto const* name : {"letters.1", "letters"})
        if (disk->root->names.contains(name))
          for (int const i : letters_on(disk, name)) found.insert(i);
      bool all = !found.contains(-1);
      for (int i = 0; i < kept; ++i) all = all && found.contains(i);
      if (!all) FAIL_CHECK("kept " << kept << ", found " << found.size() << ", crash at " << crash_at);
    }
  CHECK(tried > 20);
}

TEST_CASE("a file whose new name could not be synced holds no letter until it is") {
  auto const disk = std::make_shared<simulated::disk>();
  simulated_letters home{"d/letters", 1 << 20, simulated::files{disk}};
  simulated::files{disk}.publish(disk->root, "letters", "letters.1");
  failed const one{"k", "v", 0};
  home.keep(one.letter(), soon());
  int syncs = 0;
  disk->fail = [&](std::string const& operation, std::string const&) {
    return operation == "sync_folder" && syncs++ == 0 ? EIO : 0;
  };
  CHECK_THAT(message_of([&] { home.flush(soon()); }), ContainsSubstring("opening it anew"));
  CHECK(disk->root->names.at("letters")->data.empty());
  home.flush(soon());
  CHECK(syncs == 2);
  CHECK(letters_on(disk) == std::vector<int>{0});
}
