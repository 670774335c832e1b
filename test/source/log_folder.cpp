#include <sluice/source/log_folder.hpp>

#include <sluice/detail/fingerprint.hpp>

#include <random>
#include <set>

#include "catch.hpp"
#include "detail/simulated_files.hpp"
#include "detail/temporary_folder.hpp"
#include "seed.hpp"

namespace sl = sluice;
namespace d = sl::detail;
using simulated::survives;

namespace {

std::string frames_of(std::vector<std::string> const& values, std::uint64_t number) {
  std::string frames;
  for (auto const& v : values) {
    sl::received const r{.value = std::string_view{v}, .timestamp = {}};
    d::append_frame(frames, r, d::image_size(r), number++);
  }
  return frames;
}

template <class Files>
void append(d::log_folder<Files>& f, std::string group, std::uint64_t count, std::uint64_t segment_bytes) {
  f.append(group, count, segment_bytes);
}

/// All records of a folder, read as its segments stand: (number, value).
template <class Files>
std::map<std::uint64_t, std::string> all_of(d::log_folder<Files>& f) {
  std::map<std::uint64_t, std::string> all;
  for (auto n = f.low(); n < f.end();) {
    auto const s = f.segment_of(n).value();
    typename Files::handle file;
    std::string text;
    f.open_segment(s.first, file);
    f.read(file, 0, static_cast<std::size_t>(s.bytes), text);
    n = s.first;
    for (std::size_t at = d::log_header_size; at < text.size();) {
      auto const piece = d::look_at(std::string_view{text}.substr(at), n, f.id(), at);
      REQUIRE((piece.what == d::log_piece::record || piece.what == d::log_piece::mark));
      if (piece.what == d::log_piece::record) {
        auto const m = d::message_of(text.data() + at + piece.image, piece.size - piece.image, 0);
        all[n++] = {static_cast<char const*>(m.value), m.value_size};
      }
      at += piece.size;
    }
    CHECK(n == s.end);
  }
  return all;
}

template <class Files>
void put(d::log_folder<Files>& f, std::vector<std::string> const& values, std::uint64_t number, std::uint64_t bytes) {
  auto group = frames_of(values, number);
  f.append(group, values.size(), bytes);
}

using sim_folder = d::log_folder<simulated::files>;

/// What one life of the log does with its disk: groups of one to three records, in segments of 90 bytes; trimmed at times.
struct writer {
  std::shared_ptr<simulated::disk> disk = std::make_shared<simulated::disk>();
  std::uint64_t acknowledged = 0, stored = 0;
  int lives = 0;
  std::map<std::uint64_t, std::string> given{};  // what each number was given to last
  d::log_id id{};

  /// Of the same size in every life, so that what is left of an earlier one lies where a record may begin.
  std::string value(std::uint64_t n) const { return std::to_string(n) + " of life " + std::to_string(100 + lives); }

  void live(int groups) {
    ++lives;
    sim_folder f{simulated::files{disk}, "d"};
    f.open();
    check(f);
    for (int g = 0; g < groups; ++g) {
      auto const from = f.end();
      std::vector<std::string> values;
      for (std::uint64_t k = 0; k <= static_cast<std::uint64_t>(g + lives) % 3; ++k) {
        values.push_back(value(from + k));
        given[from + k] = values.back();
      }
      id = f.id();
      append(f, frames_of(values, from), values.size(), 90);
      acknowledged = f.end();
      if (g % 4 == 3) {
        stored = acknowledged - 1;
        f.trim(stored);
      }
    }
  }
  /// What was acknowledged and not stored is there; what is there is what was written, and stays from now on.
  void check(sim_folder& f) {
    auto const all = all_of(f);
    INFO("acknowledged " << acknowledged << ", stored " << stored << ", low " << f.low() << ", end " << f.end());
    CHECK(f.end() >= acknowledged);
    if (stored > 0) CHECK(f.low() < stored);
    for (auto const& [n, v] : all) CHECK((given.contains(n) && v == given.at(n)));
    if (acknowledged > 0) CHECK(f.id() == id);
    id = f.id();
    acknowledged = f.end();
    given.erase(given.lower_bound(acknowledged), given.end());
  }
};

}  // namespace

TEST_CASE("a power loss at every call, keeping nothing, all, or any of what was not synced") {
  std::mt19937 random{seed()};
  long calls = 0;
  {
    writer w;
    w.live(12);
    calls = w.disk->operations;
  }
  REQUIRE(calls > 50);
  int crashes = 0;
  for (long at = 0; at < calls; ++at)
    for (int round = 0; round < 14; ++round) {
      writer w;
      w.disk->crash_at = at;
      bool crashed = false;
      try {
        w.live(12);
      } catch (simulated::crash const&) { crashed = true; }
      REQUIRE(crashed);
      auto const what = round == 0 ? survives::nothing : round == 1 ? survives::everything : survives::any;
      w.disk->crashed(what, random);
      INFO("crash at call " << at << ", round " << round);
      // A second power loss while it recovers and goes on.
      w.disk->crash_at = static_cast<long>(random() % 40);
      try {
        w.live(3);
      } catch (simulated::crash const&) { ++crashes; }
      w.disk->crashed(survives::any, random);
      // The process is killed, and the machine goes on; then it loses power when the log is open again.
      w.disk->crash_at = static_cast<long>(random() % 20);
      try {
        w.live(3);
      } catch (simulated::crash const&) {}
      w.disk->crash_at = -1;
      w.disk->operations = 0;
      w.live(0);
      w.disk->crashed(round % 2 == 0 ? survives::nothing : survives::any, random);
      w.live(5);
      w.live(0);
    }
  CHECK(crashes > 100);
}

TEST_CASE("a disk that forgets its syncs is found out by that test") {
  std::mt19937 random{7};
  writer w;
  w.disk->forgets_file_syncs = true;
  w.live(3);
  w.disk->crashed(survives::nothing, random);
  sim_folder f{simulated::files{w.disk}, "d"};
  bool lost = false;
  try {
    f.open();
    lost = f.end() < w.acknowledged;
  } catch (sl::error const&) { lost = true; }
  CHECK(lost);
}

TEST_CASE("a segment's header and name are on the disk before a record is written: pages may be lost in any order") {
  writer w;
  std::vector<std::string> calls;
  w.disk->fail = [&](std::string const& operation, std::string const&) {
    calls.push_back(operation);
    return 0;
  };
  sim_folder f{simulated::files{w.disk}, "d"};
  f.open();
  calls.clear();
  append(f, frames_of({"a"}, 0), 1, 90);
  CHECK(calls == std::vector<std::string>{"create", "write", "sync", "sync_folder", "write", "sync"});
}

TEST_CASE("what is stored goes, but for the record before the position: reading begins there") {
  writer w;
  sim_folder f{simulated::files{w.disk}, "d"};
  f.open();
  for (std::uint64_t n = 0; n < 5; ++n) append(f, frames_of({"a"}, n), 1, 1);  // each in a segment of its own
  for (std::uint64_t stored = 1; stored < 5; ++stored) {
    CHECK(f.can_trim(stored) == (stored > 1));
    CHECK(f.trim(stored));
    CHECK(f.low() == stored - 1);
  }
}

TEST_CASE("segments go one after the other: none is there again without those behind it") {
  writer w;
  sim_folder f{simulated::files{w.disk}, "d"};
  f.open();
  for (std::uint64_t n = 0; n < 4; ++n) put(f, {"a"}, n, 1);
  std::vector<std::string> calls;
  w.disk->fail = [&](std::string const& operation, std::string const&) {
    calls.push_back(operation);
    return 0;
  };
  CHECK(f.trim(3));
  CHECK(calls == std::vector<std::string>{"sync_folder", "remove", "sync_folder", "remove"});
}

TEST_CASE("a segment that is there again without those behind it is left out, and goes when what it holds is stored") {
  writer w;
  simulated::files files{w.disk};
  auto& names = w.disk->root->names;
  auto const name = d::log_segment_name(0);
  {
    sim_folder f{files, "d"};
    f.open();
    for (std::uint64_t n = 0; n < 5; ++n) put(f, {"a"}, n, 1);
    auto const kept = names.at(name);
    CHECK(f.trim(3));
    CHECK_FALSE(names.contains(name));
    names[name] = kept;  // the disk has forgotten that
  }
  sim_folder f{files, "d"};
  f.open();
  CHECK(f.low() == 2);
  CHECK(f.trim(0));
  CHECK(names.contains(name));
  CHECK(f.trim(1));
  CHECK_FALSE(names.contains(name));
  CHECK(all_of(f).size() == 3);
}

TEST_CASE("every call may fail: what was acknowledged stays, and the log goes on") {
  std::set<std::string> seen;
  for (auto const* what : {"create", "write", "sync", "sync_folder", "truncate", "remove"})
    for (int nth = 0; nth < 25; ++nth) {
      writer w;
      int left = nth;
      w.disk->fail = [&](std::string const& operation, std::string const&) {
        if (operation != what || left-- != 0) return 0;
        seen.insert(operation);
        return operation == "write" ? ENOSPC : EIO;
      };
      INFO(what << " " << nth);
      std::optional<std::uint64_t> fails_in;
      sim_folder f{simulated::files{w.disk}, "d"};
      try {
        f.open();
      } catch (sl::store_error const&) { continue; }
      for (int g = 0; g < 10; ++g) {
        auto const from = f.end();
        std::vector<std::string> const values{w.value(from), w.value(from + 1)};
        w.given[from] = values[0];
        w.given[from + 1] = values[1];
        auto frames = frames_of(values, from);
        for (int tries = 0;; ++tries) {
          REQUIRE(tries < 3);
          try {
            f.append(frames, 2, 200);
            break;
          } catch (sl::store_error const& e) {
            CHECK((e.code() == sl::errc::store_full) == (std::string{what} == "write"));
            CHECK(f.end() == from);
            if (std::string{what} == "sync") fails_in = from;
          }
        }
        // Nobody knows what a failed sync has left, so the file is not gone on with.
        if (fails_in) CHECK(f.segment_of(*std::exchange(fails_in, std::nullopt))->first == from);
        if (g % 4 == 3) f.trim(f.end() - 1);
      }
      w.acknowledged = f.end();
      w.id = f.id();
      w.check(f);
      std::mt19937 random{1};
      w.disk->crashed(survives::nothing, random);
      sim_folder again{simulated::files{w.disk}, "d"};
      again.open();
      w.check(again);
    }
  CHECK(seen.size() >= 5);
}

namespace {
int no_sync(std::string const& operation, std::string const&) { return operation == "sync" ? EIO : 0; }
}  // namespace

TEST_CASE("a process ends where a sync fails: the next one writes what it reads once more, since no sync would") {
  for (bool const twice : {false, true}) {
    writer w;
    std::mt19937 random{1};
    {
      sim_folder f{simulated::files{w.disk}, "d"};
      f.open();
      put(f, {"a", "b"}, 0, 1000);
      w.disk->fail = no_sync;
      CHECK_THROWS_AS(put(f, {"c"}, 2, 1000), sl::store_error);
      w.disk->fail = {};
    }
    {
      sim_folder f{simulated::files{w.disk}, "d"};
      if (twice) {
        w.disk->fail = no_sync;
        CHECK_THROWS_AS(f.open(), sl::store_error);
        w.disk->fail = {};
      }
    }
    {
      sim_folder f{simulated::files{w.disk}, "d"};
      f.open();
      REQUIRE(f.end() == 3);
      put(f, {"d"}, 3, 1000);
    }
    w.disk->crashed(survives::nothing, random);
    sim_folder f{simulated::files{w.disk}, "d"};
    f.open();
    CHECK(all_of(f) == std::map<std::uint64_t, std::string>{{0, "a"}, {1, "b"}, {2, "c"}, {3, "d"}});
  }
}

TEST_CASE("a segment of which only the header is there is begun anew: it or its name may stand in memory alone") {
  for (std::string const what : {"sync", "sync_folder"}) {
    writer w;
    std::mt19937 random{1};
    {
      sim_folder f{simulated::files{w.disk}, "d"};
      f.open();
      put(f, {"a"}, 0, 1);
      w.disk->fail = [&](std::string const& operation, std::string const&) { return operation == what ? EIO : 0; };
      CHECK_THROWS_AS(put(f, {"b"}, 1, 1), sl::store_error);
      w.disk->fail = {};
    }
    {
      sim_folder f{simulated::files{w.disk}, "d"};
      f.open();
      put(f, {"b"}, 1, 1000);
    }
    w.disk->crashed(survives::nothing, random);
    sim_folder f{simulated::files{w.disk}, "d"};
    f.open();
    CHECK(all_of(f) == std::map<std::uint64_t, std::string>{{0, "a"}, {1, "b"}});
  }
}

namespace {
/// With folders in the root, which the path names.
struct files_below : simulated::files {
  using simulated::files::open_directory;
  int open_directory(std::string const& path, handle& out) {
    if (path == ".") return simulated::files::open_directory(path, out);
    return find(on->root, path, true, out);
  }
};
}  // namespace

TEST_CASE("a process is killed before the log's folder has its name on the disk: the next one sees to that") {
  using folder = d::log_folder<files_below>;
  std::mt19937 random{1};
  long calls = 0;
  for (long at = 0; at == 0 || at < calls; ++at) {
    auto const disk = std::make_shared<simulated::disk>();
    if (at > 0) disk->crash_at = at;
    try {
      folder f{{disk}, "log"};
      f.open();
      calls = disk->operations;
    } catch (simulated::crash const&) { disk->crash_at = -1; }
    {
      folder f{{disk}, "log"};
      f.open();
      put(f, {"a"}, 0, 100);
    }
    disk->crashed(survives::nothing, random);
    folder f{{disk}, "log"};
    f.open();
    CHECK(f.end() == 1);
  }
  CHECK(calls > 2);
}

TEST_CASE("a note is any text") {
  writer w;
  for (std::string const text : {"", "no end of line", "a line\n", "crc 5\n", "crc "}) {
    {
      sim_folder f{simulated::files{w.disk}, "d"};
      f.open();
      (void)f.note();
      f.keep_note(text);
    }
    sim_folder f{simulated::files{w.disk}, "d"};
    f.open();
    CHECK(f.note() == text);
  }
}

TEST_CASE("a header that was torn behind its name is no later version's") {
  temporary_folder const t;
  std::filesystem::create_directory(t.path / "log");
  write_file(t.path / "log" / d::log_segment_name(0), "sluiceW" + std::string(33, '\0'));
  d::log_folder<d::posix_files> f{{}, t.name() + "/log"};
  f.open();
  CHECK(f.end() == 0);
}

TEST_CASE("on a real disk: modes, lock, damage with its place, newer formats") {
  temporary_folder const t;
  auto const path = t.name() + "/log";
  using real = d::log_folder<d::posix_files>;
  auto const segment = [&](std::uint64_t first) { return t.path / "log" / d::log_segment_name(first); };
  auto const code = [&] {
    try {
      real f{{}, path};
      f.open();
    } catch (sl::error const& e) { return std::pair{e.code(), std::string{e.what()}}; }
    return std::pair{sl::errc{}, std::string{}};
  };
  {
    real f{{}, path};
    f.open();
    for (std::uint64_t n = 0; n < 12; n += 2)
      append(f, frames_of({std::to_string(n) + " one", std::to_string(n) + " two"}, n), 2, 90);
    namespace fs = std::filesystem;
    CHECK((fs::status(path).permissions() & fs::perms::all) == fs::perms::owner_all);
    CHECK((fs::status(segment(0)).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
    CHECK(code().first == sl::errc::store_unavailable);
    CHECK(code().second.find("in use by another consumer") != std::string::npos);
  }
  REQUIRE(code().first == sl::errc{});
  std::vector<std::uint64_t> firsts;
  for (std::uint64_t n = 0; n < 12; ++n)
    if (std::filesystem::exists(segment(n))) firsts.push_back(n);
  REQUIRE(firsts.size() >= 3);

  auto const changed = [&](std::uint64_t first, auto change) {
    auto const was = content_of(segment(first));
    auto now = was;
    change(now);
    write_file(segment(first), now);
    auto const said = code();
    write_file(segment(first), was);
    REQUIRE(code().first == sl::errc{});
    return said;
  };
  auto const flip = [](std::size_t at) { return [at](std::string& s) { s[at] = static_cast<char>(s[at] ^ 1); }; };
  auto const said = changed(0, flip(62));
  CHECK(said.first == sl::errc::store_damaged);
  CHECK(said.second.find(d::log_segment_name(0) + " is damaged at byte 56: record 0") != std::string::npos);
  CHECK(changed(firsts[1], flip(3)).first == sl::errc::store_damaged);
  CHECK(changed(firsts[1], [](std::string& s) { s.resize(s.size() - 5); }).first == sl::errc::store_damaged);
  CHECK(changed(firsts[1], [](std::string& s) { s[7] = '2'; }).first == sl::errc::store_newer);
  std::filesystem::rename(segment(firsts[1]), t.path / "elsewhere");
  {
    real f{{}, path};  // a gap: what lies before it was removed once, or the position will say that it is missing
    f.open();
    CHECK(f.low() == firsts[2]);
    CHECK(std::filesystem::exists(segment(0)));
  }
  std::filesystem::rename(t.path / "elsewhere", segment(firsts[1]));
  REQUIRE(code().first == sl::errc{});

  // In the last segment: damage with a synced group behind it is no torn end.
  {
    real f{{}, path};
    f.open();
    auto const n = f.end();
    append(f, frames_of({"a"}, n), 1, 10);  // a segment of its own
    append(f, frames_of({"b"}, n + 1), 1, 100'000);
    append(f, frames_of({"c"}, n + 2), 1, 100'000);
  }
  std::uint64_t const last = 12;
  CHECK(changed(last, flip(80)).first == sl::errc::store_damaged);
  auto const text = content_of(segment(last));
  for (std::size_t n = text.size() - 1; n > text.size() - 23; --n) {
    write_file(segment(last), text.substr(0, n));
    real f{{}, path};
    f.open();
    CHECK(f.end() == 14);
  }
}

TEST_CASE("a group of any size is on a real disk as it was, whatever pieces it is written in") {
  temporary_folder const t;
  std::map<std::uint64_t, std::string> given;
  {
    d::log_folder<d::posix_files> f{{}, t.name() + "/log"};
    f.open();
    for (std::size_t const size : {1u << 17, (1u << 17) - 30, (1u << 18) + 1, 700'000u}) {
      auto const from = f.end();
      given[from] = std::string(size, static_cast<char>('a' + from));
      given[from + 1] = "short";
      append(f, frames_of({given[from], given[from + 1]}, from), 2, 64 << 20);
    }
    CHECK(all_of(f) == given);
  }
  d::log_folder<d::posix_files> again{{}, t.name() + "/log"};
  again.open();
  CHECK(all_of(again) == given);
}

TEST_CASE("no folder, or one that is a link") {
  temporary_folder const t;
  auto const code = [](std::string const& path) {
    try {
      d::log_folder<d::posix_files> f{{}, path};
      f.open();
    } catch (sl::error const& e) { return e.code(); }
    return sl::errc{};
  };
  CHECK(code("") == sl::errc::bad_configuration);
  CHECK(code(t.name() + "/no/such") == sl::errc::bad_configuration);
  CHECK(code(t.name() + "/made///") == sl::errc{});
  write_file(t.path / "file", "x");
  CHECK(code(t.name() + "/file") == sl::errc::bad_configuration);
  std::filesystem::create_directory(t.path / "log");
  std::filesystem::create_symlink(t.path / "file", t.path / "log" / d::log_segment_name(0));
  CHECK(code(t.name() + "/log") == sl::errc::store_unavailable);
}
