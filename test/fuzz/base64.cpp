// Base64: any bytes go there and back, and only what is written is read.
#include <sluice/detail/base64.hpp>

#include "fuzz.hpp"

using namespace fuzz;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  std::string written;
  sl::detail::append_base64(written, sl::as_bytes(text));
  must(written.size() == (size + 2) / 3 * 4, "four digits for each three bytes");
  must(sl::detail::text_of_base64(written) == text, "any bytes go there and back");
  if (auto const read = sl::detail::text_of_base64(text)) {
    std::string again;
    sl::detail::append_base64(again, sl::as_bytes(*read));
    must(again == text, "only what is written is read");
  }
  return 0;
}
