#include <sluice/record.hpp>

#include "batches.hpp"
#include "catch.hpp"

#include <algorithm>
#include <ranges>

namespace sl = sluice;
using namespace std::chrono_literals;

static_assert(std::is_trivially_copyable_v<sl::record>, "a view, as cheap as two pointers");
static_assert(sizeof(sl::record) == 2 * sizeof(void*));
static_assert(sizeof(sl::detail::message) == 40);
static_assert(std::ranges::forward_range<sl::headers>);
static_assert(std::sentinel_for<std::default_sentinel_t, sl::headers::iterator>);

TEST_CASE("a record shows what the source holds") {
  held h;
  h.part("orders", 3, {{.at = 41, .key = "k", .value = "v", .timestamp = 1'700'000'000'123}}, 77);
  auto const r = h.batch()[0];
  CHECK(r.key_text() == "k");
  CHECK(r.text() == "v");
  CHECK(r.key().size() == 1);
  CHECK(r.topic() == "orders");
  CHECK(r.partition() == 3);
  CHECK(r.offset() == sl::offset{41});
  CHECK(r.incarnation() == 77);
  CHECK(r.timestamp() == sl::wall_time{1'700'000'000'123ms});
}

TEST_CASE("bytes are bytes") {
  std::string const text("a\0b\xff", 4);
  CHECK(sl::as_text(sl::as_bytes(text)) == text);
  held h;
  h.part("t", 0, {{.at = 0, .key = text, .value = text}});
  CHECK(h.batch()[0].text() == text);
  CHECK(h.batch()[0].key_text() == text);
}

TEST_CASE("null, empty and full are three things") {
  held h;
  h.part("t", 0, {{.at = 0}, {.at = 1, .key = "", .value = ""}, {.at = 2, .key = "k", .value = "v"}});
  auto const b = h.batch();
  CHECK((!b[0].has_key() && b[0].is_tombstone() && b[0].key().empty() && b[0].value().empty()));
  CHECK((b[1].has_key() && !b[1].is_tombstone() && b[1].key().empty() && b[1].value().empty()));
  CHECK((b[2].has_key() && !b[2].is_tombstone()));
}

TEST_CASE("a record without a timestamp has the epoch") {
  held h;
  h.part("t", 0, {{.at = 0, .timestamp = -1}, {.at = 1, .timestamp = 0}});
  CHECK(h.batch()[0].timestamp() == sl::wall_time{});
  CHECK(h.batch()[1].timestamp() == sl::wall_time{});
  sl::detail::message const m{};
  sl::detail::part const without_access{&m, &m + 1, {}, nullptr};
  sl::record const bare(&m, &without_access);
  CHECK(bare.timestamp() == sl::wall_time{});
  CHECK(std::ranges::distance(bare.headers()) == 0);
}

TEST_CASE("headers in their order, names more than once, values null or empty") {
  held h;
  h.part("t", 0, {{.at = 0, .headers = {{"a", "1"}, {"b", std::nullopt}, {"a", ""}}}, {.at = 1}});
  auto const headers = h.batch()[0].headers();
  std::vector<std::string> seen;
  for (auto const [name, value] : headers)
    seen.push_back(std::string(name) + "=" + (value.data() ? std::string(sl::as_text(value)) : "null"));
  CHECK(seen == std::vector<std::string>{"a=1", "b=null", "a="});
  CHECK(std::ranges::distance(headers) == 3);
  CHECK(std::ranges::count(headers, "a", &sl::header::name) == 2);
  CHECK(std::ranges::distance(h.batch()[1].headers()) == 0);
  CHECK(std::ranges::distance(sl::headers{}) == 0);

  auto i = headers.begin();
  CHECK(i == headers.begin());
  CHECK((*i++).name == "a");
  CHECK((*i).name == "b");
  CHECK(i != headers.begin());
  ++i, ++i;
  CHECK(i == headers.end());
  CHECK(i == sl::headers::iterator{});
}
