// Segments of a write-ahead log: whatever lies in the folder, it is refused with its place, or opened, appended to, and there when
// it is opened again.
#include <sluice/source/log_folder.hpp>

#include "../detail/simulated_files.hpp"
#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;

constexpr d::log_id id{0x0123456789abcdef, 0xfedcba9876543210};

using folder = d::log_folder<simulated::files>;
using disk_ptr = std::shared_ptr<simulated::disk>;

void put(disk_ptr const& disk, std::uint64_t first, std::string const& content) {
  simulated::files files{disk};
  simulated::node_ptr log, file;
  files.make_directory(disk->root, "log");
  files.open_directory(disk->root, "log", log);
  files.create(log, d::log_segment_name(first), file);
  files.write(file, content, 0);
}

/// Reads a record's every part: what lies outside the image is the sanitizer's to find.
void look_into(std::string_view image) {
  std::string const copy{image};
  must(d::is_image(copy.data(), copy.size()), "a record's image is one");
  auto const m = d::message_of(copy.data(), copy.size(), 0);
  std::size_t all = m.key_size + m.value_size;
  auto const copied = [](void const* data, std::size_t n) {
    return data ? std::string{static_cast<char const*>(data), n}.size() : 0;
  };
  all += copied(m.key, m.key_size) + copied(m.value, m.value_size);
  sl::header h;
  for (std::size_t i = 0; d::header_of_image(m.native, i, h); ++i)
    all += std::string{h.name}.size() + std::vector<std::byte>(h.value.begin(), h.value.end()).size();
  d::block_ptr const block{new d::record_block};
  block->data = std::string(d::record_block::anchor_size + d::record_block::lead, '\0') + copy;
  block->put_anchor(0, 0);
  auto const lent = block->lend(block->data.size() - copy.size(), copy.size(), 0, 0);
  static_cast<void>(d::timestamp_of_image(lent.native));
  d::record_block::give_back(lent);
  must(all <= 2 * copy.size() + 1, "nothing is in a record that its image has no room for");
}

void open(disk_ptr const& disk) {
  std::uint64_t end = 0, low = 0;
  must_be_shown(refused([&] {
    folder log{simulated::files{disk}, "log"};
    log.open();
    low = log.low();
    must(low <= log.end(), "a log does not end before it begins");
    for (auto n = low; n < log.end() && n < low + 4; ++n)
      must(log.segment_of(n).has_value(), "each record has a place");
    if (log.end() > UINT64_MAX - 10) return;
    std::string frame;
    sl::received const r{.value = std::string_view{"v"}};
    d::append_frame(frame, r, d::image_size(r), log.end());
    log.append(frame, 1, 1 << 20);
    end = log.end();
  }));
  if (end == 0) return;
  folder again{simulated::files{disk}, "log"};
  again.open();
  must(again.end() == end && again.low() == low, "what was appended is there, and what was there before it");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const all{text_of(data, size)};
  static_cast<void>(d::read_log_header(all));

  // Frames with the checksums that they should have: a byte says how long one is, 0 is a mark.
  pieces in{all};
  auto const number = in.number() % 1000;
  std::string segment = to_bytes(d::log_header{id, number});
  auto next = number;
  for (auto left = in.rest(); !left.empty();) {
    auto const length = static_cast<unsigned char>(left[0]);
    auto const piece = left.substr(1, length);
    left.remove_prefix(1 + piece.size());
    if (piece.empty()) {
      auto const mark = d::log_mark(id, segment.size(), static_cast<std::int64_t>(next));
      segment.append(mark.data(), mark.size());
      continue;
    }
    if (length % 16 == 15) {
      segment += piece;  // torn, or damaged
      continue;
    }
    char head[d::most_size_bytes + 4];
    auto* const crc = d::put_size(head, static_cast<std::uint32_t>(piece.size()));
    d::put_number(crc, d::frame_crc(piece, next));
    segment.append(head, crc + 4);
    segment += piece;
    if (d::is_image(piece.data(), piece.size())) look_into(piece), ++next;
  }
  for (std::size_t at = 0; at < all.size(); at += 7) {
    auto const piece = d::look_at(std::string_view{all}.substr(at), at, id, at);
    if (piece.what == d::log_piece::record || piece.what == d::log_piece::mark)
      must(piece.size <= all.size() - at, "a piece ends where the text does, at the latest");
    if (piece.what == d::log_piece::cut) must(piece.size > all.size() - at, "more is needed than there is");
  }

  auto const disk = std::make_shared<simulated::disk>();
  put(disk, number, segment);
  if (size % 2 && next != number) put(disk, next, to_bytes(d::log_header{id, next}) + all);
  open(disk);
  auto const raw = std::make_shared<simulated::disk>();
  put(raw, 0, all);
  open(raw);
  return 0;
}
