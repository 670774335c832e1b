/// \file offset_store/checkpoint_segment.hpp  A segment of a checkpoint: rows of one or more batches, sorted, written once.
///
/// A file is: magic (8 bytes), format version (u32), 0 (u32); chunks; the tail; where the tail begins (u64), its length, its
/// CRC-32C (u32 each), and the magic again. A chunk is at most 4,096 rows of one table: blocks of about 4 KiB, and behind
/// them a filter (Bloom 1970, 10 bits and 7 probes a key) and the blocks' first keys and lengths. The tail lists tables and
/// their chunks. Each block, each chunk's list and the tail end in a CRC-32C of their own. Rows are: how many bytes of the key are the
/// last one's, how many follow, flags, length of the value (LEB128), due time where there is one, key, value.
#pragma once
#include <sluice/offset_store/checkpoint_place.hpp>
#include <sluice/offset_store/file_generation.hpp>
#include <sluice/state/store.hpp>

#include <compare>

namespace sluice { inline namespace v0 { namespace detail {

inline constexpr std::string_view segment_magic{"sluice\x1aR", 8};
inline constexpr std::uint32_t segment_version = 1;
inline constexpr std::size_t segment_head = 16, segment_foot = 24;
inline constexpr std::size_t block_size = 4096, rows_in_chunk = 4096, chunk_size = std::size_t{256} << 10;
inline constexpr std::size_t longest_state_value = std::size_t{256} << 20;

/// Which rows: a state's own, or the times at which they are due.
struct table_key {
  enum kind_t : std::uint8_t { rows, dues };
  std::string group{};
  std::string state{};
  std::string topic{};
  std::int32_t partition = 0;
  kind_t kind = rows;
  friend auto operator<=>(table_key const&, table_key const&) = default;
};

struct table_row {
  std::string_view key{};
  std::string_view value{};
  std::int64_t due = never;
  bool there = true;  ///< false: removed, whatever older segments say
};

/// What the numbered file says of a segment.
struct segment_ref {
  std::uint64_t id = 0;
  std::uint64_t size = 0;  ///< bytes
  std::uint32_t crc = 0;   ///< of the tail
  std::uint64_t rows = 0;
  std::uint8_t level = 0;  ///< how often what is in it was merged
  friend bool operator==(segment_ref const&, segment_ref const&) = default;
};

/// Never changes: filters are made of it. FNV-1a, and the last step of MurmurHash3.
inline std::uint64_t key_hash(std::string_view key) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (char const c : key) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

inline constexpr int filter_probes = 7;
/// Calls f(bit) for each probe until it answers false.
template <class F>
bool all_probes(std::uint64_t hash, std::size_t bits, F f) {
  auto const step = (hash >> 32) | 1;
  for (int i = 0; i < filter_probes; ++i, hash += step)
    if (!f(static_cast<std::size_t>(hash % bits))) return false;
  return true;
}
inline std::string make_filter(std::vector<std::uint64_t> const& hashes) {
  std::string filter((hashes.size() * 10 + 7) / 8, '\0');
  for (auto const h : hashes)
    all_probes(h, filter.size() * 8, [&](std::size_t bit) {
      filter[bit / 8] = static_cast<char>(static_cast<unsigned char>(filter[bit / 8]) | 1u << bit % 8);
      return true;
    });
  return filter;
}
inline bool may_hold(std::string_view filter, std::uint64_t hash) {
  return !filter.empty() && all_probes(hash, filter.size() * 8, [&](std::size_t bit) {
    return (static_cast<unsigned char>(filter[bit / 8]) >> bit % 8 & 1) != 0;
  });
}

inline void put_leb(std::string& to, std::uint64_t n) {
  for (; n > 127; n >>= 7) to += static_cast<char>(n | 128);
  to += static_cast<char>(n);
}
inline std::uint64_t take_leb(byte_reader& r) {
  std::uint64_t n = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    auto const b = r.number<std::uint8_t>();
    n |= static_cast<std::uint64_t>(b & 127) << shift;
    if (b < 128) return n;
  }
  r.fail();
  return 0;
}

inline void append_crc(std::string& to, std::size_t from = 0) {
  auto const crc = crc32c(std::string_view{to}.substr(from));
  byte_writer{to}.number(crc);
}
/// Without its checksum; absent: that is wrong.
inline std::optional<std::string_view> checked(std::string_view data) {
  if (data.size() < 4) return {};
  auto const body = data.substr(0, data.size() - 4);
  byte_reader end{data.substr(body.size())};
  if (end.number<std::uint32_t>() != crc32c(body)) return {};
  return body;
}

enum row_flags : std::uint8_t { row_is_there = 1, row_has_due = 2 };

/// Takes rows sorted by table and key, each key once.
class segment_writer {
  segment_sink& to_;
  std::uint64_t at_ = 0;
  std::uint64_t rows_ = 0;
  std::string tail_{};
  std::uint32_t tables_ = 0;

  bool in_table_ = false;
  std::string chunks_{};
  std::uint32_t chunk_count_ = 0;
  std::uint64_t table_rows_ = 0;
  std::string table_head_{};

  std::uint64_t chunk_at_ = 0;
  std::string chunk_first_{};
  std::string blocks_{};
  std::uint32_t block_count_ = 0;
  std::vector<std::uint64_t> hashes_{};

  std::string block_{};
  std::string block_first_{};
  std::string last_{};
  bool any_in_block_ = false;

  void append(std::string_view data) {
    to_.append(data);
    at_ += data.size();
  }
  void end_block() {
    if (!any_in_block_) return;
    append_crc(block_);
    append(block_);
    byte_writer w{blocks_};
    w.number(static_cast<std::uint32_t>(block_.size()));
    w.text(block_first_);
    ++block_count_;
    block_.clear();
    last_.clear();
    any_in_block_ = false;
  }
  void end_chunk() {
    end_block();
    if (hashes_.empty()) return;
    auto const list_at = at_;
    std::string list;
    byte_writer w{list};
    w.number(block_count_);
    list += blocks_;
    w.text(make_filter(hashes_));
    append_crc(list);
    append(list);
    byte_writer c{chunks_};
    c.number(chunk_at_);
    c.number(list_at);
    c.number(static_cast<std::uint32_t>(list.size()));
    c.text(chunk_first_);
    ++chunk_count_;
    blocks_.clear();
    block_count_ = 0;
    hashes_.clear();
  }
  void end_table() {
    if (!in_table_) return;
    end_chunk();
    if (table_rows_ > 0) {
      tail_ += table_head_;
      byte_writer w{tail_};
      w.number(table_rows_);
      w.number(chunk_count_);
      tail_ += chunks_;
      ++tables_;
    }
    chunks_.clear();
    chunk_count_ = 0;
    table_rows_ = 0;
    in_table_ = false;
  }

 public:
  explicit segment_writer(segment_sink& to) : to_(to) {
    std::string head{segment_magic};
    byte_writer w{head};
    w.number(segment_version);
    w.number(std::uint32_t{0});
    append(head);
  }

  std::uint64_t bytes() const { return at_; }
  std::uint64_t rows() const { return rows_; }

  void begin(table_key const& t) {
    end_table();
    in_table_ = true;
    table_head_.clear();
    byte_writer w{table_head_};
    w.text(t.group);
    w.text(t.state);
    w.text(t.topic);
    w.number(t.partition);
    w.number(static_cast<std::uint8_t>(t.kind));
  }
  void add(table_row const& row) {
    if (hashes_.size() >= rows_in_chunk || (!hashes_.empty() && at_ - chunk_at_ + block_.size() >= chunk_size))
      end_chunk();
    if (hashes_.empty()) {
      chunk_at_ = at_;
      chunk_first_ = row.key;
    }
    if (!any_in_block_) block_first_ = row.key;
    any_in_block_ = true;
    std::size_t shared = 0;
    while (shared < last_.size() && shared < row.key.size() && last_[shared] == row.key[shared]) ++shared;
    put_leb(block_, shared);
    put_leb(block_, row.key.size() - shared);
    block_ += static_cast<char>((row.there ? row_is_there : 0) | (row.due != never ? row_has_due : 0));
    put_leb(block_, row.value.size());
    if (row.due != never) byte_writer{block_}.number(row.due);
    block_ += row.key.substr(shared);
    block_ += row.value;
    last_ = row.key;
    hashes_.push_back(key_hash(row.key));
    ++table_rows_;
    ++rows_;
    if (block_.size() >= block_size) end_block();
  }
  /// Absent: it could not be synced, so nobody knows. Throws store_error.
  std::optional<segment_ref> finish(std::uint8_t level) {
    end_table();
    std::string whole;
    byte_writer{whole}.number(tables_);
    whole += tail_;
    append_crc(whole);
    auto const crc = crc32c(whole);
    auto const tail_at = at_;
    append(whole);
    std::string foot;
    byte_writer w{foot};
    w.number(tail_at);
    w.number(static_cast<std::uint32_t>(whole.size()));
    w.number(crc);
    foot += segment_magic;
    append(foot);
    if (!to_.finish()) return {};
    return segment_ref{to_.id(), at_, crc, rows_, level};
  }
};

}}}  // namespace sluice::v0::detail
