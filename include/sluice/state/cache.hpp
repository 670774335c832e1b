/// \file state/cache.hpp  What a state keeps in memory of its rows: bytes, by partition, no longer than they are what the store holds.
#pragma once
#include <sluice/offset.hpp>
#include <sluice/state/store.hpp>

#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// Rows as they stand in the store, and keys that are known to have none, the least recently used first. A partition's rows
/// hold as long as its stamp is the one in the store: each transaction that changes one of them writes a new stamp of 64
/// random bits beside them. So a rollback, another owner, a rewind, a restored database and an unknown outcome all show.
class state_cache {
 public:
  struct entry {
    std::uint32_t part = 0;
    std::string key{};
    std::string value{};
    std::int64_t due = never;
    bool there = false;
  };

 private:
  using entries = std::list<entry>;
  struct part {
    std::uint64_t stamp = 0;
    bool holds = false;
    std::unordered_map<std::string_view, entries::iterator> rows{};
  };

  entries all_{};
  std::vector<part> parts_{};
  std::map<topic_partition, std::uint32_t> numbers_{};
  std::size_t bytes_ = 0;

  // Nodes of list and table with their allocations' own bytes, on 64-bit machines.
  static constexpr std::size_t overhead = sizeof(entry) + 112;

  static std::size_t room_of(std::string const& text) { return text.capacity() > 15 ? text.capacity() + 17 : 0; }
  static std::size_t room_of(entry const& e) { return overhead + room_of(e.key) + room_of(e.value); }

 public:
  state_cache() = default;
  state_cache(state_cache const&) = delete;
  state_cache& operator=(state_cache const&) = delete;

  /// About what is allocated.
  std::size_t bytes() const { return bytes_; }
  std::size_t rows() const { return all_.size(); }

  std::uint32_t number_of(topic_partition const& of) {
    if (auto const at = numbers_.find(of); at != numbers_.end()) return at->second;
    auto const number = static_cast<std::uint32_t>(parts_.size());
    parts_.emplace_back();
    numbers_.emplace(of, number);
    return number;
  }
  /// Before the partition's rows are changed: forgets those that another stamp stands beside. Until close() they hold for nobody
  /// else, so what a call that threw has left is forgotten by the next. Answers whether rows were kept.
  bool open(std::uint32_t number, std::uint64_t stamp) {
    auto& p = parts_[number];
    bool const held = p.holds && p.stamp == stamp;
    if (!held) forget(number);
    p.holds = false;
    return held;
  }
  void close(std::uint32_t number, std::uint64_t stamp) {
    parts_[number].stamp = stamp;
    parts_[number].holds = true;
  }
  void forget(std::uint32_t number) {
    auto& p = parts_[number];
    for (auto const& [key, at] : p.rows) {
      bytes_ -= room_of(*at);
      all_.erase(at);
    }
    p.rows.clear();
    p.holds = false;
  }

  /// Null: not known. It counts as used.
  entry* find(std::uint32_t number, std::string_view key) {
    auto& rows = parts_[number].rows;
    auto const at = rows.find(key);
    if (at == rows.end()) return nullptr;
    all_.splice(all_.end(), all_, at->second);
    return &*at->second;
  }
  /// A row that is not known yet.
  entry& add(std::uint32_t number, std::string_view key) {
    entries one;
    auto& e = one.emplace_back(entry{.part = number, .key = std::string{key}});
    parts_[number].rows.emplace(e.key, one.begin());
    all_.splice(all_.end(), one);
    bytes_ += room_of(e);
    return e;
  }
  void set(entry& e, std::string_view value, std::int64_t due, bool there) {
    auto const before = room_of(e);
    e.value = value;
    e.due = due;
    e.there = there;
    bytes_ = bytes_ - before + room_of(e);
  }
  /// Forgets what was used least recently. What is forgotten must be in the store.
  void trim(std::size_t most) {
    while (bytes_ > most && !all_.empty()) {
      auto& e = all_.front();
      bytes_ -= room_of(e);
      parts_[e.part].rows.erase(e.key);
      all_.pop_front();
    }
  }
};

}}}  // namespace sluice::v0::detail
