/// \file offset_store/redis_positions.hpp  Names of keys in Redis, and what scripts are given and answer.
#pragma once
#include <sluice/detail/file_names.hpp>
#include <sluice/offset_store/position_words.hpp>
#include <sluice/offset_store/redis_connection.hpp>

#include <map>

namespace sluice { inline namespace v0 { namespace detail::redis {

/// The keys of one group: all in one slot of a cluster, since they share what stands in braces. Group and topic are
/// percent-encoded, so no two names share a key.
class key_names {
  std::string slot_;

 public:
  key_names(std::string_view prefix, std::string_view group)
      : slot_("{" + std::string{prefix} + ":" + file_name(group) + "}") {}
  std::string const& slot() const { return slot_; }
  std::string topics() const { return slot_ + ":offsets:"; }
  std::string topic(std::string_view topic) const { return topics() + file_name(topic); }
  std::string rewinds() const { return slot_ + ":rewinds"; }
  std::string states() const { return slot_ + ":state:"; }
  bool are_ours(std::string_view key) const {
    return key.starts_with(topics()) || key == rewinds() || key.starts_with(states());
  }
};

/// A script's keys of topics: each once.
class topic_keys {
  key_names const& names_;
  script_call& call_;
  std::map<std::string, std::size_t, std::less<>> known_{};

 public:
  topic_keys(key_names const& names, script_call& call) : names_(names), call_(call) {}
  std::size_t operator()(std::string const& topic) {
    auto const at = known_.find(topic);
    return at != known_.end() ? at->second : known_.emplace(topic, call_.key(names_.topic(topic))).first->second;
  }
};

inline void add_move(script_call& call, topic_keys& keys, move const& m) {
  call.number(keys(m.of.topic)).number(m.of.partition).number(m.from.value());
  call.number(m.mine.turn).number(m.mine.nonce).number(m.until.value()).text(log_words(m.log));
}

[[noreturn]] inline void damaged_field(std::string const& who, std::string_view key, std::string_view field) {
  throw store_error(errc::store_damaged, who + ": " + std::string{key} + " in Redis has a field " + std::string{field} +
                                             " that is no position: restore it from a backup");
}
[[noreturn]] inline void too_new(std::string const& who, std::string_view key, int found) {
  throw store_error(errc::store_newer, who + ": " + std::string{key} + " in Redis was written in format " +
                                           std::to_string(found) + ", this version knows up to " + format +
                                           ": use the version of the library that wrote it");
}
[[noreturn]] inline void not_ours(std::string const& who, std::string_view key) {
  throw store_error(errc::store_damaged, who + ": " + std::string{key} +
                                             " in Redis is not one that the library made: choose another prefix");
}

/// What a script answered, behind its tag.
class script_answer {
  reply reply_;
  std::string const& who_;

 public:
  /// Throws store_error where the script found what it can't read.
  script_answer(reply r, std::string const& who) : reply_(std::move(r)), who_(who) {
    if (kind() == "damaged") damaged_field(who_, word(1), word(2));
    if (kind() != "format") return;
    if (auto const found = number_in<int>(word(2)); found && *found > 1) too_new(who_, word(1), *found);
    not_ours(who_, word(1));
  }
  std::string_view kind() const { return word(0); }
  /// Empty where there is none.
  std::string_view word(std::size_t i) const {
    return i + 1 < reply_->elements ? redis::text_of(*reply_->element[i + 1]) : std::string_view{};
  }
  std::size_t words() const { return reply_->elements - 1; }
  [[noreturn]] void unreadable(topic_partition const& of) const {
    throw store_error(errc::store_damaged,
                      who_ + ": what Redis holds of " + to_string(of) + " is no position: restore it from a backup");
  }
};

}}}  // namespace sluice::v0::detail::redis
