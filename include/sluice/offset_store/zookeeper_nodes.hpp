/// \file offset_store/zookeeper_nodes.hpp  What a partition's two nodes say: the offset that everybody reads, and the library's own state; both read with suspicion.
#pragma once
#include <sluice/offset_store/zookeeper_paths.hpp>
#include <sluice/offset_store/zookeeper_session.hpp>

#include <map>

namespace sluice { inline namespace v0 { namespace detail::zookeeper {

/// The offset is the position; the state is what the library knows about it. Where they differ, another program has set
/// the offset.
struct partition_nodes {
  std::optional<offset> plain{};
  std::int32_t plain_version = 0;
  std::optional<claimed> state{};  ///< next, log and mine
  bool missing = false;            ///< the state says that there is no position
  std::int32_t state_version = 0;
  bool agree() const { return plain && state && !missing && *plain == state->next; }
};

/// What this process knows of a partition that it owns, so that an advance need not look first.
struct held {
  fence mine{};
  offset next{};
  log_state log{};
  std::int32_t state_version = 0;
  std::int32_t plain_version = 0;
};
using memory = std::map<topic_partition, held>;

/// Some of a text that others wrote, to be shown.
inline std::string shown(std::string_view text) {
  std::string some;
  for (char const c : text.substr(0, 40)) some += c >= ' ' && c <= '~' ? c : '?';
  return '"' + some + (text.size() > 40 ? "…" : "") + '"';
}

/// All throw store_error(store_damaged), or what a missing right is.
class node_reader {
  session const& session_;

  [[noreturn]] void damaged(std::string const& path, std::string const& what) const {
    throw store_error(errc::store_damaged, session_.where() + ": " + path + " " + what);
  }

 public:
  explicit node_reader(session const& s) : session_(s) {}

  /// Is it there?
  bool there(found const& f, std::string const& path) const {
    if (f.code == ZNONODE) return false;
    if (f.code != ZOK) session_.refuse(f.code, "reading " + path);
    return true;
  }

  void take_plain(found const& f, std::string const& path, partition_nodes& into) const {
    into.plain.reset();
    if (!there(f, path)) return;
    auto const remedy = ": is .path right? A number alone is wanted (zkCli: set " + path + " NUMBER)";
    if (f.stat.ephemeralOwner != 0) damaged(path, "is ephemeral, so it is no offset's node" + remedy);
    if (f.stat.numChildren > 0) damaged(path, "has children, so it is no offset's node" + remedy);
    into.plain = read_offset(f.data);
    into.plain_version = f.stat.version;
    if (into.plain) return;
    if (f.data.empty()) damaged(path, "holds nothing" + remedy);
    if (f.data.starts_with("\xac\xed"))
      damaged(path, "holds a serialized Java object, as ZkClient writes without ZKStringSerializer" + remedy);
    damaged(path, "holds " + shown(f.data) + ", which is no offset" + remedy);
  }

  void take_state(found const& f, std::string const& path, fence const& expected, partition_nodes& into) const {
    into.state.reset();
    if (!there(f, path)) return;
    claimed c;
    if (!read_words(f.data, c) || c.mine != expected)
      damaged(path, "holds " + shown(f.data) +
                        ", which is none of this library's state: remove that node, then its offset is taken as it is");
    into.state = c;
    into.missing = f.data.starts_with("- ");
    into.state_version = f.stat.version;
  }

  topic_record take_record(found const& f, std::string const& path) const {
    auto const r = read_topic_record(f.data);
    if (r) return *r;
    if (auto const format = format_of(f.data); format && *format > state_format)
      throw store_error(errc::store_newer, session_.where() + ": " + path + " was written in format " +
                                               std::to_string(*format) + ", this version knows up to " +
                                               std::to_string(state_format) +
                                               ": use the version of the library that wrote it");
    damaged(path, "holds " + shown(f.data) + ", which this library did not write: choose another .state");
  }

  /// The nodes of a topic's partitions by their names.
  std::map<std::int32_t, fence> take_names(found const& f, std::string const& path) const {
    std::map<std::int32_t, fence> all;
    for (auto const& name : f.names) {
      if (name == "rewinds") continue;
      auto const key = read_state_name(name);
      if (!key) damaged(path, "has a node " + shown(name) + ", which this library did not make: choose another .state");
      if (!all.emplace(key->partition, key->mine).second)
        damaged(path, "has two states of partition " + std::to_string(key->partition) +
                          ": remove both, then its offset is taken as it is");
    }
    return all;
  }
};

/// The rewinds of a topic, the newest last, a line each: WALL_MS PARTITION FROM TO INCARNATION CAUSE. FROM is `-` where
/// there was no position.
class rewinds_text {
  std::string text_;

 public:
  static constexpr std::size_t most_lines = 1000;

  explicit rewinds_text(std::string text) : text_(std::move(text)) {}

  void add(std::int32_t partition, std::optional<offset> from, offset to, std::int64_t incarnation,
           std::string_view cause) {
    text_ += std::to_string(wall_ms()) + " " + std::to_string(partition) + " " +
             (from ? std::to_string(from->value()) : "-") + " " + std::to_string(to.value()) + " " +
             std::to_string(incarnation) + " ";
    for (char const c : cause.substr(0, 200)) text_ += c >= '\0' && c < ' ' ? ' ' : c;
    text_ += '\n';
  }
  /// The newest ones, `most_bytes` of them.
  std::string const& kept(std::size_t most_bytes) {
    auto lines = static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '\n'));
    while (!text_.empty() && (lines > most_lines || text_.size() > most_bytes)) {
      text_.erase(0, std::min(text_.find('\n'), text_.size() - 1) + 1);
      --lines;
    }
    return text_;
  }
  /// The highest that a partition had, as far as is known; 0: none.
  std::int64_t highest_incarnation(std::int32_t partition) const {
    std::int64_t highest = 0;
    for (std::string_view rest{text_}; !rest.empty();) {
      auto const line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      std::array<std::string_view, 5> words;
      auto left = line;
      for (auto& w : words) {
        w = left.substr(0, left.find(' '));
        left.remove_prefix(std::min(w.size() + 1, left.size()));
      }
      if (number_in<std::int32_t>(words[1]) == partition)
        highest = std::max(highest, number_in<std::int64_t>(words[4]).value_or(0));
    }
    return highest;
  }
};

}}}  // namespace sluice::v0::detail::zookeeper
