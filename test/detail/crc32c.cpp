#include <sluice/detail/crc32c.hpp>

#include <random>
#include <string>

#include "catch.hpp"

using sluice::detail::crc32c;

TEST_CASE("crc32c gives what RFC 3720 B.4 says") {
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43u);
  std::string up, down;
  for (int i = 0; i < 32; ++i) {
    up += static_cast<char>(i);
    down += static_cast<char>(31 - i);
  }
  CHECK(crc32c(up) == 0x46DD794Eu);
  CHECK(crc32c(down) == 0x113FDB5Cu);
  static constexpr unsigned char read_command[] = {0x01, 0xC0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
                                                   0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
                                                   0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
  CHECK(crc32c({reinterpret_cast<char const*>(read_command), sizeof read_command}) == 0xD9963A56u);
  static_assert(crc32c("123456789") == 0xE3069283u);
  static_assert(crc32c("") == 0);
}

TEST_CASE("crc32c may be taken in pieces, of any length and place") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  std::string text(100, ' ');
  for (auto& c : text) c = static_cast<char>(random());
  auto const bitwise = [](std::string_view s) {
    std::uint32_t c = 0xFFFFFFFFu;
    for (char const byte : s) {
      c ^= static_cast<unsigned char>(byte);
      for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) ? 0x82F63B78u : 0u);
    }
    return ~c;
  };
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    auto const head = std::string_view{text}.substr(0, cut), tail = std::string_view{text}.substr(cut);
    CHECK(crc32c(head) == bitwise(head));
    CHECK(crc32c(tail, crc32c(head)) == bitwise(text));
    CHECK(sluice::detail::crc32c_by_tables(tail, crc32c(head)) == bitwise(text));
  }
}
