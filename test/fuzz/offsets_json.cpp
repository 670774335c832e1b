// What `sluice-offsets import` reads.
#include "fuzz.hpp"
#include "offsets/json.hpp"

using namespace fuzz;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const text{text_of(data, size)};
  offsets_tool::document read;
  auto const why = refused<offsets_tool::failure>([&] { read = offsets_tool::from_json(text, "the file"); });
  if (!why.empty()) {
    must(why.starts_with("the file"), "an error says where");
    must(why.size() < 1000, "and is short");
    return 0;
  }
  for (auto const& p : read.positions) must(p.of.partition >= 0 && p.next.value() >= 0, "positions are positions");
  auto const again = offsets_tool::from_json(offsets_tool::to_json(read.group, "s", read.positions, "now"), "again");
  must(again.group == read.group && again.positions.size() == read.positions.size(), "what is read can be exported");
  for (std::size_t i = 0; i < again.positions.size(); ++i)
    must(again.positions[i].of == read.positions[i].of && again.positions[i].next == read.positions[i].next,
         "and says the same");
  return 0;
}
