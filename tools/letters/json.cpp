#include "json.hpp"

#include <sluice/detail/base64.hpp>

#include <nlohmann/json.hpp>

namespace letters_tool {

namespace {

using json = nlohmann::ordered_json;

std::optional<std::string> bytes_of(json const& in, std::string const& what) {
  if (in.is_null()) return std::nullopt;
  auto text = in.is_string() ? sl::detail::text_of_base64(in.get<std::string>()) : std::nullopt;
  if (!text) throw failure{what + " is neither null nor base64"};
  return text;
}

json const& member(json const& in, char const* name) {
  auto const at = in.find(name);
  if (at == in.end()) throw failure{std::string{"it has no \""} + name + "\""};
  return *at;
}
std::int64_t number(json const& in, char const* name) {
  auto const& n = member(in, name);
  if (!n.is_number_integer() || (n.is_number_unsigned() && n.get<std::uint64_t>() > INT64_MAX))
    throw failure{std::string{"\""} + name + "\" is no number"};
  return n.get<std::int64_t>();
}
std::string text(json const& in, char const* name) {
  auto const& t = member(in, name);
  if (!t.is_string()) throw failure{std::string{"\""} + name + "\" is no text"};
  return t.get<std::string>();
}

std::vector<own_header> headers_of(json const& list) {
  std::vector<own_header> all;
  if (!list.is_array()) throw failure{"\"headers\" is no list"};
  for (auto const& h : list) {
    if (!h.is_array() || h.size() != 2 || !h[0].is_string())
      throw failure{"a header is not of the form [\"name\", \"base64\"]"};
    all.push_back({h[0].get<std::string>(), bytes_of(h[1], "a header's value")});
  }
  return all;
}

json data(std::optional<std::string> const& bytes) {
  if (!bytes) return nullptr;
  std::string out;
  sl::detail::append_base64(out, sl::as_bytes(*bytes));
  return out;
}

}  // namespace

found letter_of_line(std::string const& line, std::string const& where) {
  found f{.where = where};
  auto const in = json::parse(line, nullptr, false);
  if (in.is_discarded() || !in.is_object()) {
    f.damage = "it is no JSON object, but " + as_found(line);
    return f;
  }
  try {
    auto& l = f.what;
    l.topic = text(in, "topic");
    if (l.topic.empty()) throw failure{"\"topic\" is empty"};
    l.partition = number(in, "partition");
    l.offset = number(in, "offset");
    l.incarnation = number(in, "incarnation");
    l.timestamp = number(in, "timestamp");
    l.key = bytes_of(member(in, "key"), "\"key\"");
    l.value = bytes_of(member(in, "value"), "\"value\"");
    if (in.contains("headers")) l.headers = headers_of(in["headers"]);
    l.error = text(in, "error");
    l.attempts = number(in, "attempts");
    l.first = number(in, "first");
    must_have_a_place(l);
  } catch (failure const& e) { f.damage = e.what(); }
  return f;
}

std::vector<own_header> headers_of_json(std::string const& text) {
  auto const in = json::parse(text, nullptr, false);
  if (in.is_discarded()) throw failure{"its headers are no JSON"};
  return headers_of(in);
}

std::string json_of(found const& f) {
  auto const& l = f.what;
  json out{{"where", f.where}};
  if (!f.damage.empty()) {
    out["damaged"] = f.damage;
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  if (!l.group.empty()) out["group"] = l.group;
  out["topic"] = l.topic;
  out["partition"] = l.partition;
  out["offset"] = l.offset;
  if (l.incarnation >= 0) out["incarnation"] = l.incarnation;
  out["timestamp"] = l.timestamp;
  out["key"] = data(l.key);
  out["value"] = data(l.value);
  out["headers"] = json::array();
  for (auto const& h : l.headers) out["headers"].push_back(json::array({h.name, data(h.value)}));
  out["error"] = l.error;
  out["attempts"] = l.attempts;
  out["first"] = l.first;
  out["returned"] = times_returned(l);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace letters_tool
