// Dead letters as lines of JSON: whatever a record or an exception says, each is one line that any parser reads.
#include <sluice/detail/letter_json.hpp>

#include <nlohmann/json.hpp>

#include "fuzz.hpp"

using namespace fuzz;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  pieces in{text_of(data, size)};
  auto const at = static_cast<std::int64_t>(in.number() & INT64_MAX);
  auto const topic = in.line(), error = in.line(), key = in.line();
  std::string const value{in.rest()};
  sl::detail::message_access const access{[](void const*) { return std::int64_t{1}; }, nullptr};
  sl::detail::message const m{.key = key.data(),
                              .value = value.data(),
                              .key_size = static_cast<std::uint32_t>(key.size()),
                              .value_size = static_cast<std::uint32_t>(value.size()),
                              .at = at};
  sl::detail::part const part{&m, &m + 1, {{topic, 3}, sl::offset{0}, sl::offset{at}, 42}, &access};
  auto const line = sl::detail::json_line({.what = {&m, &part}, .error = error, .attempts = 2});
  must(line.find('\n') == line.size() - 1, "a letter is one line");
  auto const read = nlohmann::json::parse(line, nullptr, false);
  must(!read.is_discarded() && read.is_object(), "any parser reads it");
  must(read["offset"] == at && read["error"].is_string(), "and finds what it says");
  auto const same = [](nlohmann::json const& j, std::string const& text) {
    return sl::detail::text_of_base64(j.get<std::string>()) == text;
  };
  must(same(read["key"], key) && same(read["value"], value), "key and value are whole");
  return 0;
}
