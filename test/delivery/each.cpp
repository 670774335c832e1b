#include <sluice/delivery/each.hpp>

#include <string>
#include <vector>

#include "catch.hpp"

namespace sl = sluice;

namespace {
struct two_records {
  std::string value = "ab";
  sl::detail::message messages[2] = {{.value = value.data(), .value_size = 1, .at = 4},
                                     {.value = value.data() + 1, .value_size = 1, .at = 7}};
  sl::detail::part part{messages, messages + 2, {{"t", 0}, sl::offset{4}, sl::offset{8}, 1}, nullptr};
  sl::batch all() const { return {{&part, 1}, {}}; }
};
}  // namespace

TEST_CASE("each record, in order") {
  two_records const b;
  std::string seen;
  auto handler = sl::each([&](sl::record r) { seen += std::string(r.text()) + std::to_string(r.offset().value()); });
  handler(b.all());
  CHECK(seen == "a4b7");
  handler(sl::batch{});
  CHECK(seen == "a4b7");
}

TEST_CASE("each record, with the transaction") {
  two_records const b;
  std::string tx;
  auto handler = sl::each([](sl::record r, std::string& to) { to += r.text(); });
  handler(b.all(), tx);
  CHECK(tx == "ab");
}

TEST_CASE("what one record throws leaves, and no other is called") {
  two_records const b;
  int calls = 0;
  auto handler = sl::each([&](sl::record) {
    ++calls;
    throw 1;
  });
  CHECK_THROWS(handler(b.all()));
  CHECK(calls == 1);
}

TEST_CASE("it is known for what it is, and says which arity fits") {
  auto one = sl::each([](sl::record) {});
  auto two = sl::each([](sl::record, int&) {});
  static_assert(sl::detail::is_each<decltype(one)>);
  static_assert(!sl::detail::is_each<int>);
  static_assert(std::is_invocable_v<decltype(one)&, sl::batch const&>);
  static_assert(!std::is_invocable_v<decltype(one)&, sl::batch const&, int&>);
  static_assert(std::is_invocable_v<decltype(two)&, sl::batch const&, int&>);
  static_assert(!std::is_invocable_v<decltype(two)&, sl::batch const&>);
}
