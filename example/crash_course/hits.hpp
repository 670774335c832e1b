/// Hits and bytes of each client: what the courses count.
#pragma once
#include "access_log.hpp"

#include <map>
#include <string>

namespace crash_course {

struct hits {
  std::int64_t count = 0;
  std::int64_t bytes = 0;
  void add(std::string_view line) {
    ++count;
    bytes += bytes_of(line);
  }
  friend bool operator==(hits const&, hits const&) = default;
};
using hits_of_clients = std::map<std::string, hits, std::less<>>;

}  // namespace crash_course
