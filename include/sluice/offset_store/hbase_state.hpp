/// \file offset_store/hbase_state.hpp  The state of a group as one cell in HBase, replaced only where it still is what was read.
#pragma once
#include <sluice/offset_store/file_claims.hpp>
#include <sluice/offset_store/hbase_table.hpp>

namespace sluice { inline namespace v0 { namespace detail::hbase {

inline constexpr std::string_view restore_cell =
    "put it back from a snapshot, or delete the cell: then the group goes on where the newest row of its history says";

/// What was read goes with every write as what must still be there, so a late write changes nothing: no state ever comes back,
/// since each change makes a fence or moves an offset on.
class state {
  table table_;
  std::string group_{};
  std::string key_{};
  std::string seen_{};  // what the cell holds; empty: there is none
  bool current_ = false;
  std::int64_t as_of_ = 0;
  file_generation state_{};
  std::string bytes_{};

 public:
  explicit state(settings const& s) : table_(s) {}

  table& its_table() { return table_; }
  std::string const& group() const { return group_; }
  /// As read or published last.
  file_generation const& known() const { return state_; }
  /// The wall clock in ms just before that. Of two states the later one has, with clocks that agree, no smaller time.
  std::int64_t as_of() const { return as_of_; }

  std::string name() const { return table_.name() + " row " + key_; }

  void select(std::string const& group) {
    if (group == group_ && !key_.empty()) return;
    constexpr std::size_t longest_key = 32'767;
    auto key = std::string{own_rows} + url_name(group);
    if (key.size() > longest_key)
      throw error(errc::bad_configuration,
                  "hbase_offsets: the group's name is too long for HBase, which takes keys of " +
                      std::to_string(longest_key) + " bytes: choose a shorter one");
    key_ = std::move(key);
    group_ = group;
    seen_.clear();
    current_ = false;
  }

  file_generation& newest(time_point by) {
    if (current_) return state_;
    as_of_ = in_ms(file_wall_clock());
    if (auto found = table_.read(key_, by)) {
      auto parsed = parse_generation<file_generation>(*found, name(), restore_cell);
      for (auto const& [key, partitions] : parsed.topics)
        if (key.group != group_)
          throw store_error(errc::store_damaged, name() + " holds the offsets of the group '" + key.group +
                                                     "': it was copied here; " + std::string{restore_cell});
      state_ = std::move(parsed);
      seen_ = std::move(*found);
    } else {
      if (!seen_.empty())
        throw store_error(errc::store_damaged, name() + " is gone, and was there before: put it back from a snapshot");
      state_ = file_generation{.id = {random_bits(), random_bits()}};
    }
    current_ = true;
    return state_;
  }
  bool current() const { return current_; }
  void doubt() { current_ = false; }
  void unchanged() { current_ = true; }
  bool durable() const { return true; }

  publication publish(time_point by) {
    current_ = false;
    encode(state_, bytes_);
    auto const before = in_ms(file_wall_clock());
    http::answer a;
    try {
      a = table_.check_put(key_, bytes_, seen_, by);
    } catch (http::lost const&) { return publication::unknown; }
    if (a.status == 304) return publication::taken;
    if (a.status != 200) {
      auto const m = meaning_of(a, {});
      if (m.code == errc::store_unavailable && (a.status == 429 || a.status >= 500)) return publication::unknown;
      table_.refuse(a);
    }
    seen_.swap(bytes_);
    as_of_ = before;
    current_ = true;
    return publication::yes;
  }
};

}}}  // namespace sluice::v0::detail::hbase
