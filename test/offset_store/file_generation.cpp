#include <sluice/offset_store/file_generation.hpp>

#include <cstdlib>
#include <random>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"

namespace {

namespace sl = sluice;
using sl::file_generation;
using sl::offset;

/// Everything that a file can hold, with each number at its own place and of full width.
file_generation sample() {
  file_generation g;
  g.id = {0x0123456789abcdef, 0xfedcba9876543210};
  g.topics[{"billing", "orders"}] = {
      {.there = true,
       .next = offset{1234567890123},
       .owner = {7, 0x1122334455667788},
       .log = {.incarnation = 1700000000000, .leader_epoch = 12, .last = sl::fingerprint{offset{1234567890122}, 99}}},
      {.there = false, .next = offset{-1}, .owner = {8, 9}, .log = {.incarnation = 3}},
  };
  g.topics[{"billing", "a/\xc3\xa9"}] = {};
  g.values["total"] = {5, std::string{"\0\xff\n", 3}};
  g.values["zero"] = {6, ""};
  g.texts[{"lines", "billing", {"orders", 1}, 7, 0x1122334455667788}] = 4096;
  g.jumps.push_back(
      {"billing", {"orders", 1}, offset{10}, offset{3}, 4, sl::wall_time{std::chrono::milliseconds{5}}, "seek"});
  return g;
}

std::string bytes_of(file_generation const& g) {
  std::string out;
  encode(g, out);
  return out;
}

sl::errc refusal(std::string const& bytes) {
  try {
    sl::parse_generation(bytes, "folder/generation.7");
  } catch (sl::store_error const& e) { return e.code(); }
  return sl::errc{};
}

/// A header that is right, over any content.
std::string sealed(std::string const& content, std::uint32_t version = 1) {
  std::string head{sl::detail::generation_magic}, length;
  sl::detail::byte_writer{head}.number(version);
  sl::detail::byte_writer{length}.number(static_cast<std::uint64_t>(content.size()));
  auto const crc = sl::detail::crc32c(content, sl::detail::crc32c(length, sl::detail::crc32c(head)));
  sl::detail::byte_writer{head}.number(crc);
  return head + length + content;
}

}  // namespace

TEST_CASE("a file of format 1 that was written once is read and written the same for ever") {
  auto const golden = content_of(SLUICE_SOURCE_DIR "/test/golden/file_generation.v1");
  REQUIRE(golden.size() > 24);
  CHECK(sl::parse_generation(golden, "golden") == sample());
  CHECK(bytes_of(sample()) == golden);
}

TEST_CASE("random states come back as they were") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  auto const text = [&] {
    std::string s(random() % 5, ' ');
    for (auto& c : s) c = static_cast<char>(random());
    return s;
  };
  auto const number = [&] { return static_cast<std::int64_t>(random()); };
  for (int round = 0; round < 300; ++round) {
    file_generation g;
    g.id = {random(), random()};
    for (auto n = random() % 4; n > 0; --n) {
      auto& partitions = g.topics[{text(), text()}];
      for (auto k = random() % 4; k > 0; --k) {
        auto& p = partitions.emplace_back();
        p.there = random() % 2;
        p.next = offset{number()};
        p.owner = {random(), random()};
        p.log = {number(), static_cast<std::int32_t>(random()), {}};
        if (random() % 2) p.log.last = sl::fingerprint{offset{number()}, random()};
      }
    }
    for (auto n = random() % 4; n > 0; --n) g.values[text()] = {random(), text()};
    for (auto n = random() % 4; n > 0; --n)
      g.texts[{text(), text(), {text(), static_cast<std::int32_t>(random())}, random(), random()}] = random();
    for (auto n = random() % 4; n > 0; --n)
      g.jumps.push_back({text(),
                         {text(), static_cast<std::int32_t>(random())},
                         offset{number()},
                         offset{number()},
                         number(),
                         sl::wall_time{std::chrono::milliseconds{number()}},
                         text()});
    CHECK(sl::parse_generation(bytes_of(g), "") == g);
  }
}

TEST_CASE("a file cut short or made longer anywhere is damaged") {
  auto const good = bytes_of(sample());
  for (std::size_t n = 0; n < good.size(); ++n)
    if (refusal(good.substr(0, n)) != sl::errc::store_damaged) FAIL("cut to " << n);
  CHECK(refusal(good + '\0') == sl::errc::store_damaged);
  CHECK(refusal(good + good) == sl::errc::store_damaged);
}

TEST_CASE("no single flipped bit is taken") {
  auto const good = bytes_of(sample());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    if (refusal(bad) != sl::errc::store_damaged) FAIL("bit " << bit);
  }
}

TEST_CASE("no content is believed because its checksum is right") {
  auto const content = bytes_of(sample()).substr(24);
  REQUIRE(refusal(sealed(content)) == sl::errc{});
  for (std::size_t n = 0; n < content.size(); ++n)
    if (refusal(sealed(content.substr(0, n))) != sl::errc::store_damaged) FAIL("cut to " << n);
  CHECK(refusal(sealed(content + "x")) == sl::errc::store_damaged);
  // Counts and lengths that reach for the end of the memory.
  for (std::size_t at = 16; at + 4 <= content.size(); ++at) {
    auto bad = content;
    bad.replace(at, 4, "\xff\xff\xff\xff");
    refusal(sealed(bad));
  }
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  for (int i = 0; i < 3000; ++i) {
    auto bad = content;
    for (auto n = 1 + random() % 8; n > 0; --n) bad[random() % bad.size()] = static_cast<char>(random());
    try {
      auto const g = sl::parse_generation(sealed(bad), "");
      CHECK(bytes_of(g) == sealed(bad));
    } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_damaged); }
  }
}

TEST_CASE("a damaged file is named, with what to do") {
  try {
    sl::parse_generation("x", "folder/generation.7");
    FAIL("taken");
  } catch (sl::store_error const& e) {
    CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("folder/generation.7 is damaged"));
    CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("put it back from a backup"));
  }
}

TEST_CASE("a later format is told from damage, whatever is in it") {
  CHECK(refusal(sealed("what nobody knows yet", 2)) == sl::errc::store_newer);
  CHECK(refusal(sealed("", 0xffffffff)) == sl::errc::store_newer);
  CHECK(refusal(sealed(bytes_of(sample()).substr(24), 0)) == sl::errc::store_damaged);
}
