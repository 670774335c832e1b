#include <sluice/detail/sql_values.hpp>

#include "catch.hpp"

namespace {
namespace sl = sluice;

struct row {
  template <class T>
  T get(int i) const {
    return static_cast<T>(10 + i);
  }
};

static_assert(sl::detail::is_optional<std::optional<int>>);
static_assert(!sl::detail::is_optional<int>);
static_assert(!sl::detail::dependent_false<int>);

}  // namespace

TEST_CASE("a row is read as a tuple, column by column") {
  auto const [a, b] = sl::detail::row_as<int, double>(row{});
  CHECK(a == 10);
  CHECK(b == 11.0);
  CHECK(sl::detail::row_as<>(row{}) == std::tuple<>{});
}

TEST_CASE("numbers as SQL reads them") {
  using sl::detail::number_text;
  CHECK(number_text(-7) == "-7");
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(18446744073709551615u) == "18446744073709551615");
  CHECK(number_text(true) == "1");
  CHECK(number_text(sl::offset{5}) == "5");
  CHECK(number_text(sl::wall_time{std::chrono::milliseconds{99}}) == "99");
}
