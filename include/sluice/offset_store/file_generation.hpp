/// \file offset_store/file_generation.hpp  What one numbered file of file_offsets holds, and how it is written in bytes.
///
/// A file is: magic (8 bytes), format version, CRC-32C of all other bytes, length of what follows (u32, u32, u64); then
/// the content. These 24 bytes stay as they are in every version. Numbers are little-endian; a text is its length
/// (u32) and its bytes. Nothing is allocated for a length that the file is too short for.
#pragma once
#include <sluice/detail/crc32c.hpp>
#include <sluice/offset_store/concept.hpp>

#include <array>
#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sluice { inline namespace v0 {

namespace detail {
inline constexpr std::string_view generation_magic{"sluice\x1a\n", 8};
inline constexpr std::uint32_t generation_version = 1;
}  // namespace detail

/// The state of a folder of file_offsets. A store that keeps more derives its own: with other constants, write_more() and
/// read_more().
template <class Late>
struct basic_file_generation {
  static constexpr std::string_view kept_by = "file_offsets";
  static constexpr std::string_view holds = "offsets";
  static constexpr std::string_view magic = detail::generation_magic;
  static constexpr std::uint32_t format_version = detail::generation_version;

  struct partition {
    bool there = false;  ///< false: the position is gone, only its fence is kept
    offset next{};
    fence owner{};  ///< nonce 0: nobody's
    log_state log{};
    friend bool operator==(partition const&, partition const&) = default;
  };
  struct topic_key {
    std::string group{};
    std::string topic{};
    friend auto operator<=>(topic_key const&, topic_key const&) = default;
  };
  struct value {
    std::uint64_t since = 0;  ///< number of the file that brought this content
    std::string content{};
    friend bool operator==(value const&, value const&) = default;
  };
  /// A text file belongs to one claim: nobody else writes to it.
  struct text_key {
    std::string name{};
    std::string group{};
    topic_partition of{};
    std::uint64_t turn = 0;
    std::uint64_t nonce = 0;
    friend auto operator<=>(text_key const&, text_key const&) = default;
  };
  struct jump {
    std::string group{};
    topic_partition of{};
    offset from{};
    offset to{};
    std::int64_t incarnation = 0;  ///< the new one
    wall_time when{};
    std::string cause{};
    friend bool operator==(jump const&, jump const&) = default;
  };
  static constexpr std::size_t max_jumps = 1000;

  std::array<std::uint64_t, 2> id{};                     ///< random, of the folder
  std::map<topic_key, std::vector<partition>> topics{};  ///< index: partition; size: how many are known
  std::map<std::string, value, std::less<>> values{};    ///< what handlers put
  std::map<text_key, std::uint64_t> texts{};             ///< valid length of each text file, in bytes
  std::vector<jump> jumps{};                             ///< the newest max_jumps rewinds, oldest first
  friend bool operator==(basic_file_generation const&, basic_file_generation const&) = default;
};
using file_generation = basic_file_generation<void>;

namespace detail {

inline constexpr std::size_t generation_header = 24;
inline constexpr std::size_t generation_cap = std::size_t{256} << 20;
inline constexpr std::string_view earlier_file_counts =
    "put it back from a backup; or, if what was stored last may be done again, move it away, and the file with the "
    "number before it counts";

/// What became of a state that was to be made the newest.
enum class publication {
  yes,        ///< durable, and the newest
  taken,      ///< not published: another one is there
  overtaken,  ///< published, but another one is newer: read it to learn what holds
  unknown     ///< published or not; durable or not
};

class byte_writer {
  std::string& out_;

 public:
  explicit byte_writer(std::string& out) : out_(out) {}
  template <std::integral T>
  void number(T n) {
    std::array<char, sizeof(T)> raw{};
    auto bits = static_cast<std::make_unsigned_t<T>>(n);
    for (auto& c : raw) {
      c = static_cast<char>(bits & 0xFF);
      bits = static_cast<decltype(bits)>(static_cast<std::uint64_t>(bits) >> 8);
    }
    out_.append(raw.data(), raw.size());
  }
  void text(std::string_view s) {
    number(static_cast<std::uint32_t>(s.size()));
    out_.append(s);
  }
};

/// Reads what byte_writer wrote. After the first thing that can't be, everything reads as zero and good() is false.
class byte_reader {
  std::string_view left_;
  bool good_ = true;

 public:
  explicit byte_reader(std::string_view in) : left_(in) {}
  bool good() const { return good_; }
  bool at_end() const { return good_ && left_.empty(); }
  void fail() {
    good_ = false;
    left_ = {};
  }
  std::string_view take(std::size_t n) {
    if (n > left_.size()) return fail(), std::string_view{};
    auto const got = left_.substr(0, n);
    left_.remove_prefix(n);
    return got;
  }
  template <std::integral T>
  T number() {
    std::uint64_t bits = 0;
    auto const raw = take(sizeof(T));
    for (std::size_t i = raw.size(); i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(raw[i]);
    return static_cast<T>(bits);
  }
  std::string_view text() { return take(number<std::uint32_t>()); }
  /// How many items follow, each at least `smallest` bytes long.
  std::uint32_t count(std::size_t smallest) {
    auto const n = number<std::uint32_t>();
    if (n > left_.size() / smallest) return fail(), 0;
    return n;
  }
};

template <class Partition>
void write_partition(byte_writer& w, Partition const& p) {
  w.number(static_cast<std::uint8_t>((p.there ? 1 : 0) | (p.log.last ? 2 : 0)));
  w.number(p.next.value());
  w.number(p.owner.turn);
  w.number(p.owner.nonce);
  w.number(p.log.incarnation);
  w.number(p.log.leader_epoch);
  w.number(p.log.last ? p.log.last->of.value() : std::int64_t{0});
  w.number(p.log.last ? p.log.last->hash : std::uint64_t{0});
}

template <class Partition>
Partition read_partition(byte_reader& r) {
  Partition p;
  auto const flags = r.number<std::uint8_t>();
  if (flags > 3) r.fail();
  p.there = flags & 1;
  p.next = offset{r.number<std::int64_t>()};
  p.owner.turn = r.number<std::uint64_t>();
  p.owner.nonce = r.number<std::uint64_t>();
  p.log.incarnation = r.number<std::int64_t>();
  p.log.leader_epoch = r.number<std::int32_t>();
  fingerprint last;
  last.of = offset{r.number<std::int64_t>()};
  last.hash = r.number<std::uint64_t>();
  if (flags & 2) {
    p.log.last = last;
  } else if (last != fingerprint{}) {
    r.fail();
  }
  return p;
}

/// Appends `item` at the end of the map; a map that was not written in its order is damaged.
template <class Map, class Key, class Value>
void put_last(byte_reader& r, Map& map, Key&& key, Value&& value) {
  if (!r.good()) return;
  if (!map.empty() && !(map.rbegin()->first < key)) return r.fail();
  map.emplace_hint(map.end(), std::forward<Key>(key), std::forward<Value>(value));
}

}  // namespace detail

/// The bytes of a file, into `out` (whose memory is used again).
template <class State>
void encode(State const& g, std::string& out) {
  out.assign(detail::generation_header, '\0');
  detail::byte_writer w{out};
  for (auto const half : g.id) w.number(half);
  w.number(static_cast<std::uint32_t>(g.topics.size()));
  for (auto const& [key, partitions] : g.topics) {
    w.text(key.group);
    w.text(key.topic);
    w.number(static_cast<std::uint32_t>(partitions.size()));
    for (auto const& p : partitions) detail::write_partition(w, p);
  }
  w.number(static_cast<std::uint32_t>(g.values.size()));
  for (auto const& [name, v] : g.values) {
    w.text(name);
    w.number(v.since);
    w.text(v.content);
  }
  w.number(static_cast<std::uint32_t>(g.texts.size()));
  for (auto const& [key, length] : g.texts) {
    w.text(key.name);
    w.text(key.group);
    w.text(key.of.topic);
    w.number(key.of.partition);
    w.number(key.turn);
    w.number(key.nonce);
    w.number(length);
  }
  w.number(static_cast<std::uint32_t>(g.jumps.size()));
  for (auto const& j : g.jumps) {
    w.text(j.group);
    w.text(j.of.topic);
    w.number(j.of.partition);
    w.number(j.from.value());
    w.number(j.to.value());
    w.number(j.incarnation);
    w.number(static_cast<std::int64_t>(j.when.time_since_epoch().count()));
    w.text(j.cause);
  }
  if constexpr (requires { g.write_more(w); }) g.write_more(w);
  std::string head{State::magic};
  detail::byte_writer h{head};
  h.number(State::format_version);
  auto const body = std::string_view{out}.substr(detail::generation_header);
  std::string length;
  detail::byte_writer{length}.number(static_cast<std::uint64_t>(body.size()));
  h.number(detail::crc32c(body, detail::crc32c(length, detail::crc32c(head))));
  head += length;
  out.replace(0, head.size(), head);
}

/// The other way. Throws store_error: store_damaged where a byte is wrong, missing or too many, store_newer where a later
/// version of the library wrote it. `file` is named in the error, with the remedy.
template <class State = file_generation>
State parse_generation(std::string_view file_content, std::string const& file,
                       std::string_view remedy = detail::earlier_file_counts) {
  auto const damaged = [&](char const* how) {
    return store_error{errc::store_damaged, file + " is damaged (" + how + "): " + std::string{remedy}};
  };
  using namespace detail;
  byte_reader r{file_content};
  if constexpr (requires { State::check_kind(file_content, file); }) State::check_kind(file_content, file);
  if (r.take(State::magic.size()) != State::magic)
    throw damaged(("this is no file of " + std::string{State::holds}).c_str());
  auto const version = r.number<std::uint32_t>();
  auto const crc = r.number<std::uint32_t>();
  auto const length = r.number<std::uint64_t>();
  if (!r.good() || length != file_content.size() - generation_header) throw damaged("its length is wrong");
  if (crc != crc32c(file_content.substr(16), crc32c(file_content.substr(0, 12))))
    throw damaged("its checksum is wrong");
  if (version > State::format_version)
    throw store_error{errc::store_newer, file + " was written by a later version of sluice (format " +
                                             std::to_string(version) + ", this one reads up to " +
                                             std::to_string(State::format_version) + "); it was left as it is"};
  if (version == 0) throw damaged("its format version is 0");

  State g;
  for (auto& half : g.id) half = r.number<std::uint64_t>();
  for (auto n = r.count(12); n > 0; --n) {
    typename State::topic_key key{std::string{r.text()}, std::string{r.text()}};
    std::vector<typename State::partition> partitions(r.count(53));
    for (auto& p : partitions) p = read_partition<typename State::partition>(r);
    put_last(r, g.topics, std::move(key), std::move(partitions));
  }
  for (auto n = r.count(16); n > 0; --n) {
    std::string name{r.text()};
    auto const since = r.number<std::uint64_t>();
    put_last(r, g.values, std::move(name), typename State::value{since, std::string{r.text()}});
  }
  for (auto n = r.count(40); n > 0; --n) {
    typename State::text_key key;
    key.name = r.text();
    key.group = r.text();
    key.of.topic = r.text();
    key.of.partition = r.number<std::int32_t>();
    key.turn = r.number<std::uint64_t>();
    key.nonce = r.number<std::uint64_t>();
    put_last(r, g.texts, std::move(key), r.number<std::uint64_t>());
  }
  auto const jumps = r.count(48);
  for (std::uint32_t i = 0; i < jumps && r.good(); ++i) {
    auto& j = g.jumps.emplace_back();
    j.group = r.text();
    j.of.topic = r.text();
    j.of.partition = r.number<std::int32_t>();
    j.from = offset{r.number<std::int64_t>()};
    j.to = offset{r.number<std::int64_t>()};
    j.incarnation = r.number<std::int64_t>();
    j.when = wall_time{std::chrono::milliseconds{r.number<std::int64_t>()}};
    j.cause = r.text();
  }
  if constexpr (requires { g.read_more(r); }) g.read_more(r);
  if (!r.at_end()) throw damaged("its content can't be read");
  return g;
}

}}  // namespace sluice::v0
