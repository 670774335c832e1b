/// \file table.hpp  Columns of text, as wide as they must be.
#pragma once
#include <fmt/format.h>

#include <string>
#include <vector>

namespace tools {

/// A column whose title begins with '>' is aligned to the right.
inline std::string table(std::vector<std::string> titles, std::vector<std::vector<std::string>> rows) {
  std::vector<bool> right;
  for (auto& t : titles) {
    right.push_back(t.starts_with('>'));
    if (right.back()) t.erase(0, 1);
  }
  rows.insert(rows.begin(), titles);
  std::vector<std::size_t> widths(titles.size());
  for (auto const& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string all;
  for (auto const& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i ? "  " : "";
      line += right[i] ? fmt::format("{:>{}}", row[i], widths[i]) : fmt::format("{:<{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + "\n";
  }
  return all;
}

}  // namespace tools
