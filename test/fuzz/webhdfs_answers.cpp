// WebHDFS's answers: lists of names, exceptions, booleans.
#include <sluice/offset_store/webhdfs_folder.hpp>

#include "fuzz.hpp"

using namespace fuzz;
namespace webhdfs = sl::detail::webhdfs;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  pieces in{text_of(data, size)};
  sl::detail::http::answer a;
  a.status = static_cast<long>(in.number() % 600);
  a.content = in.rest();
  auto const word = webhdfs::exception_of(a.content);
  must(word.size() <= 64 && sl::detail::is_made_of(word, sl::detail::capitals), "an exception is one short word");
  auto const m = webhdfs::meaning_of(a);
  must_be_shown(m.what);
  must(!m.what.empty() && m.what.size() < 400, "every answer means something");

  must(!webhdfs::length_of(a.content) || word.empty(), "a length is no exception");
  auto const names = webhdfs::names_of(a.content);
  must(!names || word.empty(), "a list is no exception");
  must(!names || !webhdfs::boolean_of(a.content), "a list is no boolean");
  if (names)
    for (auto const n : sl::detail::generation_numbers(*names))
      must(std::find(names->begin(), names->end(), sl::detail::generation_name(n)) != names->end(),
           "a generation is one of the names");
  return 0;
}
