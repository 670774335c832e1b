/// What is read from a line of an access log (combined format): who asked, and how many bytes went out.
#pragma once
#include <charconv>
#include <cstdint>
#include <string_view>

namespace crash_course {

inline std::string_view address_of(std::string_view line) { return line.substr(0, line.find(' ')); }

/// The number behind the status; 0 where the log has `-`. A request may itself contain quotes, so the field is
/// looked for from each of them: `" 200 1234 "`.
inline std::int64_t bytes_of(std::string_view line) {
  auto const digit = [](char c) { return c >= '0' && c <= '9'; };
  for (auto at = line.find("\" "); at != line.npos; at = line.find("\" ", at + 1)) {
    auto const rest = line.substr(at + 2);
    if (rest.size() < 5 || !digit(rest[0]) || !digit(rest[1]) || !digit(rest[2]) || rest[3] != ' ') continue;
    std::int64_t bytes = 0;
    std::from_chars(rest.data() + 4, rest.data() + rest.size(), bytes);
    return bytes;
  }
  return 0;
}

}  // namespace crash_course
