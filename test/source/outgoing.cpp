#include <sluice/source/outgoing.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
std::string const nothing = "(null)";
std::string shown(sl::payload const& p) { return p.data().data() ? std::string(sl::as_text(p.data())) : nothing; }
}  // namespace

TEST_CASE("a payload is made from what people have, and null only from null") {
  std::string const text("a\0b", 3);
  std::vector<std::byte> const raw{std::byte{'r'}};
  char const* none = nullptr;
  CHECK(shown("literal") == "literal");
  CHECK(shown(text) == text);
  CHECK(shown(std::string_view{text}.substr(2)) == "b");
  CHECK(shown(sl::as_bytes("bytes")) == "bytes");
  CHECK(shown(std::span{raw}) == "r");
  CHECK(shown(raw) == "r");
  CHECK(shown("") == "");
  CHECK(shown(std::string{}) == "");
  CHECK(shown(nullptr) == nothing);
  CHECK(shown(std::nullopt) == nothing);
  CHECK(shown(none) == nothing);
  CHECK(shown(sl::bytes{}) == nothing);
  CHECK(shown(std::string_view{}) == nothing);
}

TEST_CASE("headers keep their order, and a record's can be handed on") {
  sl::header_list some{{"a", sl::as_bytes("1")}, {"a", {}}};
  some.add("b", "2");
  some.add("c", nullptr);
  REQUIRE(some.all().size() == 4);
  CHECK(some.all()[1].value.data() == nullptr);
  CHECK(sl::as_text(some.all()[2].value) == "2");
  CHECK(some.all()[3].value.data() == nullptr);

  sl::detail::message_access const access{[](void const*) { return std::int64_t{-1}; },
                                          [](void const*, std::size_t i, sl::header& out) {
                                            out = {i ? "two" : "one", sl::as_bytes("x")};
                                            return i < 2;
                                          }};
  sl::header_list const copied{sl::headers{nullptr, &access}};
  REQUIRE(copied.all().size() == 2);
  CHECK(copied.all()[1].name == "two");
  CHECK(sl::header_list{}.all().empty());
}
