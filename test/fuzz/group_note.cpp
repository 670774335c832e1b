// Metadata of commits in a group, which anybody may have written.
#include <sluice/offset_store/group_note.hpp>

#include "fuzz.hpp"

using namespace fuzz;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  auto const note = sl::read_note(text);
  if (!note) {
    must(sl::is_newer_note(text) == sl::is_newer_note(std::string{text}), "the same text is the same");
    return 0;
  }
  must(!sl::is_newer_note(text), "what is read is not newer");
  auto const written = to_text(*note);
  must(written.size() < 1100, "a note is short");
  for (char const c : written) must(c > ' ' && c <= '~', "a note is printable");
  auto const again = sl::read_note(written);
  must(again.has_value(), "what was written is read");
  must(to_text(*again) == written, "and says the same");
  must(again->mine == note->mine && again->partitions == note->partitions && again->log == note->log,
       "nothing of the position is lost");
  return 0;
}
