// The journal of a directory source: what is taken is whole, in order, and written again as it was meant.
#include <sluice/source/directory_journal.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;

void read(std::string const& text) {
  auto const found = d::read_journal(text);
  if (!found) return;
  std::uint64_t end = 0;
  for (auto const& f : found->files) {
    must(f.first >= end && f.end() >= f.first, "no file lies in another");
    end = f.end();
  }
  must(end <= found->end, "all files lie before the end");
  auto const again = d::read_journal(to_text(*found));
  must(again && to_text(*again) == to_text(*found), "what was read is read again");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const text{text_of(data, size)};
  read(text);
  read(d::sealed(text));
  read(d::sealed(std::string{d::journal_family} + "1\n" + text));
  return 0;
}
