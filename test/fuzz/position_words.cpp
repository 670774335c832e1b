// Positions as words, in Redis and ZooKeeper.
#include <sluice/offset_store/position_words.hpp>

#include "fuzz.hpp"

using namespace fuzz;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  sl::claimed c;
  if (!sl::detail::read_words(text, c)) return 0;
  bool const missing = text.starts_with("- ");
  auto const written = sl::detail::position_words(missing ? std::nullopt : std::optional{c.next}, c.mine, c.log);
  sl::claimed again;
  must(sl::detail::read_words(written, again), "what was written is read");
  must(again.next == c.next && again.mine == c.mine && again.log == c.log, "and says the same");
  must(!missing || (written.starts_with("- ") && again.next == sl::offset{0}), "a missing position stays missing");
  return 0;
}
