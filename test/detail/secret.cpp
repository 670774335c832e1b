#include <sluice/detail/secret.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"

using namespace sluice::detail;
using Catch::Matchers::ContainsSubstring;

namespace {

template <class F>
std::string said(F what) {
  try {
    what();
  } catch (sluice::error const& e) {
    CHECK(e.code() == sluice::errc::bad_configuration);
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("a secret comes from its text, its file or its variable, each time as it is then") {
  CHECK(read_secret({.text = "a b"}, "p.password") == "a b");
  CHECK(read_secret({}, "p.password").empty());
  temporary_folder const folder;
  auto const file = folder.name() + "/secret";
  write_file(file, "one\r\n\n");
  CHECK(read_secret({.file = file}, "p.password") == "one");
  write_file(file, "two");
  CHECK(read_secret({.file = file}, "p.password") == "two");
  ::setenv("SLUICE_TEST_SECRET", "three", 1);
  CHECK(read_secret({.variable = "SLUICE_TEST_SECRET"}, "p.password") == "three");
}

TEST_CASE("what can't be read is told by its key, and two ways are one too many") {
  temporary_folder const folder;
  auto const file = folder.name() + "/none";
  CHECK_THAT(said([&] { read_secret({.file = file}, "p.password"); }), ContainsSubstring("p.password_file = " + file));
  write_file(file, "\n");
  CHECK_THAT(said([&] { read_secret({.file = file}, "p.password"); }), ContainsSubstring("is empty"));
  ::setenv("SLUICE_TEST_SECRET", "", 1);
  CHECK_THAT(said([&] { read_secret({.variable = "SLUICE_TEST_SECRET"}, "p.password"); }),
             ContainsSubstring("p.password_variable: the environment has no SLUICE_TEST_SECRET"));
  CHECK(said([&] { check_secret({.file = file}, "p.password"); }).empty());
  for (auto const& two : {secret{.text = "canary", .file = file}, secret{.text = "canary", .variable = "X"},
                          secret{.file = file, .variable = "X"}}) {
    auto const text = said([&] { check_secret(two, "p.password"); });
    CHECK_THAT(text, ContainsSubstring("p.password is given in more than one way: name one of password, password_file, "
                                       "password_variable") &&
                         !ContainsSubstring("canary"));
  }
}
