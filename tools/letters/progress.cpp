#include "progress.hpp"

#include <nlohmann/json.hpp>

namespace letters_tool {

using json = nlohmann::ordered_json;

progress progress_of(std::string const& text, std::string const& path) {
  auto const doc = json::parse(text, nullptr, false);
  auto const damaged = [&] {
    throw failure{path +
                  " is damaged, so what has gone back is not known. Remove it, and all letters go back once more"};
  };
  json const none;
  auto const value = [&](char const* of) -> json const& {
    auto const at = doc.find(of);
    return at == doc.end() ? none : *at;
  };
  if (doc.is_discarded() || !doc.is_object() || value("format") != "sluice-letters") damaged();
  if (value("version") != 1) throw failure{path + " was written by a later version of this program: use that one"};
  auto const &next = value("next"), &left = value("left"), &line_1 = value("first_line");
  if (!next.is_number_unsigned() || !left.is_array() || !line_1.is_string()) damaged();
  progress done{.next = next.get<std::uint64_t>()};
  for (auto const& one : left) {
    if (!one.is_number_unsigned() || one.get<std::uint64_t>() >= done.next) damaged();
    done.left.insert(one.get<std::uint64_t>());
  }
  done.first_line = line_1.get<std::string>();
  return done;
}

std::string text_of(progress const& done) {
  json doc{{"format", "sluice-letters"}, {"version", 1}, {"next", done.next}, {"first_line", done.first_line}};
  doc["left"] = done.left;
  return doc.dump() + "\n";
}

}  // namespace letters_tool
