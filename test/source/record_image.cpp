#include <sluice/detail/fingerprint.hpp>
#include <sluice/source/record_image.hpp>

#include <random>

#include "catch.hpp"
#include "seed.hpp"

namespace sl = sluice;
namespace d = sl::detail;

namespace {
std::string image_of(sl::received const& r) {
  std::string image(d::image_size(r), '\0');
  d::write_image(r, image.data());
  return image;
}
std::string read(sl::bytes b) { return b.data() ? std::string{sl::as_text(b)} : "null"; }
}  // namespace

TEST_CASE("a record comes back as it was stored, null and empty apart") {
  sl::received const r{.value = "value",
                       .key = "",
                       .headers = {{"a", sl::as_bytes("1")}, {"b", {}}, {"a", sl::as_bytes("")}},
                       .timestamp = sl::wall_time{std::chrono::milliseconds{1234567890123}}};
  auto const image = image_of(r);
  REQUIRE(d::is_image(image.data(), image.size()));
  auto const m = d::message_of(image.data(), 7);
  d::part const p{&m, &m + 1, {{"t", 0}, sl::offset{7}, sl::offset{8}, 1}, &d::image_access};
  sl::record const back{&m, &p};
  CHECK(back.text() == "value");
  CHECK((back.has_key() && back.key_text().empty()));
  CHECK(back.offset() == sl::offset{7});
  CHECK(back.timestamp() == r.timestamp);
  std::vector<std::string> headers;
  for (auto const& h : back.headers()) headers.push_back(std::string{h.name} + "=" + read(h.value));
  CHECK(headers == std::vector<std::string>{"a=1", "b=null", "a="});

  auto const empty = image_of({.value = nullptr});
  auto const nothing = d::message_of(empty.data(), 0);
  CHECK((nothing.key == nullptr && nothing.value == nullptr));
}

TEST_CASE("what was cut or changed is no image, or one within its bounds") {
  std::mt19937 random{seed()};
  auto const whole = image_of({.value = "some value", .key = "key", .headers = {{"name", sl::as_bytes("content")}}});
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(d::is_image(whole.data(), n));
  for (int i = 0; i < 100'000; ++i) {
    auto changed = whole;
    changed[8 + random() % (whole.size() - 8)] = static_cast<char>(random());
    std::string const own{changed};  // so that the sanitizer sees what is read beyond it
    if (!d::is_image(own.data(), own.size())) continue;
    auto const m = d::message_of(own.data(), 0);
    sl::header h;
    for (std::size_t k = 0; d::header_of_image(m.native, k, h); ++k)
      REQUIRE(h.name.data() + h.name.size() + h.value.size() <= own.data() + own.size());
  }
}

TEST_CASE("a block lives as long as something of it is borrowed") {
  sl::received const r{.value = "x"};
  d::block_ptr block{new d::record_block};
  for (int i = 0; i < 2; ++i) {
    auto const at = block->data.size() + d::record_block::head;
    block->data.resize(at + d::image_size(r));
    d::write_image(r, block->data.data() + at);
  }
  auto const first = block->lend(d::record_block::head, 1);
  auto const second = block->lend(2 * d::record_block::head + d::image_size(r), 2);
  block.reset();
  d::record_block::give_back(first);
  CHECK(sl::as_text({static_cast<std::byte const*>(second.value), second.value_size}) == "x");
  d::record_block::give_back(second);  // a leak, or a second deletion, is the sanitizer's to see
}
