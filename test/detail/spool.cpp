#include <sluice/detail/spool.hpp>

#include "catch.hpp"
#include "thrown.hpp"

using sl::detail::spool;

TEST_CASE("a spool gives back what was written, in memory and beyond") {
  spool s;
  CHECK(spool::view{s}.text().empty());
  std::string out = "x";
  s.read(0, 10, out);
  CHECK(out.empty());
  std::string wanted;
  auto const write = [&](std::string const& text, std::size_t at) {
    wanted.resize(std::max(wanted.size(), at + text.size()));
    wanted.replace(at, text.size(), text);
    s.write(text, at);
    CHECK(s.size() == wanted.size());
    CHECK((spool::view{s}.text() == wanted));
    for (auto const from : {std::size_t{0}, wanted.size() / 2, wanted.size()}) {
      s.read(from, 100, out);
      CHECK(out == wanted.substr(from, 100));
    }
  };
  write("hello", 0);
  write("behind a hole", 100);
  write("HE", 0);
  write(std::string(300'000, 'y'), 50);
  write("over", 10);
  write("far", 2'000'000);
}

TEST_CASE("a spool that finds no room says so") {
  auto const* const before = std::getenv("TMPDIR");
  std::string const was = before ? before : "";
  ::setenv("TMPDIR", "/nowhere", 1);
  spool s;
  s.write("small", 0);
  auto const e = error_of([&] { s.write(std::string(300'000, 'x'), 0); });
  before ? ::setenv("TMPDIR", was.c_str(), 1) : ::unsetenv("TMPDIR");
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("can't make a file in /nowhere"));
}
