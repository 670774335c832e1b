#include <sluice/detail/base64.hpp>

#include "catch.hpp"

namespace sl = sluice;
using sl::detail::text_of_base64;

namespace {

std::string encoded(std::string_view text) {
  std::string out;
  sl::detail::append_base64(out, sl::as_bytes(text));
  return out;
}

}  // namespace

TEST_CASE("base64 is RFC 4648's") {
  CHECK(encoded("") == "");
  CHECK(encoded("f") == "Zg==");
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foo") == "Zm9v");
  CHECK(encoded("foob") == "Zm9vYg==");
  CHECK(encoded("fooba") == "Zm9vYmE=");
  CHECK(encoded("foobar") == "Zm9vYmFy");
  CHECK(encoded("\xfb\xff\xbf") == "+/+/");
}

TEST_CASE("base64 is read back, and what is none is told") {
  std::string all;
  for (int c = 0; c < 256; ++c) {
    all += static_cast<char>(c);
    CHECK(text_of_base64(encoded(all)) == all);
  }
  CHECK(text_of_base64("") == "");
  for (auto const* none :
       {"Z", "Zg", "Zg=", "Zg=a", "Zm=v", "=m9v", "====", "Zg==Zg==", "Zm9v\n", "Zm9v Zm9", "Zm-v", "Zh==", "Zm9="}) {
    INFO(none);
    CHECK_FALSE(text_of_base64(none));
  }
}
