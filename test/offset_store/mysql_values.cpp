#include <sluice/offset_store/mysql_values.hpp>

#include "catch.hpp"
#include "thrown.hpp"

namespace m = sluice::detail::mysql;

TEST_CASE("values are bound by their type") {
  m::parameters p{
      1, 2u, 0.5, true, "text", std::string_view{}, sl::bytes{}, nullptr, std::optional<int>{}, sl::offset{9}};
  REQUIRE(p.size() == 10);
  auto const* b = p.get();
  CHECK(*static_cast<long long*>(b[0].buffer) == 1);
  CHECK_FALSE(b[0].is_unsigned);
  CHECK(b[1].is_unsigned);
  CHECK(b[2].buffer_type == MYSQL_TYPE_DOUBLE);
  CHECK(*b[4].length == 4);
  for (int const i : {5, 6, 7, 8}) CHECK(b[i].buffer_type == MYSQL_TYPE_NULL);
  CHECK(*static_cast<long long*>(b[9].buffer) == 9);
  CHECK(p.bytes_held() == 4);
}

TEST_CASE("many values of a column keep their nulls, and bytes make it one of bytes") {
  m::many_values v;
  CHECK(v.add(5) == 1);
  CHECK(v.add(std::optional<std::string>{}) == 0);
  CHECK(v.add(sl::as_bytes(std::string_view{"a\0b", 3})) == 3);
  CHECK(v.add(nullptr) == 0);
  CHECK(v.at(0) == "5");
  CHECK_FALSE(v.at(1));
  CHECK(v.at(2) == std::string_view("a\0b", 3));
  auto const b = v.bind();
  CHECK(b.buffer_type == MYSQL_TYPE_BLOB);
  CHECK(b.length[2] == 3);
  CHECK(b.u.indicator[3] == STMT_INDICATOR_NULL);
}

TEST_CASE("a row's value is read as what it is") {
  std::vector<m::cell> const cells{{std::int64_t{-1}},   {std::uint64_t{1} << 63}, {0.5},
                                   {std::string("1.5")}, {std::string("b"), true}, {}};
  sl::mysql_row const row{cells.data(), 6};
  CHECK(row.get<int>(0) == -1);
  CHECK(row.get<double>(0) == -1.0);
  CHECK(row.get<std::uint64_t>(1) == std::uint64_t{1} << 63);
  CHECK(row.get<double>(3) == 1.5);
  CHECK(row.get<std::string>(4) == "b");
  CHECK(row.get<sl::bytes>(4).size() == 1);
  CHECK_FALSE(row.get<std::optional<int>>(5));
  for (auto const& e : {error_of([&] { (void)row.get<unsigned>(0); }),
                        error_of([&] { (void)row.get<std::int64_t>(1); }), error_of([&] { (void)row.get<int>(2); }),
                        error_of([&] { (void)row.get<int>(3); }), error_of([&] { (void)row.get<sl::bytes>(3); }),
                        error_of([&] { (void)row.get<int>(5); }), error_of([&] { (void)row.get<int>(6); })})
    CHECK(e.code == sl::errc::bad_statement);
}
