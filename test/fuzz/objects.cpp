// Files of objects: what is written is read as it was, and a file that was changed is refused.
#include <sluice/output/objects.hpp>

#include "own_record.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;
using records = std::vector<sl::kept_record>;

std::optional<records> read(std::string const& file) {
  records all;
  auto const each = [&](sl::kept_record r) { all.push_back(std::move(r)); };
  auto const told = refused([&] { d::parse_objects(file, "0.objects", sl::record_codec{}, each); });
  must_be_shown(told);
  return told.empty() ? std::optional{std::move(all)} : std::nullopt;
}

std::string written(records const& all) {
  std::string file;
  d::object_format<sl::record_codec> to{{}};
  to.begin(file);
  for (auto const& r : all) to(own_record{r}.get(), file);
  to.end(file);
  return file;
}

void look_into(std::string const& file) {
  auto all = read(file);
  if (!all) return;
  for (auto& r : *all) r.time = std::max(r.time, sl::wall_time{});  // no record's is before
  must(read(written(*all)) == all, "what was read is written, and read again");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  look_into(std::string{text});

  // As an object of a file that is whole, so that the codec looks at it.
  std::string file = written({});
  file.resize(d::objects_header);
  d::byte_writer w{file};
  w.text(text);
  w.number(d::crc32c(text));
  w.number(d::objects_end);
  std::string count;
  d::byte_writer{count}.number(std::uint64_t{1});
  file += count;
  w.number(d::crc32c(count));
  look_into(file);

  pieces in{text};
  records const some{kept_record_in(in), {}};
  auto whole = written(some);
  must(read(whole) == some, "records are read as they were written");
  must(!read(whole.substr(0, size % whole.size())), "a file that was cut is refused");
  constexpr std::size_t end = 16;
  auto one = written({some[0]});
  one.replace(one.size() - end, end, whole, whole.size() - end, end);
  must(!read(one), "a file that lost an object is refused");
  auto& byte = whole[d::crc32c(text) % whole.size()];
  byte = static_cast<char>(byte ^ 1 << size % 8);
  must(!read(whole), "a file that was changed is refused");
  return 0;
}
