/// \file offset_store/zookeeper_paths.hpp  Where in ZooKeeper a group's offsets lie, and what the library keeps beside them.
#pragma once
#include <sluice/detail/nonce.hpp>
#include <sluice/offset_store/position_words.hpp>

#include <string>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::zookeeper {

/// Any text as the name of a node, so that no two texts share one: percent-encoded is what ZooKeeper does not take (`/`,
/// `.`, `..`, control characters), what it reserves (`zookeeper`), `%` and all beyond ASCII. The empty text is a lone `%`.
/// What others write as it is, such as topics of Kafka, stays as it is.
inline std::string node_name(std::string_view text) {
  if (text.empty()) return "%";
  bool const reserved = text == "." || text == ".." || text == "zookeeper";
  std::string out;
  for (char const c : text) {
    if (c >= ' ' && c <= '~' && c != '/' && c != '%' && !(reserved && out.empty())) {
      out += c;
      continue;
    }
    auto const byte = static_cast<unsigned char>(c);
    out += {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
  }
  return out;
}

/// The text that node_name() gave this name; absent: it never does.
inline std::optional<std::string> text_of_node_name(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%' || name == "%") {
      if (name[i] != '%') text += name[i];
      continue;
    }
    unsigned byte = 0;
    auto const two = name.substr(i + 1, 2);
    if (auto const [end, trouble] = std::from_chars(two.data(), two.data() + two.size(), byte, 16);
        two.size() != 2 || trouble != std::errc{} || end != two.data() + 2)
      return {};
    text += static_cast<char>(static_cast<unsigned char>(byte));
    i += 2;
  }
  if (node_name(text) != name) return {};
  return text;
}

/// The elements of a path; empty ones too.
inline std::vector<std::string> elements_of(std::string_view path) {
  std::vector<std::string> all;
  for (std::size_t at = 1; at <= path.size();) {
    auto const end = std::min(path.find('/', at), path.size());
    all.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

/// Why this can't be a path in ZooKeeper; empty: it can.
inline std::string wrong_with_path(std::string_view path) {
  if (!path.starts_with('/')) return "must begin with /";
  for (auto const& e : elements_of(path)) {
    if (e.empty()) return "has an empty element";
    if (e == "." || e == "..") return "has an element " + e + ", which ZooKeeper does not take";
    for (char const c : e)
      if (c < ' ' || c > '~') return "has a character that is not printable ASCII";
  }
  if (path.ends_with('/')) return "must not end with /";
  if (path == "/zookeeper" || path.starts_with("/zookeeper/")) return "lies in /zookeeper, which is ZooKeeper's own";
  return {};
}

/// The same for a path with {group}, {topic} and {partition}.
inline std::string wrong_with_pattern(std::string_view path) {
  if (auto why = wrong_with_path(path); !why.empty()) return why;
  auto const all = elements_of(path);
  for (auto const* part : {"{group}", "{topic}", "{partition}"})
    if (std::count(all.begin(), all.end(), part) != 1) return std::string{"needs one element "} + part;
  if (all.back() != "{partition}") return "must end with /{partition}";
  return {};
}

/// Of one topic.
struct topic_paths {
  std::string offsets{};  ///< the node above the partitions' own, which hold digits for everybody to read
  std::string state{};    ///< the node that the library keeps its own in
  std::string offset_of(std::int32_t partition) const { return offsets + "/" + std::to_string(partition); }
  std::string rewinds() const { return state + "/rewinds"; }
  std::string state_of(std::string const& name) const { return state + "/" + name; }
};

/// A group's.
class group_paths {
  std::string chroot_;
  std::string pattern_;
  std::string state_;
  std::string group_;

 public:
  /// `pattern` and `state` as the checks above want them; `chroot` is empty, or a path.
  group_paths(std::string chroot, std::string pattern, std::string state, std::string_view group)
      : chroot_(std::move(chroot)), pattern_(std::move(pattern)), state_(std::move(state)), group_(node_name(group)) {}
  group_paths of(std::string_view group) const { return {chroot_, pattern_, state_, group}; }

  topic_paths topic(std::string_view topic) const {
    auto const path = until("{partition}", topic);
    return {chroot_ + path, chroot_ + state_ + path};
  }
  /// The node above the topics'.
  std::string topics() const { return chroot_ + until("{topic}", {}); }

  /// The nodes that all groups share: what comes before a group or topic in the pattern, and where the state begins.
  std::vector<std::string> shared() const {
    std::vector<std::string> all;
    auto const add = [&](std::string const& path) {
      std::string so_far;
      for (auto const& e : elements_of(path)) {
        if (e.starts_with('{')) break;
        so_far += "/" + e;
        if (std::find(all.begin(), all.end(), so_far) == all.end()) all.push_back(so_far);
      }
    };
    add(chroot_ + pattern_);
    add(chroot_ + state_);
    return all;
  }

 private:
  std::string until(std::string_view mark, std::string_view topic) const {
    std::string path;
    for (auto const& e : elements_of(pattern_)) {
      if (e == mark) break;
      path += "/" + (e == "{group}" ? group_ : e == "{topic}" ? node_name(topic) : e);
    }
    return path;
  }
};

/// Names the node that holds a partition's state: it changes with each fence, so whoever has an older one writes to a node
/// that is not there any more, and never will be again.
inline std::string state_name(std::int32_t partition, fence const& f) {
  return std::to_string(partition) + "-" + std::to_string(f.turn) + "-" + hex(f.nonce);
}

struct state_key {
  std::int32_t partition = 0;
  fence mine{};
};

/// Absent for what state_name never gives.
inline std::optional<state_key> read_state_name(std::string_view name) {
  auto const a = name.find('-'), b = name.rfind('-');
  if (a == name.npos || a == b || name.size() != b + 17) return {};
  auto const partition = number_in<std::int32_t>(name.substr(0, a));
  auto const turn = number_in<std::uint64_t>(name.substr(a + 1, b - a - 1));
  state_key key;
  auto const [end, trouble] = std::from_chars(name.data() + b + 1, name.data() + name.size(), key.mine.nonce, 16);
  if (!partition || !turn || trouble != std::errc{} || end != name.data() + name.size()) return {};
  key.partition = *partition;
  key.mine.turn = *turn;
  if (state_name(key.partition, key.mine) != name) return {};
  return key;
}

/// What the node of a topic's state says.
struct topic_record {
  std::int32_t made = 0;          ///< partitions whose nodes were made: whatever is not there any more is missing
  std::vector<offset> to_make{};  ///< where the next ones start, when there are too many for one request
};

inline constexpr int state_format = 1;

/// "sluice 1 MADE START…"
inline std::string to_text(topic_record const& r) {
  auto text = "sluice " + std::to_string(state_format) + " " + std::to_string(r.made);
  for (auto const start : r.to_make) text += " " + std::to_string(start.value());
  return text;
}

/// Of a record's text; absent where it is none. Above state_format: a later version's.
inline std::optional<int> format_of(std::string_view text) {
  if (!text.starts_with("sluice ")) return {};
  text.remove_prefix(7);
  return number_in<int>(text.substr(0, text.find(' ')));
}

inline std::optional<topic_record> read_topic_record(std::string_view text) {
  if (format_of(text) != state_format) return {};
  topic_record r;
  std::vector<std::int64_t> numbers;
  for (auto at = text.find(' ', 7); at != text.npos;) {
    auto const end = std::min(text.find(' ', at + 1), text.size());
    auto const n = number_in<std::int64_t>(text.substr(at + 1, end - at - 1));
    if (!n) return {};
    numbers.push_back(*n);
    at = end == text.size() ? text.npos : end;
  }
  if (numbers.empty() || numbers[0] < 0 || numbers[0] > INT32_MAX) return {};
  r.made = static_cast<std::int32_t>(numbers[0]);
  for (std::size_t i = 1; i < numbers.size(); ++i) r.to_make.push_back(offset{numbers[i]});
  return r;
}

/// An offset as any program writes it: digits. Absent: it is none, or does not fit.
inline std::optional<offset> read_offset(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != text.npos) return {};
  auto const n = number_in<std::int64_t>(text);
  if (!n) return {};
  return offset{*n};
}

/// A partition's number as the name of a node; absent: this node is another one.
inline std::optional<std::int32_t> read_partition(std::string_view name) {
  auto const n = number_in<std::int32_t>(name);
  if (!n || *n < 0 || std::to_string(*n) != name) return {};
  return n;
}

}}}  // namespace sluice::v0::detail::zookeeper
