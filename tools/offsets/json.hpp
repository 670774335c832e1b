/// \file json.hpp  Positions as JSON, for export and import.
///
///     {
///       "format": "sluice-offsets", "version": 1,
///       "group": "billing",
///       "exported_at": "2026-01-31T12:00:00Z",       optional, for people
///       "store": {"name": "sqlite:billing.db", "id": "…"},   optional; id: of a local store, see kept_position::store_id
///       "positions": [
///         {"topic": "orders", "partition": 0, "next": 41,
///          "incarnation": 1700000000000, "leader_epoch": 7, "last": {"offset": 40, "hash": "9ae16a3b2f90404f"}}, …
///       ]
///     }
///
/// `next` is the next offset to read. The last three fields are what the store knew of the log; import does not need them.
/// What one version wrote, every later one reads; a field that is not known is skipped, a later `version` is refused.
#pragma once
#include <nlohmann/json.hpp>

#include "number.hpp"

namespace offsets_tool {

struct document {
  std::string group{};
  std::string store_id{};
  std::vector<sl::kept_position> positions{};
};

std::string to_json(std::string const& group, std::string const& store, std::vector<sl::kept_position> const& all,
                    std::string const& now);

/// Throws failure, which begins with `where` and says which part of the document is wrong.
document from_json(std::string const& text, std::string const& where);

}  // namespace offsets_tool
