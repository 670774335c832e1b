/// \file words.hpp  What the programs share: words of the command line, and failures whose text is for the user as it is.
#pragma once
#include <sluice/error.hpp>

#include <charconv>
#include <chrono>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tools {

namespace sl = sluice;

/// How a program ends.
namespace exits {
constexpr int done = 0, failed = 1, wrong_usage = 2, refused = 3;
}

/// What an exception says, without the library's name in front.
inline std::string_view said_by(std::exception const& e) {
  std::string_view what = e.what();
  if (what.starts_with("sluice: ")) what.remove_prefix(8);
  return what;
}

/// A failure whose text is for the user as it is.
class failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// Nothing was done, since somebody may be at work in the group.
class refusal : public failure {
 public:
  using failure::failure;
};

/// What was found, so that it can be printed: short, and no control characters.
inline std::string as_found(std::string_view text) {
  std::string some{text.substr(0, 40)};
  for (auto& c : some)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  return "\"" + some + (text.size() > 40 ? "…\"" : "\"");
}

template <class N>
std::optional<N> whole_number(std::string_view text) {
  N n{};
  auto const [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || wrong != std::errc{} || end != text.data() + text.size()) return {};
  return n;
}

/// "300ms", "5s", "2m", "1h", "0". `option`: for the error.
inline std::chrono::milliseconds duration(std::string const& text, char const* option) {
  auto const digits = text.find_first_not_of("0123456789");
  auto const n = whole_number<std::int32_t>(std::string_view{text}.substr(0, digits));
  auto const unit = digits == text.npos ? std::string{} : text.substr(digits);
  if (n && unit == "ms") return std::chrono::milliseconds{*n};
  if (n && unit == "s") return std::chrono::seconds{*n};
  if (n && unit == "m") return std::chrono::minutes{*n};
  if (n && unit == "h") return std::chrono::hours{*n};
  if (n && *n == 0 && unit.empty()) return {};
  throw failure{std::string{option} + " takes a time such as 500ms, 5s or 2m"};
}

/// Lines of `key=value`; empty ones and those that begin with # are skipped.
inline std::map<std::string, std::string> properties_in(std::string const& file) {
  std::map<std::string, std::string> all;
  if (file.empty()) return all;
  std::ifstream in{file};
  if (!in) throw failure{"--kafka-properties: " + file + " can't be read"};
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    auto const equals = line.find('=');
    if (equals == line.npos || equals == 0)
      throw failure{"--kafka-properties: " + file + ", line " + std::to_string(number) +
                    " is not of the form key=value"};
    all[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return all;
}

}  // namespace tools
