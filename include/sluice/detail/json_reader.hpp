/// \file detail/json_reader.hpp  JSON of servers, read into values.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// A value of JSON. Numbers and words are kept as they are written.
struct json {
  enum { text, word, list, object } kind = word;
  std::string is{};                  ///< text and word
  std::vector<std::string> names{};  ///< of an object: one for each of `items`
  std::vector<json> items{};

  /// Of an object; null where there is none of that name.
  json const* find(std::string_view name) const {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return &items[i];
    return nullptr;
  }
  /// An object's text of that name; absent where it has none.
  std::optional<std::string> text_of(std::string_view name) const {
    auto const* const j = find(name);
    return j && j->kind == text ? std::optional{j->is} : std::nullopt;
  }
};

/// Reads one value and nothing behind it. Escapes above U+007F become `?`: no name of ours has one.
class json_reader {
  std::string_view left_;
  bool good_ = true;
  static constexpr int deepest = 16;

  void space() {
    while (!left_.empty() && (left_[0] == ' ' || left_[0] == '\n' || left_[0] == '\r' || left_[0] == '\t'))
      left_.remove_prefix(1);
  }
  bool next(char c) {
    space();
    if (left_.empty() || left_[0] != c) return false;
    left_.remove_prefix(1);
    return true;
  }
  void need(char c) { good_ = good_ && next(c); }

  char escaped() {
    auto const c = left_.empty() ? '\0' : left_[0];
    if (!left_.empty()) left_.remove_prefix(1);
    constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    if (auto const at = names.find(c); at != names.npos) return meanings[at];
    if (c != 'u' || left_.size() < 4) {
      good_ = false;
      return '?';
    }
    unsigned n = 0;
    for (char const d : left_.substr(0, 4)) {
      auto const digit =
          std::string_view{"0123456789abcdef"}.find(d >= 'A' && d <= 'F' ? static_cast<char>(d + 32) : d);
      good_ = good_ && digit != std::string_view::npos;
      n = n << 4 | static_cast<unsigned>(digit & 15);
    }
    left_.remove_prefix(4);
    return n < 0x80 ? static_cast<char>(n) : '?';
  }
  std::string quoted() {
    std::string all;
    need('"');
    while (good_ && !left_.empty() && left_[0] != '"') {
      auto const plain = std::min(left_.find_first_of("\"\\"), left_.size());
      all += left_.substr(0, plain);
      left_.remove_prefix(plain);
      if (left_.empty() || left_[0] == '"') break;
      left_.remove_prefix(1);
      all += escaped();
    }
    need('"');
    return all;
  }
  json value(int depth) {
    json j;
    space();
    if (depth > deepest || left_.empty()) {
      good_ = false;
    } else if (left_[0] == '"') {
      j.kind = json::text;
      j.is = quoted();
    } else if (left_[0] == '{' || left_[0] == '[') {
      j.kind = left_[0] == '{' ? json::object : json::list;
      char const end = left_[0] == '{' ? '}' : ']';
      left_.remove_prefix(1);
      if (next(end)) return j;
      do {
        if (j.kind == json::object) {
          space();
          j.names.push_back(quoted());
          need(':');
        }
        if (good_) j.items.push_back(value(depth + 1));
      } while (good_ && next(','));
      need(end);
    } else {
      auto const size = std::min(left_.find_first_of(",]} \r\n\t"), left_.size());
      j.is = left_.substr(0, size);
      good_ = good_ && size > 0;
      left_.remove_prefix(size);
    }
    return j;
  }

 public:
  explicit json_reader(std::string_view text) : left_(text) {}
  /// Absent where the text is none.
  std::optional<json> read() {
    auto j = value(0);
    space();
    if (!good_ || !left_.empty()) return {};
    return j;
  }
};

}}}  // namespace sluice::v0::detail
