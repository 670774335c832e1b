/// \file offset_store/group_note.hpp  The short text beside an offset committed to Kafka: all that a bare offset lacks.
#pragma once
#include <sluice/offset_store/concept.hpp>

#include <charconv>
#include <string_view>

namespace sluice { inline namespace v0 {

/// What is known about a committed offset. As text, for example
/// `sluice1;n=4;i=1700000000000;e=7;f=41:9ae16a3b2f90404f;t=3:5bd1e995;id=…;c=seek`: version, then fields in any order;
/// a field that is not known is left out, one that a later minor version added is skipped.
///
/// The format is durable: what one version wrote, every later one reads.
struct group_note {
  std::int32_t partitions = 0;  ///< `n`: the topic's known number of partitions; 0: not known
  log_state log{};              ///< `i` incarnation, `e` leader epoch, `f` offset and hash (hex) of the last record
  fence mine{};                 ///< `t`: turn, and nonce (hex), of who committed
  std::string store_id{};       ///< `id`: of the local store that the offset is a copy of; empty: of none
  std::string cause{};          ///< `c`: why the offset jumped here; empty: it was advanced
  friend bool operator==(group_note const&, group_note const&) = default;
};

namespace detail {

inline constexpr std::string_view note_family = "sluice";
inline constexpr std::string_view note_version = "sluice1";
inline constexpr std::size_t longest_note = 4096;      // what brokers take
inline constexpr std::size_t longest_note_text = 120;  // of `id` and `c`, before escapes

template <class T>
bool read_number(std::string_view text, T& value, int base = 10) {
  auto const [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return wrong == std::errc{} && end == text.data() + text.size();
}

template <class T>
void write_number(std::string& to, T value, int base = 10) {
  char digits[24];
  to.append(digits, std::to_chars(digits, digits + sizeof digits, value, base).ptr);
}

/// `A:B`, B in hex.
template <class T>
bool read_pair(std::string_view text, T& number, std::uint64_t& hex) {
  auto const colon = text.find(':');
  return colon != text.npos && read_number(text.substr(0, colon), number) &&
         read_number(text.substr(colon + 1), hex, 16);
}

inline void write_escaped(std::string& to, std::string_view text) {
  constexpr char const* hex = "0123456789abcdef";
  for (char c : text.substr(0, longest_note_text)) {
    auto const code = static_cast<unsigned char>(c);
    if (code > 0x20 && code < 0x7f && c != ';' && c != '%' && c != '=') {
      to += c;
    } else {
      ((to += '%') += hex[code >> 4]) += hex[code & 15];
    }
  }
}

template <class Text>
bool read_escaped(std::string_view text, Text& value) {
  value.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      value += text[i];
      continue;
    }
    unsigned code = 0;
    if (text.size() - i < 3 || !read_number(text.substr(i + 1, 2), code, 16)) return false;
    value += static_cast<char>(code);
    i += 2;
  }
  return true;
}

template <class Note>
bool read_note_field(std::string_view name, std::string_view value, Note& note) {
  if (name == "n") return read_number(value, note.partitions) && note.partitions >= 0;
  if (name == "i") return read_number(value, note.log.incarnation);
  if (name == "e") return read_number(value, note.log.leader_epoch) && note.log.leader_epoch >= -1;
  if (name == "t") return read_pair(value, note.mine.turn, note.mine.nonce);
  if (name == "id") return read_escaped(value, note.store_id);
  if (name == "c") return read_escaped(value, note.cause);
  if (name == "f") {
    std::int64_t at = 0;
    std::uint64_t hash = 0;
    if (!read_pair(value, at, hash)) return false;
    note.log.last = fingerprint{offset{at}, hash};
  }
  return true;
}

}  // namespace detail

/// At most about 1,000 bytes, usually under 150; `store_id` and `cause` are cut at 120 bytes.
template <class Note = group_note>
std::string to_text(Note const& note) {
  std::string text{detail::note_version};
  auto const field = [&](std::string_view name) { ((text += ';') += name) += '='; };
  if (note.partitions > 0) {
    field("n");
    detail::write_number(text, note.partitions);
  }
  field("i");
  detail::write_number(text, note.log.incarnation);
  if (note.log.leader_epoch >= 0) {
    field("e");
    detail::write_number(text, note.log.leader_epoch);
  }
  if (note.log.last) {
    field("f");
    detail::write_number(text, note.log.last->of.value());
    text += ':';
    detail::write_number(text, note.log.last->hash, 16);
  }
  if (note.mine != fence{}) {
    field("t");
    detail::write_number(text, note.mine.turn);
    text += ':';
    detail::write_number(text, note.mine.nonce, 16);
  }
  if (!note.store_id.empty()) {
    field("id");
    detail::write_escaped(text, note.store_id);
  }
  if (!note.cause.empty()) {
    field("c");
    detail::write_escaped(text, note.cause);
  }
  return text;
}

/// Nothing where the text is not ours, is damaged, or is of a later version.
template <class Note = group_note>
std::optional<Note> read_note(std::string_view text) {
  if (text.size() > detail::longest_note) return std::nullopt;
  auto const take = [&] {
    auto const end = text.find(';');
    auto const piece = text.substr(0, end);
    text = end == text.npos ? std::string_view{} : text.substr(end + 1);
    return piece;
  };
  if (take() != detail::note_version) return std::nullopt;
  Note note;
  while (!text.empty()) {
    auto const piece = take();
    auto const equals = piece.find('=');
    if (equals == piece.npos || !detail::read_note_field(piece.substr(0, equals), piece.substr(equals + 1), note)) {
      return std::nullopt;
    }
  }
  return note;
}

/// A note that a later, incompatible version of this format wrote: not to be taken for a stranger's.
template <class Number = std::uint32_t>
bool is_newer_note(std::string_view text) {
  auto const version = text.substr(0, text.find(';'));
  Number number = 0;
  return version.starts_with(detail::note_family) &&
         detail::read_number(version.substr(detail::note_family.size()), number) && number > 1;
}

}}  // namespace sluice::v0
