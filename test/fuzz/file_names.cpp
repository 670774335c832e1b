// Names of files: no two texts share one, what is read is what was written, and none leaves its folder.
#include <sluice/offset_store/file_folder.hpp>
#include <sluice/output/files.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;

std::string path_of(std::string_view text) {
  std::string path;
  for (auto const& part : d::folder_names(text)) {
    must(!part.empty() && part[0] != '.' && part.size() <= 255, "each part is a visible name that file systems take");
    must(part.find('/') == part.npos && part.find('\0') == part.npos, "a part is one name");
    path += "/" + part;
  }
  return path;
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  pieces in{text_of(data, size)};
  auto const one = in.line();
  std::string const other{in.rest()};

  must(d::text_of_file_name(d::file_name(one)) == one, "a name is read as the text that it was made of");
  if (auto const text = d::text_of_file_name(one)) must(d::file_name(*text) == one, "only what is written is read");
  auto const a = path_of(one), b = path_of(other);
  must((a == b) == (one == other), "two texts have two paths");
  must(a == b || (!a.starts_with(b + "/") && !b.starts_with(a + "/")), "no path lies within another");

  pieces numbers{other};
  auto const n = numbers.number();
  must(d::padded_number(d::padded(n)) == n, "a number is read as it was written");
  if (auto const found = d::padded_number(one)) must(d::padded(*found) == one, "only what is written is a number");
  if (auto const found = d::range_start(one))
    must(d::padded(found->first) + "-" + d::padded(found->second.value()) == one, "only what is written is a range");
  std::vector<std::string> const folder{one, other, "generation." + one, d::generation_name(n)};
  auto const there = d::generation_numbers(folder);
  must(std::find(there.begin(), there.end(), n) != there.end(), "a generation is found by its name");
  return 0;
}
