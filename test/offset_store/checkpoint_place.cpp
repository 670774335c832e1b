#include <sluice/offset_store/checkpoint_place.hpp>

#include <functional>

#include "detail/temporary_folder.hpp"
#include "thrown.hpp"

namespace {

using namespace sl::detail;
namespace fs = std::filesystem;

struct on_disk {
  temporary_folder in{};
  posix_files files{};
  unique_fd root{};
  std::string path = in.name();
  on_disk() { files.open_directory(path, root); }
  local_segments<posix_files> place() { return {files, root, path}; }
};

/// Somebody else does something when the first file is about to be locked.
struct interrupted_files : posix_files {
  std::function<void()> before_lock{};
  bool lock(handle const& of) {
    if (before_lock) std::exchange(before_lock, {})();
    return posix_files::lock(of);
  }
};

}  // namespace

TEST_CASE("segments' names are their numbers, and nothing else is") {
  CHECK(segment_name(0x123) == "segment.0000000000000123");
  CHECK(segment_number("segment.0000000000000123") == 0x123u);
  for (auto const* name :
       {"segment.123", "segment.000000000000012G", "damaged.segment.0000000000000123", "", "segment."})
    CHECK_FALSE(segment_number(name));
}

TEST_CASE("what was written is read, and a name costs a sync only now and then") {
  on_disk d;
  auto p = d.place();
  CHECK_FALSE(p.has_folder());
  CHECK_FALSE(p.open(5));
  auto const to = p.create();
  std::string const large(300'000, 'x');
  to->append("head");
  to->append(large);
  CHECK(to->finish());
  auto const from = p.open(to->id());
  REQUIRE(from);
  CHECK(from->size() == 300'004);
  std::string text;
  from->read(2, 4, text);
  CHECK(text == "adxx");
  from->read(300'000, 100, text);
  CHECK(text == "xxxx");
  CHECK(p.name_of(to->id()) == d.path + "/segments/" + segment_name(to->id()));
  p.remove(to->id());
  CHECK_FALSE(p.open(to->id()));
}

TEST_CASE("what dead processes left is taken away, but not what counts or is being written") {
  on_disk d;
  std::uint64_t counts = 0, left = 0;
  {
    auto p = d.place();
    auto const a = p.create(), b = p.create();
    counts = a->id();
    left = b->id();
    for (auto const& s : {&a, &b}) {
      (*s)->append("x");
      CHECK((*s)->finish());
    }
  }
  CHECK(std::distance(fs::directory_iterator{d.path + "/segments"}, {}) == 2);  // names that were not used are gone
  auto living = d.place();
  auto const writing = living.create();
  auto p = d.place();
  p.remove_left_behind([&] { return [&](std::uint64_t id) { return id == counts; }; });
  CHECK(p.open(counts));
  CHECK_FALSE(p.open(left));
  CHECK(p.open(writing->id()));
}

TEST_CASE("a name that another one removes, or looks at, before it is locked is not used") {
  on_disk d;
  interrupted_files files;
  auto other = d.place();
  std::vector<unique_fd> looking;
  bool const removes = GENERATE(true, false);
  std::size_t met = 0;
  files.before_lock = [&] {
    for (auto const id : other.all()) {
      ++met;
      if (!removes) {
        d.files.open_to_write(other.folder(), segment_name(id), looking.emplace_back());
        CHECK(d.files.lock(looking.back()));
      }
    }
    if (removes) other.remove_left_behind([] { return [](std::uint64_t) { return false; }; });
  };
  local_segments<interrupted_files> p{files, d.root, d.path};
  for (int i = 0; i < 20; ++i) {
    auto const to = p.create();
    to->append("x");
    CHECK(to->finish());
    CHECK(p.open(to->id()));
    other.remove_left_behind([] { return [](std::uint64_t) { return false; }; });
    CHECK(p.open(to->id()));
  }
  CHECK(met == 1);
}

TEST_CASE("a folder that was taken back while it was empty, and made again, is looked into again") {
  on_disk d;
  auto early = d.place();
  fs::create_directory(d.in.path / "segments");
  CHECK_FALSE(early.open(1));  // it has the folder open now
  fs::remove(d.in.path / "segments");
  auto p = d.place();
  auto const to = p.create();
  to->append("x");
  CHECK(to->finish());
  CHECK(early.open(to->id()));
}

TEST_CASE("a segment is not read through a symbolic link, and its folder must be one") {
  on_disk d;
  temporary_folder elsewhere;
  fs::create_directory_symlink(elsewhere.path, d.in.path / "segments");
  auto p = d.place();
  CHECK(error_of([&] { p.create(); }).code == sl::errc::store_unavailable);
  CHECK(fs::is_empty(elsewhere.path));
}
