#include <sluice/detail/file_names.hpp>

#include <random>
#include <set>

#include "catch.hpp"

using namespace sluice::detail;

TEST_CASE("any text becomes the name of a file, and comes back") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  std::set<std::string> texts{"",   "%",   "%%",    ".",     "..", "...", "a.b",
                              ".a", "a/b", "a%2Fb", "a%2fb", "A",  "a",   "\xc3\xa9"};
  texts.emplace("\0", 1);
  for (int i = 0; i < 300; ++i) {
    std::string text(random() % 6, ' ');
    for (auto& c : text) c = "./%2Fa\0\xff"[random() % 8];
    texts.insert(text);
  }
  std::set<std::string> names;
  for (auto const& text : texts) {
    auto const name = file_name(text);
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.%") == name.npos);
    CHECK(name.front() != '.');
    CHECK(text_of_file_name(name) == text);
    names.insert(name);
  }
  CHECK(names.size() == texts.size());
}

TEST_CASE("what file_name never gives is no name") {
  for (auto const* const name : {".", "..", "%2", "%2f", "%61", "a/b", "a b", "%%", "a%"})
    CHECK_FALSE(text_of_file_name(name));
}

TEST_CASE("a text too long for one name is a path, and no two share one") {
  std::set<std::vector<std::string>> paths;
  for (std::size_t n = 0; n < 1000; ++n)
    for (char const c : {'x', '.'}) {
      auto const path = folder_names(std::string(n, c));
      for (auto const& name : path) {
        CHECK(name.size() <= longest_file_name + 3);
        CHECK_FALSE(name.starts_with('.'));
      }
      paths.insert(path);
    }
  CHECK(paths.size() == 1999);  // of the empty text there is one
  using names = std::vector<std::string>;
  CHECK(folder_names("orders") == names{"orders"});
  std::string const full(200, 'x');
  CHECK(folder_names(full) == names{full});
  CHECK(folder_names(full + "a.") == names{full + "+", "a."});
  CHECK(folder_names(full + "..") == names{full + "+", "%2E."});
}

TEST_CASE("padded numbers sort as numbers, and only they are read") {
  CHECK(padded(42) == "00000000000000000042");
  CHECK(padded(9) < padded(10));
  CHECK(padded_number(padded(42)) == 42u);
  CHECK(padded_number(padded(0)) == 0u);
  CHECK(padded_number(padded(UINT64_MAX)) == UINT64_MAX);
  for (auto const* const text :
       {"", "42", "0000000000000000004x", "000000000000000000042", "99999999999999999999", "18446744073709551616"})
    CHECK_FALSE(padded_number(text));
}
