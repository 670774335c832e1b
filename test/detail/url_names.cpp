#include <sluice/detail/url_names.hpp>

#include <random>
#include <set>

#include "catch.hpp"
#include "seed.hpp"

using sluice::detail::is_plain_path;
using sluice::detail::url_name;

TEST_CASE("any text is a name for URLs") {
  CHECK(url_name("billing") == "billing");
  CHECK(url_name("a/b") == "a~2Fb");
  CHECK(url_name("a~2Fb") == "a~7E2Fb");
  CHECK(url_name("a%2Fb") == "a~252Fb");
  CHECK(url_name("") == "~");
  CHECK(url_name("~") == "~7E");
  CHECK(url_name("..") == "~2E.");
}

TEST_CASE("different texts have different names, of letters that no URL changes") {
  std::mt19937 random{seed()};
  std::set<std::string> texts, names;
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 4, ' ');
    for (auto& c : text) c = "~%2Fa./\xff"[random() % 8];
    texts.insert(text);
    auto const name = url_name(text);
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~") == name.npos);
    names.insert(name);
  }
  CHECK(names.size() == texts.size());
}

TEST_CASE("a text is made of small letters, digits and what is named") {
  CHECK(sluice::detail::is_made_of("", ""));
  CHECK(sluice::detail::is_made_of("az09", ""));
  CHECK(sluice::detail::is_made_of("a-B", "-B"));
  for (auto const* bad : {"A", "a b", "a-", "\xc3\xa9"}) CHECK_FALSE(sluice::detail::is_made_of(bad, ""));
}

TEST_CASE("a plain path needs no encoding and goes nowhere else") {
  for (auto const* good : {"", "a", "a/b", "a/", "a.b-c_D/9", "a/b.."}) CHECK(is_plain_path(good));
  for (auto const* bad : {"/", "/a", "a//b", ".", "..", "a/../b", "a/.b", "a b", "a?b", "a#b", "a%2Fb", "a~b", "a\nb",
                          "caf\xc3\xa9", "a:b", "a=b", "a\\b"}) {
    INFO(bad);
    CHECK_FALSE(is_plain_path(bad));
  }
}
