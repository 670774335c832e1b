#include <sluice/state/codec.hpp>

#include <limits>
#include <random>

#include "seed.hpp"
#include "thrown.hpp"

namespace {

enum class colour : std::uint16_t { red = 1, blue = 0x1234 };

struct visit {
  std::int64_t count = 0;
  std::string last{};
  friend bool operator==(visit const&, visit const&) = default;
};
struct grown {
  std::int64_t count = 0;
  std::string last{};
  double share = 0;
  friend bool operator==(grown const&, grown const&) = default;
};
struct unknown {};
struct nothing {};
struct raised {
  int n = 0;
};

}  // namespace

template <>
struct sluice::codec<visit> : sluice::members_of<&visit::count, &visit::last> {};
template <>
struct sluice::codec<grown> : sluice::members_of<&grown::count, &grown::last, &grown::share> {
  static constexpr std::uint32_t version = 2;
  static grown decode(sluice::decoder& from, std::uint32_t written) {
    return written == 1 ? sluice::members_of<&grown::count, &grown::last>::read(from) : read(from);
  }
};

template <>
struct sluice::codec<nothing> {
  static void encode(sluice::encoder&, nothing) {}
  static nothing decode(sluice::decoder&) { return {}; }
};
template <>
struct sluice::codec<raised> : sluice::members_of<&raised::n> {
  static constexpr std::uint32_t version = 2;
};

namespace {

template <class T>
void comes_back(T const& value) {
  CHECK(sl::decoded<T>(sl::encoded(value)) == value);
}
std::string bytes(std::initializer_list<int> all) {
  std::string s;
  for (auto const b : all) s += static_cast<char>(b);
  return s;
}

}  // namespace

static_assert(sl::encodable<visit> && sl::encodable<std::vector<visit>> && !sl::encodable<unknown> &&
              !sl::encodable<std::vector<unknown>> && !sl::encodable<char const*>);

static_assert(!sl::detail::reads_what_it_writes<sl::codec<raised>>());
static_assert(sl::detail::reads_what_it_writes<sl::codec<grown>>() &&
              sl::detail::reads_what_it_writes<sl::codec<visit>>() &&
              sl::detail::reads_what_it_writes<sl::codec<int>>());

TEST_CASE("a vector of what takes no bytes is refused when it is written, and a number of them makes no work") {
  auto const e = error_of([] { (void)sl::encoded(std::vector<nothing>(3)); });
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_THAT(e.text, ContainsSubstring("keep their number instead"));
  CHECK_THROWS_AS(sl::encoded(std::vector<std::tuple<>>(1)), sl::error);
  CHECK(sl::decoded<std::vector<nothing>>(sl::encoded(std::vector<nothing>{})).empty());
  comes_back(std::vector<std::optional<std::string>>(3));
  CHECK_THROWS_AS(sl::decoded<std::vector<nothing>>(bytes({0xFF, 0xFF, 0xFF, 0xFF, 1})), sl::unreadable);
  sl::decoder huge{"\xFF\xFF\xFF\xFF"};
  CHECK_THROWS_AS(huge.length(0), sl::unreadable);
}

TEST_CASE("bytes are fixed, for ever") {
  CHECK(sl::encoded(std::int32_t{-2}) == bytes({0xFE, 0xFF, 0xFF, 0xFF}));
  CHECK(sl::encoded(std::uint64_t{0x0102030405060708}) == bytes({8, 7, 6, 5, 4, 3, 2, 1}));
  CHECK(sl::encoded(std::int8_t{-1}) == bytes({0xFF}));
  CHECK(sl::encoded(true) == bytes({1}));
  CHECK(sl::encoded(colour::blue) == bytes({0x34, 0x12}));
  CHECK(sl::encoded(1.0) == bytes({0, 0, 0, 0, 0, 0, 0xF0, 0x3F}));
  CHECK(sl::encoded(std::string{"ab"}) == bytes({2, 0, 0, 0, 'a', 'b'}));
  CHECK(sl::encoded(std::vector<std::int16_t>{1, 2}) == bytes({2, 0, 0, 0, 1, 0, 2, 0}));
  CHECK(sl::encoded(std::optional<std::uint8_t>{7}) == bytes({1, 7}));
  CHECK(sl::encoded(std::chrono::milliseconds{3}) == bytes({3, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(sl::encoded(visit{1, "x"}) == bytes({1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 'x'}));
}

TEST_CASE("values come back") {
  comes_back(std::numeric_limits<std::int64_t>::min());
  comes_back(std::numeric_limits<std::uint64_t>::max());
  comes_back(-0.0);
  comes_back(std::numeric_limits<float>::infinity());
  comes_back(std::string{"a\0b", 3});
  comes_back(std::string(100'000, 'x'));
  comes_back(std::vector<std::string>{"", "a", std::string(3, '\0')});
  comes_back(std::vector<visit>{{1, "a"}, {2, ""}});
  comes_back(std::optional<std::string>{});
  comes_back(std::pair<std::string, int>{"a", 1});
  comes_back(std::tuple<int, bool, std::string>{1, false, "z"});
  comes_back(std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{-62'135'596'800'000}});
}

TEST_CASE("an older program's bytes are read, a newer one's are refused") {
  CHECK(sl::decoded<grown>(sl::encoded(visit{5, "five"})) == grown{5, "five", 0});
  comes_back(grown{5, "five", 0.5});
  auto const e = error_of([] { (void)sl::decoded<visit>(sl::encoded(grown{5, "five", 0.5})); });
  CHECK(e.code == sl::errc::store_newer);
  CHECK_THAT(e.text, ContainsSubstring("version 2") && ContainsSubstring("up to 1"));
  CHECK(error_of([] { (void)sl::decoded<visit>(bytes({0, 0, 0, 0})); }).code == sl::errc::store_damaged);
}

TEST_CASE(
    "bytes that were cut, grown or changed are refused, or are a value; nothing is made room for that isn't there") {
  auto const whole = sl::encoded(std::vector<visit>{{1, "one"}, {2, "two"}, {3, "three"}});
  for (std::size_t n = 0; n < whole.size(); ++n)
    CHECK_THROWS_AS(sl::decoded<std::vector<visit>>(std::string_view{whole}.substr(0, n)), sl::unreadable);
  CHECK_THROWS_AS(sl::decoded<std::vector<visit>>(whole + "x"), sl::unreadable);
  CHECK_THROWS_AS(sl::decoded<std::vector<std::uint8_t>>(bytes({0xFF, 0xFF, 0xFF, 0xFF, 1})), sl::unreadable);
  CHECK_THROWS_AS(sl::decoded<std::string>(bytes({0xFF, 0xFF, 0xFF, 0x7F})), sl::unreadable);
  CHECK_THROWS_AS(sl::decoded<bool>(bytes({2})), sl::unreadable);
  std::mt19937 random{seed()};
  for (int i = 0; i < 20'000; ++i) {
    auto bent = whole;
    bent[random() % bent.size()] ^= static_cast<char>(1u << random() % 8);
    try {
      (void)sl::decoded<std::vector<visit>>(bent);
    } catch (sl::unreadable const&) {}
  }
}
