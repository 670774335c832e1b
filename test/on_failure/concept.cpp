#include <sluice/on_failure/concept.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
struct table {
  void set_aside(std::string const&, sl::dead_letter const&) {}
};
struct nameless_table {
  void set_aside(sl::dead_letter const&) {}
};
struct folder {
  void keep(sl::dead_letter const&, sl::time_point) {}
  void flush(sl::time_point) {}
};
struct never_durable {
  void keep(sl::dead_letter const&, sl::time_point) {}
};
struct changes_letters : folder {
  void keep(sl::dead_letter&, sl::time_point) {}
};

static_assert(sl::sets_aside<table> && !sl::sets_aside<nameless_table> && !sl::sets_aside<folder>);
static_assert(sl::dead_letter_home<folder> && !sl::dead_letter_home<never_durable> && !sl::dead_letter_home<table>);
static_assert(!sl::dead_letter_home<changes_letters>, "a letter is its reader's to keep, not to change");
}  // namespace

TEST_CASE("a dead letter was tried at least once") { CHECK(sl::dead_letter{}.attempts == 1); }
