/// \file number.hpp  Offsets and partitions in what others have written: numbers, or an error that says where what was found.
#pragma once
#include "store.hpp"

namespace offsets_tool {

/// How a layout that isn't the library's counts: the next offset to read, or the last that was read.
struct counting {
  bool last = false;

  explicit counting(store_words const& w) : last(w.stored_offset_is == "last") {}

  /// `where`: the store and the place in it, for the error.
  sl::offset next(std::string_view text, std::string const& where) const {
    auto const n = whole_number<std::int64_t>(text);
    if (!n || *n < (last ? -1 : 0) || *n == INT64_MAX)
      throw failure{where + ": found " + as_found(text) + ", which is no offset: a whole number from " +
                    (last ? "-1" : "0") + " on is expected there"};
    return sl::offset{*n + (last ? 1 : 0)};
  }
  std::int64_t stored(sl::offset next) const { return next.value() - (last ? 1 : 0); }
};

inline std::int32_t partition_in(std::string_view text, std::string const& where) {
  auto const n = whole_number<std::int32_t>(text);
  if (!n || *n < 0)
    throw failure{where + ": found " + as_found(text) +
                  ", which is no partition: a whole number from 0 on is expected"};
  return *n;
}

/// What was read just before the change is as it was planned with, or somebody is at work there.
inline void must_not_have_moved(change const& c, std::vector<sl::kept_position> const& now, bool may_be_alive) {
  std::optional<sl::offset> found;
  for (auto const& p : now)
    if (p.of == c.of) found = p.next;
  if (found == c.before || may_be_alive) return;
  throw refusal{to_string(c.of) +
                " has changed since it was read: somebody of the group is alive. Stop it, or say "
                "--group-may-be-alive"};
}

/// Sorted; a partition that is there twice is an error.
inline std::vector<sl::kept_position> each_once(std::vector<sl::kept_position> all, std::string const& where) {
  all = sl::detail::in_order(std::move(all));
  for (std::size_t i = 1; i < all.size(); ++i)
    if (all[i].of == all[i - 1].of) throw failure{where + ": " + to_string(all[i].of) + " is there more than once"};
  return all;
}

}  // namespace offsets_tool
