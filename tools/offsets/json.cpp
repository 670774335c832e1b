#include "json.hpp"

#include <sluice/detail/nonce.hpp>

namespace offsets_tool {

namespace {

using json = nlohmann::ordered_json;

constexpr char const* family = "sluice-offsets";
constexpr std::int64_t version = 1;
constexpr int deepest = 16;  // what is printed of a value is printed by recursion

/// The number in `in[name]`; negative where it is none, is missing, or doesn't fit.
std::int64_t number(json const& in, char const* name) {
  auto const at = in.find(name);
  if (at == in.end() || !at->is_number_integer()) return -1;
  if (at->is_number_unsigned() && at->get<std::uint64_t>() > INT64_MAX) return -1;
  return at->get<std::int64_t>();
}

std::string text(json const& in, char const* name) {
  auto const at = in.find(name);
  return at != in.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

sl::kept_position position(json const& in, std::string const& where) {
  auto const found = [&](char const* name) {
    auto const at = in.find(name);
    return at == in.end() ? std::string{"nothing"} : as_found(at->dump());
  };
  if (!in.is_object()) throw failure{where + ": an object is expected"};
  sl::kept_position p;
  p.of.topic = text(in, "topic");
  if (p.of.topic.empty()) throw failure{where + ": \"topic\" must be a name, and is " + found("topic")};
  auto const partition = number(in, "partition"), next = number(in, "next");
  if (partition < 0 || partition > INT32_MAX)
    throw failure{where + ": \"partition\" must be a whole number from 0 on, and is " + found("partition")};
  p.of.partition = static_cast<std::int32_t>(partition);
  if (next < 0)
    throw failure{where + ", " + to_string(p.of) + ": \"next\" must be a whole number from 0 on, and is " +
                  found("next")};
  p.next = sl::offset{next};
  return p;
}

}  // namespace

std::string to_json(std::string const& group, std::string const& store, std::vector<sl::kept_position> const& all,
                    std::string const& now) {
  json doc{{"format", family}, {"version", version}, {"group", group}, {"exported_at", now}};
  doc["store"] = {{"name", store}};
  if (!all.empty() && !all.front().store_id.empty()) doc["store"]["id"] = all.front().store_id;
  doc["positions"] = json::array();
  for (auto const& p : all) {
    json one{{"topic", p.of.topic}, {"partition", p.of.partition}, {"next", p.next.value()}};
    if (p.log.incarnation > 0) one["incarnation"] = p.log.incarnation;
    if (p.log.leader_epoch >= 0) one["leader_epoch"] = p.log.leader_epoch;
    if (p.log.last) one["last"] = {{"offset", p.log.last->of.value()}, {"hash", sl::detail::hex(p.log.last->hash)}};
    doc["positions"].push_back(std::move(one));
  }
  return doc.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

document from_json(std::string const& text_, std::string const& where) {
  bool too_deep = false;
  auto const not_too_deep = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > deepest;
    return !too_deep;
  };
  auto const doc = json::parse(text_, not_too_deep, false);
  if (too_deep || doc.is_discarded() || !doc.is_object())
    throw failure{where + (too_deep ? " is nested deeper than any export of positions" : " is no JSON object")};
  if (text(doc, "format") != family)
    throw failure{where + ": \"format\" is not \"" + family + "\": this is no export of positions"};
  auto const found = number(doc, "version");
  if (found > version)
    throw failure{where + " has version " + std::to_string(found) + ", this program reads up to " +
                  std::to_string(version) + ": use the one that wrote it"};
  if (found < 1) throw failure{where + ": \"version\" must be a whole number from 1 on"};
  auto const list = doc.find("positions");
  if (list == doc.end() || !list->is_array()) throw failure{where + ": \"positions\" must be a list"};
  document d{.group = text(doc, "group")};
  if (auto const store = doc.find("store"); store != doc.end() && store->is_object()) d.store_id = text(*store, "id");
  for (std::size_t i = 0; i < list->size(); ++i)
    d.positions.push_back(position((*list)[i], where + ": position " + std::to_string(i + 1)));
  d.positions = each_once(std::move(d.positions), where);
  return d;
}

}  // namespace offsets_tool
