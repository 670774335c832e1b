#include <sluice/detail/secret.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"

namespace sl = sluice;
using sl::detail::has_secret;
using sl::detail::read_secret;

TEST_CASE("a secret comes from one place: text, a file, a variable") {
  temporary_folder const folder;
  auto const file = folder.name() + "/secret";
  write_file(file, "open sesame\r\n\n");
  ::setenv("SLUICE_TEST_SECRET", "from outside", 1);
  CHECK(read_secret("x", "as it is\n", "", "") == "as it is\n");
  CHECK(read_secret("x", "", file, "") == "open sesame");
  CHECK(read_secret("x", "", "", "SLUICE_TEST_SECRET") == "from outside");
  CHECK(read_secret("x", "", "", "").empty());
  CHECK(has_secret("x", "", file, ""));
  CHECK_FALSE(has_secret("x", "", "", ""));
}

TEST_CASE("a secret that is given twice, or nowhere to be found") {
  auto const told = [](auto what) {
    try {
      what();
    } catch (sl::error const& e) {
      CHECK(e.code() == sl::errc::bad_configuration);
      return std::string{e.what()};
    }
    return std::string{};
  };
  temporary_folder const folder;
  write_file(folder.path / "empty", "\n");
  ::setenv("SLUICE_TEST_SECRET", "", 1);
  CHECK(told([] { has_secret("x", "canary", "f", ""); }).find("x.password is given in more than one way") !=
        std::string::npos);
  CHECK_FALSE(told([] { has_secret("x", "canary", "", "V"); }).empty());
  CHECK_FALSE(told([] { has_secret("x", "", "f", "V"); }).empty());
  CHECK(told([] { read_secret("x", "", "/no/such", ""); }).find("x.password_file = /no/such") != std::string::npos);
  CHECK_FALSE(told([&] { read_secret("x", "", folder.name() + "/empty", ""); }).empty());
  CHECK(told([] { read_secret("x", "", "", "SLUICE_TEST_SECRET"); }).find("no SLUICE_TEST_SECRET") !=
        std::string::npos);
  CHECK(told([] { has_secret("x", "canary", "f", ""); }).find("canary") == std::string::npos);
}
