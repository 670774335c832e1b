// S3's refusals: little of a server's text is passed on.
#include <sluice/offset_store/s3_answers.hpp>

#include "fuzz.hpp"

using namespace fuzz;
namespace s3 = sl::detail::s3;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  pieces in{text_of(data, size)};
  sl::detail::http::answer a;
  a.status = static_cast<long>(in.number() % 600);
  a.content = in.rest();
  auto const word = s3::code_of(a.content);
  must(word.size() <= 64 && sl::detail::is_made_of(word, sl::detail::capitals), "a code is one short word");
  must(word.empty() || a.content.find(word) != a.content.npos, "and stands in the answer");
  auto const m = s3::meaning_of(a);
  must_be_shown(m.what);
  must(!m.what.empty() && m.what.size() < 400, "every answer means something");

  if (auto const page = s3::page_of(a.content))
    must(page->keys.size() <= a.content.size(), "keys are no more than text");
  static_cast<void>(s3::size_in(a.content));

  a.content = "<?xml version=\"1.0\"?><Error><Code>" + in.line() + "</Code></Error>";
  must_be_shown(s3::meaning_of(a).what);
  return 0;
}
