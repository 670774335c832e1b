#include <sluice/offset_store/hosted_files.hpp>

#include "file_server_in_memory.hpp"
#include "thrown.hpp"

namespace {

using names = std::vector<std::string>;

template <bool Renames>
struct on_server {
  using files_t = sl::detail::hosted_files<in_memory::server<Renames>>;
  in_memory::world w{1};
  files_t files{{w, std::make_shared<bool>(false)}};
  typename files_t::handle root{};

  on_server() { files.open_directory("/d", root); }
  int write(std::string const& name, std::string const& content) {
    typename files_t::handle file;
    files.create(root, name, file);
    files.write(file, content, 0);
    return files.sync(file);
  }
  std::string read(std::string const& name, std::uint64_t at = 0, std::size_t count = 100) {
    typename files_t::handle file;
    std::string text;
    if (files.open_to_read(root, name, file) || files.read(file, at, count, text)) return "none";
    return text;
  }
};

template <bool Renames>
void as_on_a_disk() {
  on_server<Renames> s;
  auto& files = s.files;
  names all;
  CHECK(files.list(s.root, all) == 0);
  CHECK(s.write("one", "content") == 0);
  CHECK(s.w.files == std::map<std::string, std::string>{{"/d/one", "content"}});
  CHECK(s.write("one", "other") == EEXIST);
  CHECK(s.w.files.at("/d/one") == "content");

  // A temporary file has its name by publish only; one that is taken stays.
  CHECK(s.write("temporary.a", "new") == 0);
  CHECK(s.w.files.contains("/d/two") == false);
  CHECK(files.publish(s.root, "temporary.a", "two") == 0);
  CHECK(s.w.files.at("/d/two") == "new");
  CHECK(s.write("temporary.b", "late") == 0);
  CHECK(files.publish(s.root, "temporary.b", "two") == EEXIST);
  CHECK(s.w.files.at("/d/two") == "new");
  CHECK(files.remove(s.root, "temporary.b") == 0);
  CHECK(files.publish(s.root, "temporary.b", "three") == ENOENT);

  CHECK(files.list(s.root, all) == 0);
  std::erase_if(all, [](auto const& n) { return n.starts_with("temporary."); });
  CHECK(all == names{"one", "two"});
  CHECK(s.read("two") == "new");
  CHECK(s.read("none") == "none");
  CHECK(files.is_there(s.root, "one"));
  CHECK(files.remove(s.root, "one") == 0);
  CHECK(files.remove(s.root, "one") == 0);  // it need not be there
  CHECK_FALSE(files.is_there(s.root, "one"));

  // Nothing was sent of what was never synced.
  typename on_server<Renames>::files_t::handle unsent;
  files.create(s.root, "unsent", unsent);
  files.write(unsent, "x", 0);
  CHECK(files.remove(s.root, "unsent") == 0);
  CHECK_FALSE(s.w.files.contains("/d/unsent"));
}

}  // namespace

TEST_CASE("files on a server that renames are as on a disk") { as_on_a_disk<true>(); }
TEST_CASE("files on a server that only creates are as on a disk") { as_on_a_disk<false>(); }

TEST_CASE("what was fetched once is not fetched again, and what was written here not at all") {
  on_server<false> s;
  std::string large(2'500'000, 'x');
  large[1'500'000] = 'y';
  s.w.files["/d/large"] = large;
  on_server<false>::files_t::handle file;
  REQUIRE(s.files.open_to_read(s.root, "large", file) == 0);
  std::uint64_t size = 0;
  s.files.size(file, size);
  CHECK(size == large.size());
  std::string text;
  CHECK(s.files.read(file, 1'499'999, 3, text) == 0);
  CHECK(text == "xyx");
  s.w.files["/d/large"] = std::string(2'500'000, 'z');  // never happens: it shows what is asked for
  CHECK(s.files.read(file, 1'048'576, 2, text) == 0);
  CHECK(text == "xx");
  CHECK(s.files.read(file, 2'499'998, 10, text) == 0);
  CHECK(text == "zz");
  s.write("mine", "mine");
  s.w.files["/d/mine"] = "xxxx";
  CHECK(s.read("mine") == "mine");
}

TEST_CASE("no answer is EIO where nobody knows, and an error where nothing was done") {
  on_server<false> creates;
  CHECK(creates.write("temporary.a", "1") == 0);
  creates.w.trouble = 1000;
  creates.w.random.seed(3);
  int e = 0;
  try {
    e = creates.files.publish(creates.root, "temporary.a", "one");
  } catch (in_memory::died const&) { e = EIO; }
  CHECK(e == EIO);
  names all;
  auto const told = error_of([&] {
    for (int i = 0; i < 20; ++i) {
      try {
        creates.files.list(creates.root, all);
      } catch (in_memory::died const&) { throw sl::store_error{sl::errc::store_unavailable, "died"}; }
    }
  });
  CHECK(told.code == sl::errc::store_unavailable);
}
