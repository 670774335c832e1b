// Names and contents of ZooKeeper's nodes, which other programs write too.
#include <sluice/offset_store/zookeeper_nodes.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace zk = sl::detail::zookeeper;

void names(std::string const& one, std::string const& other) {
  must(zk::text_of_node_name(zk::node_name(one)) == one, "a name is read as the text that it was made of");
  if (auto const text = zk::text_of_node_name(one)) must(zk::node_name(*text) == one, "only what is written is read");
  must((zk::node_name(one) == zk::node_name(other)) == (one == other), "two texts have two names");
  must(zk::wrong_with_path("/a/" + zk::node_name(one)).empty(), "ZooKeeper takes every name");
  if (auto const key = zk::read_state_name(one))
    must(zk::state_name(key->partition, key->mine) == one, "only what is written is a state");
  if (auto const p = zk::read_partition(one)) must(std::to_string(*p) == one, "only a number is a partition");
}

void paths(std::string const& pattern, std::string const& group, std::string const& topic) {
  if (!zk::wrong_with_pattern(pattern).empty()) return;
  zk::group_paths const all{"", pattern, "/sluice", group};
  auto const here = all.topic(topic);
  for (auto const& path : {here.offset_of(7), here.rewinds(), here.state_of("7-1-0000000000000001"), all.topics()})
    must(zk::wrong_with_path(path).empty() || path.empty(), "a right pattern gives right paths");
  for (auto const& path : all.shared()) must(zk::wrong_with_path(path).empty(), "and so are those above them");
}

void contents(std::string const& text) {
  if (auto const r = zk::read_topic_record(text)) {
    auto const again = zk::read_topic_record(to_text(*r));
    must(again && again->made == r->made && again->to_make == r->to_make, "a record is read as it was written");
  }
  if (auto const o = zk::read_offset(text)) must(o->value() >= 0, "an offset is not negative");
  must_be_shown(std::string{zk::shown(text)}.substr(0, 41));
  zk::rewinds_text all{text};
  auto const life = all.highest_incarnation(3);
  auto const lines = std::count(text.begin(), text.end(), '\n');
  all.add(3, {}, sl::offset{5}, INT64_MAX, text);
  must(text.empty() || text.ends_with('\n') ? all.highest_incarnation(3) == INT64_MAX : life <= INT64_MAX,
       "a rewind is found again");
  auto const kept = all.kept(4096);
  must(kept.size() <= 4096, "rewinds are bounded");
  must(std::count(kept.begin(), kept.end(), '\n') <= lines + 1, "a cause is one line");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  pieces in{text_of(data, size)};
  auto const one = in.line(), other = in.line();
  names(one, other);
  paths(one, other, std::string{in.rest()});
  contents(std::string{text_of(data, size)});
  contents(one);
  return 0;
}
