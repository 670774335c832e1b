#include <sluice/detail/password.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "thrown.hpp"

TEST_CASE("a password is read from where it lies, each time") {
  temporary_folder const folder;
  auto const file = folder.name() + "/secret";
  sl::detail::password_source by_file{.file = file};
  write_file(file, "one\r\n");
  CHECK(by_file.read("p") == "one");
  write_file(file, "two");
  CHECK(by_file.read("p") == "two");
  CHECK(sl::detail::password_source{.text = "x"}.read("p") == "x");
  ::setenv("SLUICE_TEST_PASSWORD", "y", 1);
  CHECK(sl::detail::password_source{.variable = "SLUICE_TEST_PASSWORD"}.read("p") == "y");
  CHECK(sl::detail::password_source{}.read("p").empty());
  CHECK(sl::detail::password_source{"a", "b", {}}.ways() == 2);
}

TEST_CASE("a password that is not there is told with its key") {
  for (auto const& [source, key] :
       {std::pair{sl::detail::password_source{.file = "/nowhere"}, "p.password_file"},
        std::pair{sl::detail::password_source{.variable = "NOBODY_SET_THIS"}, "p.password_variable"}}) {
    auto const e = error_of([&] { (void)source.read("p"); });
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK(e.of_store);
    CHECK_THAT(e.text, Catch::Matchers::ContainsSubstring(key));
  }
}
