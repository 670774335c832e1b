#include <sluice/on_failure/dead_letter_file.hpp>

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <nlohmann/json.hpp>

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

namespace {

using simulated_letters = sl::dead_letter_file::basic_runtime<simulated::files>;

/// Keeps letters one by one, from the record `from` on, until the given operation. Answers how many flushes returned.
int run_until_crash(std::shared_ptr<simulated::disk> const& disk, int from, int count, long crash_at) {
  int kept = 0;
  disk->operations = 0;
  disk->crash_at = crash_at;
  try {
    simulated_letters home{"d/letters", 1 << 20, simulated::files{disk}};
    for (int i = from; i < from + count; ++i, ++kept) {
      failed const one{"k", std::string(20, 'v'), i};
      home.keep(one.letter(), soon());
      home.flush(soon());
    }
  } catch (simulated::crash const&) {}
  return kept;
}

/// The records that whole lines are about, as a process sees them that has just begun to write.
std::vector<int> letters_on(std::shared_ptr<simulated::disk> const& disk) {
  simulated_letters const home{"d/letters", 1 << 20, simulated::files{disk}};
  std::vector<int> all;
  auto const& text = disk->root->names.at("letters")->data;
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
