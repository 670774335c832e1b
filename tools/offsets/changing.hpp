/// \file changing.hpp  How every command changes positions: plan, checks, table, then the store; and what came of it.
#pragma once
#include "commands.hpp"
#include "plan.hpp"

namespace offsets_tool {

/// Where the positions come from, apart from the store that is changed.
struct origin {
  std::string name{};                          // for errors
  std::string store_id{};                      // of a local store that is left
  store* read_from = nullptr;                  // must stand still too
  std::string group{};                         // there
  std::vector<sl::kept_position> positions{};  // as read from it
};

/// `command`: becomes part of the rewinds' cause. `stored`: what was read of `s` for the plan.
void change_positions(circumstances const& c, store& s, std::vector<sl::kept_position> const& stored,
                      std::vector<sl::position> const& wanted, origin const& from, std::string const& command);

}  // namespace offsets_tool
