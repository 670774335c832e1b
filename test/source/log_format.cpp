#include <sluice/source/log_format.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"

namespace sl = sluice;
namespace d = sl::detail;

namespace {
constexpr d::log_id id{0x0123456789abcdef, 0xfedcba9876543210};
sl::received some() {
  return {.value = "value",
          .key = "key",
          .headers = {{"h", {}}},
          .timestamp = sl::wall_time{std::chrono::milliseconds{1700000000000}}};
}
}  // namespace

TEST_CASE("a header is read back; a changed one is not") {
  auto const text = to_bytes(d::log_header{id, 42});
  REQUIRE(text.size() == d::log_header_size);
  auto const h = d::read_log_header(text);
  REQUIRE(h);
  CHECK((h->id == id && h->first == 42));
  for (std::size_t i = 0; i < 36; ++i) {
    auto changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(d::read_log_header(changed));
  }
  auto newer = text;
  newer[7] = '2';
  CHECK((d::is_newer_log(newer) && !d::is_newer_log(text)));
}

TEST_CASE("a record belongs to its number, a mark to its place and log") {
  std::string group;
  d::append_frame(group, some(), d::image_size(some()), 7);
  auto const frame = group.substr(d::log_mark_size);
  auto const seen = d::look_at(frame, 7, id, 0);
  CHECK((seen.what == d::log_piece::record && seen.size == frame.size()));
  CHECK(d::look_at(frame, 8, id, 0).what == d::log_piece::bad);
  for (std::size_t n = 0; n < frame.size(); ++n) {
    auto const cut = d::look_at(std::string_view{frame}.substr(0, n), 7, id, 0);
    CHECK((cut.what == d::log_piece::cut && cut.size > n));
  }
  for (std::size_t i = 1; i < frame.size(); ++i) {
    auto changed = frame;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    CHECK(d::look_at(changed, 7, id, 0).what == d::log_piece::bad);
  }
  CHECK(d::look_at(std::string(100, '\0'), 7, id, 0).what == d::log_piece::bad);
  CHECK(d::look_at(std::string(100, '\xff'), 7, id, 0).what == d::log_piece::bad);

  for (int byte = 0; byte < 256; ++byte) {
    auto changed = frame;
    changed[0] = static_cast<char>(byte);
    if (changed != frame) CHECK(d::look_at(changed, 7, id, 0).what != d::log_piece::record);
  }

  auto const mark = d::log_mark(id, 1000, -5);
  std::string_view const text{mark.data(), mark.size()};
  CHECK(d::look_at(text, 0, id, 1000).what == d::log_piece::mark);
  CHECK(d::base_of(text) == -5);
  CHECK(d::look_at(text, 0, id, 1001).what == d::log_piece::bad);
  CHECK(d::look_at(text, 0, {1, 2}, 1000).what == d::log_piece::bad);
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto changed = mark;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    CHECK(d::look_at({changed.data(), changed.size()}, 0, id, 1000).what != d::log_piece::mark);
    CHECK(d::look_at(text.substr(0, i), 0, id, 1000).what == d::log_piece::cut);
    CHECK_FALSE(d::is_log_mark(text.substr(0, i), id, 1000));
  }
}

TEST_CASE("a record of 100 bytes without a key takes at most 108, of a second's group") {
  std::string const value(100, 'x');
  std::string group;
  for (std::int64_t i = 0; i < 1000; ++i) {
    sl::received const r{.value = std::string_view{value},
                         .timestamp = some().timestamp + std::chrono::milliseconds{i}};
    auto const before = group.size();
    d::append_frame(group, r, d::image_size(r), static_cast<std::uint64_t>(i));
    if (before != 0) CHECK(group.size() - before <= 108);
    if (before == 0) CHECK(group.size() == d::log_mark_size + 106);
    CHECK(group.size() - before <= d::most_frame(d::image_size(r)) + d::log_mark_size);
  }
}

TEST_CASE("what an earlier version wrote is read: the format stays") {
  auto text = to_bytes(d::log_header{id, 42});
  std::string group;
  d::append_frame(group, some(), d::image_size(some()), 42);
  sl::received const later{.value = nullptr, .timestamp = some().timestamp - std::chrono::milliseconds{300}};
  d::append_frame(group, later, d::image_size(later), 43);
  auto const mark = d::log_mark(id, text.size(), d::base_of(group));
  text += group.replace(0, mark.size(), mark.data(), mark.size());
  auto const golden = content_of(SLUICE_SOURCE_DIR "/test/golden/log_segment.v1");
  CHECK(text == golden);
}
