#include <sluice/detail/fingerprint.hpp>
#include <sluice/source/record_image.hpp>

#include <random>

#include "catch.hpp"
#include "seed.hpp"

namespace sl = sluice;
namespace d = sl::detail;

namespace {
std::string image_of(sl::received const& r, std::int64_t base = 0) {
  std::string image(d::image_size(r) + d::time_bytes(d::time_above(r, base)), '\0');
  d::write_image(r, base, image.data());
  return image;
}
std::string read(sl::bytes b) { return b.data() ? std::string{sl::as_text(b)} : "null"; }
}  // namespace

TEST_CASE("a record comes back as it was stored, null and empty apart") {
  sl::received const r{.value = "value",
                       .key = "",
                       .headers = {{"a", sl::as_bytes("1")}, {"b", {}}, {"a", sl::as_bytes("")}},
                       .timestamp = sl::wall_time{std::chrono::milliseconds{1234567890123}}};
  d::block_ptr const block{new d::record_block};
  auto const at = block->add(r), second = block->add({.value = nullptr, .timestamp = {}});
  REQUIRE(d::is_image(block->data.data() + at, block->size_of(at)));
  auto const m = block->lend(at, 7);
  d::part const p{&m, &m + 1, {{"t", 0}, sl::offset{7}, sl::offset{8}, 1}, &d::image_access};
  sl::record const back{&m, &p};
  CHECK(back.text() == "value");
  CHECK((back.has_key() && back.key_text().empty()));
  CHECK(back.offset() == sl::offset{7});
  CHECK(back.timestamp() == r.timestamp);
  std::vector<std::string> headers;
  for (auto const& h : back.headers()) headers.push_back(std::string{h.name} + "=" + read(h.value));
  CHECK(headers == std::vector<std::string>{"a=1", "b=null", "a="});

  auto const nothing = block->lend(second, 8);
  CHECK((nothing.key == nullptr && nothing.value == nullptr));
  CHECK(d::timestamp_of_image(nothing.native) == 0);
  d::record_block::give_back(m);
  d::record_block::give_back(nothing);
}

TEST_CASE("a record without a key takes two bytes more than its value and its size; sizes at their bounds come back") {
  CHECK(image_of({.value = std::string_view{"x"}, .timestamp = {}}).size() == 2);
  for (std::size_t const n : {0u, 1u, 126u, 127u, 128u, 16382u, 16383u, 16384u, (1u << 21) - 1, 1u << 21}) {
    std::string const some(n, 'x');
    auto const image = image_of({.value = std::string_view{some},
                                 .key = std::string_view{some},
                                 .headers = {{some, sl::as_bytes(some)}, {"last", {}}}});
    REQUIRE(d::is_image(image.data(), image.size()));
    auto const m = d::message_of(image.data(), image.size(), 0);
    CHECK((m.key_size == n && m.value_size == n && m.value == image.data() + image.size() - n));
    sl::header h, last;
    REQUIRE(d::header_of_image(m.native, 0, h));
    CHECK((h.name == some && read(h.value) == some));
    CHECK((d::header_of_image(m.native, 1, last) && last.name == "last" && !d::header_of_image(m.native, 2, h)));
  }
  for (std::uint32_t const n : {0u, 127u, 128u, 0xFFFFFFFu, 0x10000000u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    char to[8];
    char const* at = to;
    auto const* const end = d::put_size(to, n);
    std::uint32_t back = 0;
    CHECK((static_cast<std::size_t>(end - to) == d::size_bytes(n) && d::get_size(at, end, back)));
    CHECK((back == n && at == end));
    at = to;
    CHECK_FALSE(d::get_size(at, end - 1, back));
  }
  for (std::string_view const wrong : {std::string_view{"\x80\0", 2}, std::string_view{"\xff\xff\xff\xff\x10"},
                                       std::string_view{"\xff\xff\xff\xff\xff\x01"}}) {
    auto const* at = wrong.data();
    std::uint32_t n = 0;
    CHECK_FALSE(d::get_size(at, wrong.data() + wrong.size(), n));
  }
}

TEST_CASE("any timestamp comes back, above or below any other") {
  using namespace std::chrono;
  auto const year = [](int y) { return sys_time<milliseconds>{sys_days{std::chrono::year{y} / 1 / 1}}; };
  auto const ms = [](std::int64_t n) { return sl::wall_time{milliseconds{n}}; };
  std::vector<sl::wall_time> times{year(1),       year(1970),    year(2026), year(9999) + days{364},
                                   ms(INT64_MIN), ms(INT64_MAX), ms(-1)};
  for (int bits = 0; bits < 63; ++bits)
    for (int add : {-1, 0, 1})
      for (int sign : {-1, 1}) times.push_back(year(2026) + milliseconds{sign * ((std::int64_t{1} << bits) + add)});
  for (auto const base : times) {
    d::block_ptr const block{new d::record_block};
    std::vector<std::size_t> places{block->add({.value = "first", .timestamp = base})};
    for (auto const t : times) places.push_back(block->add({.value = "x", .timestamp = t}));
    bool good = true;
    for (std::size_t i = 0; i < places.size(); ++i) {
      auto const wanted = (i == 0 ? base : times[i - 1]).time_since_epoch().count();
      REQUIRE(d::is_image(block->data.data() + places[i], block->size_of(places[i])));
      auto const m = block->lend(places[i], 0);
      good = good && d::timestamp_of_image(m.native) == wanted;
      d::record_block::give_back(m);
    }
    CHECK(good);
  }
  sl::received const now{.value = "x", .timestamp = year(2026)};
  auto const bytes = [&](std::int64_t above) {
    return d::time_bytes(d::time_above(now, now.timestamp.time_since_epoch().count() - above));
  };
  CHECK((bytes(0) == 0 && bytes(1) == 1 && bytes(-128) == 1 && bytes(127) == 1 && bytes(128) == 2 && bytes(-129) == 2));
}

TEST_CASE("what was cut or changed is no image, or one within its bounds") {
  std::mt19937 random{seed()};
  auto const whole = image_of({.value = "some value", .key = "key", .headers = {{"name", sl::as_bytes("content")}}});
  for (std::size_t n = 0; n < whole.size() - 10; ++n)
    CHECK_FALSE(d::is_image(whole.data(), n));  // "some value" ends it
  auto const no_value = image_of({.value = nullptr, .key = "key"}) + "x";
  CHECK_FALSE(d::is_image(no_value.data(), no_value.size()));
  int good = 0;
  for (int i = 0; i < 100'000; ++i) {
    auto changed = whole;
    changed[random() % (whole.size() - 20)] = static_cast<char>(random());
    std::string const own{changed};  // so that the sanitizer sees what is read beyond it
    if (!d::is_image(own.data(), own.size())) continue;
    ++good;
    auto const m = d::message_of(own.data(), own.size(), 0);
    auto const within = [&](void const* data, std::size_t size) {
      auto const* const from = static_cast<char const*>(data);
      return !from || (from >= own.data() && from + size <= own.data() + own.size());
    };
    REQUIRE((within(m.key, m.key_size) && within(m.value, m.value_size)));
    sl::header h;
    for (std::size_t k = 0; d::header_of_image(m.native, k, h); ++k)
      REQUIRE((within(h.name.data(), h.name.size()) && within(h.value.data(), h.value.size())));
  }
  CHECK(good > 1000);
}

TEST_CASE("a block lives as long as something of it is borrowed") {
  d::block_ptr block{new d::record_block};
  auto const a = block->add({.value = "x"}), b = block->add({.value = "y"});
  auto const first = block->lend(a, 1);
  auto const second = block->lend(b, 2);
  block.reset();
  d::record_block::give_back(first);
  CHECK(sl::as_text({static_cast<std::byte const*>(second.value), second.value_size}) == "y");
  d::record_block::give_back(second);  // a leak, or a second deletion, is the sanitizer's to see
}
