/// \file detail/letter_json.hpp  A dead letter as one line of JSON; key, value and headers in base64.
#pragma once
#include <sluice/detail/base64.hpp>
#include <sluice/on_failure/concept.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace sluice { inline namespace v0 { namespace detail {

/// How many bytes of well-formed UTF-8 the first character has (RFC 3629); 0: none is there.
inline std::size_t utf8_length(std::string_view s) {
  auto const at = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  auto const in = [&](std::size_t i, unsigned low, unsigned high) { return at(i) >= low && at(i) <= high; };
  unsigned const c = at(0);
  if (s.empty()) return 0;
  if (c < 0x80) return 1;
  if (c >= 0xC2 && c <= 0xDF) return in(1, 0x80, 0xBF) ? 2 : 0;
  if (c >= 0xE0 && c <= 0xEF)
    return in(1, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF) && in(2, 0x80, 0xBF) ? 3 : 0;
  if (c >= 0xF0 && c <= 0xF4)
    return in(1, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
  return 0;
}

/// Quoted; a byte that is no UTF-8 becomes U+FFFD, so that the line can be read by any parser.
inline void append_json_text(std::string& out, std::string_view s) {
  out += '"';
  while (!s.empty()) {
    auto const length = utf8_length(s);
    auto const c = static_cast<unsigned char>(s.front());
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += {'\\', static_cast<char>(c)};
    } else if (c < 0x20 || c == 0x7F) {
      out += {'\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
    } else {
      out += s.substr(0, length);
    }
    s.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

/// In base64, or null where there is none.
inline void append_json_bytes(std::string& out, bool there, bytes content) {
  if (!there) {
    out += "null";
    return;
  }
  out += '"';
  append_base64(out, content);
  out += '"';
}

/// `[["name","base64"], ["name",null], …]`, in their order.
template <class Headers = headers>
void append_json_headers(std::string& out, Headers const& all) {
  out += '[';
  bool first = true;
  for (header const h : all) {
    out += first ? "[" : ",[";
    first = false;
    append_json_text(out, h.name);
    out += ',';
    append_json_bytes(out, h.value.data() != nullptr, h.value);
    out += ']';
  }
  out += ']';
}

/// As they stand in a column of a table: nothing where the record has none.
template <class Record = record>
std::optional<std::string> headers_column(Record const& r) {
  auto const all = r.headers();
  if (all.begin() == all.end()) return std::nullopt;
  std::string out;
  append_json_headers(out, all);
  return out;
}

/// topic, partition, offset, incarnation, timestamp and first (ms since 1970), key and value (null where there is none),
/// headers, error, attempts; ends with a line feed.
inline std::string json_line(dead_letter const& letter) {
  auto const& r = letter.what;
  std::string out = "{\"topic\":";
  append_json_text(out, r.topic());
  out += ",\"partition\":" + std::to_string(r.partition());
  out += ",\"offset\":" + std::to_string(r.offset().value());
  out += ",\"incarnation\":" + std::to_string(r.incarnation());
  out += ",\"timestamp\":" + std::to_string(r.timestamp().time_since_epoch().count()) + ",\"key\":";
  append_json_bytes(out, r.has_key(), r.key());
  out += ",\"value\":";
  append_json_bytes(out, !r.is_tombstone(), r.value());
  out += ",\"headers\":";
  append_json_headers(out, r.headers());
  out += ",\"error\":";
  append_json_text(out, letter.error);
  out += ",\"attempts\":" + std::to_string(letter.attempts);
  out += ",\"first\":" + std::to_string(letter.first.time_since_epoch().count()) + "}\n";
  return out;
}

}}}  // namespace sluice::v0::detail
