#include <sluice/offset_store/postgres_parameters.hpp>

#include <array>
#include <limits>

#include "catch.hpp"
#include "some_records.hpp"

namespace {

namespace pg = sl::detail::postgres;
using namespace std::chrono_literals;
using text = std::optional<std::string>;

}  // namespace

TEST_CASE("values are written as PostgreSQL reads them") {
  CHECK(pg::text_of(true) == text{"t"});
  CHECK(pg::text_of(false) == text{"f"});
  CHECK(pg::text_of(std::numeric_limits<std::int64_t>::min()) == text{"-9223372036854775808"});
  CHECK(pg::text_of(std::uint8_t{200}) == text{"200"});
  CHECK(pg::text_of(0.1) == text{"0.1"});
  CHECK(pg::text_of(std::numeric_limits<double>::infinity()) == text{"inf"});
  CHECK(pg::text_of(sl::offset{7}) == text{"7"});
  CHECK(pg::text_of(sl::wall_time{99ms}) == text{"99"});
  CHECK(pg::text_of("it's") == text{"it's"});
  CHECK(pg::text_of(std::string_view{"a\\b"}) == text{"a\\b"});
  CHECK(pg::text_of(std::array{std::byte{0}, std::byte{255}}) == text{"\\x00ff"});
  CHECK(pg::text_of(std::optional{3}) == text{"3"});
}

TEST_CASE("what is missing is null, what is empty is not") {
  CHECK(pg::text_of(nullptr) == text{});
  CHECK(pg::text_of(std::nullopt) == text{});
  CHECK(pg::text_of(std::optional<int>{}) == text{});
  CHECK(pg::text_of(std::string_view{}) == text{});
  CHECK(pg::text_of(sl::bytes{}) == text{});
  CHECK(pg::text_of(static_cast<char const*>(nullptr)) == text{});
  CHECK(pg::text_of(std::string{}) == text{""});
  CHECK(pg::text_of(sl::as_bytes(std::string_view{""})) == text{"\\x"});
}

TEST_CASE("a text with a zero byte is refused, not cut") {
  auto const e = error_of([] { pg::text_of(std::string_view{"CANARY\0b", 8}); });
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_THAT(e.text, Catch::Matchers::ContainsSubstring("sl::bytes") && !Catch::Matchers::ContainsSubstring("CANARY"));
}

TEST_CASE("bytes have a type, of all else the server finds it") {
  auto const p = pg::parameters::of(1, "a", sl::as_bytes(std::string_view{"b"}), std::optional<sl::bytes>{}, nullptr);
  CHECK(p.types() == std::vector<unsigned>{0, 0, pg::bytea_type, pg::bytea_type, 0});
  auto const v = p.view();
  REQUIRE(v.count == 5);
  CHECK(v.values[0] == std::string{"1"});
  CHECK(v.values[2] == std::string{"\\x62"});
  CHECK(v.values[3] == nullptr);
  CHECK(v.values[4] == nullptr);
}

TEST_CASE("an array's elements are quoted, and null is not the text null") {
  CHECK(pg::array{}.text() == "{}");
  CHECK(pg::array{}.add(1).add(nullptr).add("null").add("").text() == R"({"1",null,"null",""})");
  CHECK(pg::array{}.add(R"(a"b\c,{d})").text() == R"({"a\"b\\c,{d}"})");
}
