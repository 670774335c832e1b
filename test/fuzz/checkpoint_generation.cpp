// The numbered files of a checkpoint: what is read is written again byte by byte.
#include <sluice/offset_store/checkpoint_generation.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;
using generation = sl::checkpoint_generation;

void read(std::string const& file) {
  generation state;
  auto const told =
      refused([&] { state = sl::parse_generation<generation>(file, "generation.1"); });  // also of file_offsets
  must_be_shown(told);
  if (!told.empty()) return;
  std::string again;
  encode(state, again);
  must(again == file, "what was read is written as it was");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  read(std::string{text});
  // Behind a header that is right, so that the content is looked at.
  std::string head{generation::magic}, length;
  d::byte_writer{head}.number(generation::format_version);
  d::byte_writer{length}.number(static_cast<std::uint64_t>(size));
  d::byte_writer{head}.number(d::crc32c(text, d::crc32c(length, d::crc32c(head))));
  read(head + length + std::string{text});
  return 0;
}
