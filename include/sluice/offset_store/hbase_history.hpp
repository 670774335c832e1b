/// \file offset_store/hbase_history.hpp  Offsets in HBase as programs on Spark keep them: a row for each batch, TOPIC:GROUP:MILLISECONDS, found from its end.
///
/// The columns of a row are the partitions, their values the next offsets in decimal. Each row holds all partitions of its topic,
/// since programs read the newest one alone.
#pragma once
#include <sluice/offset_store/concept.hpp>
#include <sluice/offset_store/hbase_table.hpp>

#include <charconv>

namespace sluice { inline namespace v0 { namespace detail::hbase {

/// One row. Absent: the row does not name the partition.
struct history_row {
  std::string key{};
  std::int64_t when = 0;  ///< ms since 1970
  std::vector<std::optional<offset>> next{};
};

/// Kafka's rule for names: so the first colon of a row's key is its topic's end, whatever the group is called.
inline bool is_topic(std::string_view name) {
  return !name.empty() && name.size() <= 249 && is_made_of(name, std::string{capitals} + "._-");
}

/// Digits alone, without a sign.
template <class N>
std::optional<N> digits_in(std::string_view text) {
  N n{};
  auto const [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || text[0] < '0' || text[0] > '9' || wrong != std::errc{} || end != text.data() + text.size())
    return {};
  return n;
}

/// How a value is taken for the next offset; absent where it is none.
using offset_reader = std::optional<offset> (*)(std::string_view value);
inline std::optional<offset> next_offset(std::string_view value) {
  auto const n = digits_in<std::int64_t>(value);
  return n && *n < INT64_MAX ? std::optional{offset{*n}} : std::nullopt;
}

/// Throws store_error(store_damaged) that names the row and its column.
inline history_row history_row_of(row const& r, std::int64_t when, table const& in, offset_reader read = next_offset) {
  constexpr std::int32_t most_partitions = 1'000'000;
  history_row h{.key = r.key, .when = when};
  for (auto const& c : r.cells) {
    auto const qualifier = std::string_view{c.column}.substr(std::min(c.column.find(':') + 1, c.column.size()));
    auto const p = digits_in<std::int32_t>(qualifier);
    auto const next = read(c.value);
    if (!p || *p >= most_partitions || !next)
      throw store_error(
          errc::store_damaged,
          in.name() + " row " + r.key + ", column " + c.column.substr(0, 80) + ": " +
              (p && *p < most_partitions ? "its value is no offset" : "this is no partition") +
              "; a partition's number and an offset in decimal are expected there: mend that row, or delete "
              "it (hbase shell: deleteall), and the one before it counts");
    auto const i = static_cast<std::size_t>(*p);
    if (i >= h.next.size()) h.next.resize(i + 1);
    h.next[i] = next;
  }
  return h;
}

/// The highest key below all that begin with `begin` and `c`, among those that go on with digits.
inline std::string just_below(std::string begin, char c) {
  auto const byte = static_cast<unsigned char>(c);
  if (byte == 0) return begin;
  begin += static_cast<char>(byte > 0x7f ? 0x7f : byte - 1);
  return begin + '\x7f';
}

/// The newest row of a group's topic; absent where there is none. Rows of groups whose names begin like this one's (`GROUP:7`)
/// may lie between its own, and are passed by.
inline std::optional<history_row> newest_row(table& in, std::string const& topic, std::string const& group,
                                             time_point by, offset_reader read = next_offset) {
  if (!is_topic(topic)) return {};
  auto const prefix = topic + ":" + group + ":", beyond = prefix + "/";
  for (auto first = prefix + ":"; first > beyond;) {
    auto const found = in.highest(first, beyond, by);
    if (!found || !found->key.starts_with(prefix) || found->key > first) return {};
    auto const rest = std::string_view{found->key}.substr(prefix.size());
    if (auto const when = digits_in<std::int64_t>(rest)) return history_row_of(*found, *when, in, read);
    auto const digits = rest.find_first_not_of("0123456789");
    if (digits == rest.npos) return {};  // a number that no clock shows
    first = just_below(prefix + std::string{rest.substr(0, digits)}, rest[digits]);
  }
  return {};
}

/// The row that says where all partitions of a topic stand at this moment.
inline row made_row(std::string const& topic, std::string const& group, std::int64_t when, std::string const& family,
                    std::vector<std::optional<offset>> const& next, std::int64_t less = 0) {
  row r{.key = topic + ":" + group + ":" + std::to_string(when)};
  for (std::size_t p = 0; p < next.size(); ++p)
    if (auto const& n = next[p])
      r.cells.push_back({family + ":" + std::to_string(p), std::to_string(n->value() - less)});
  return r;
}

}}}  // namespace sluice::v0::detail::hbase
