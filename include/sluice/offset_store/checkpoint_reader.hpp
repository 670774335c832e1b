/// \file offset_store/checkpoint_reader.hpp  Reads segments of a checkpoint: one row by its key, or rows in their order.
#pragma once
#include <sluice/offset_store/checkpoint_segment.hpp>

#include <algorithm>
#include <list>
#include <unordered_map>

namespace sluice { inline namespace v0 { namespace detail {

/// Walks the rows of a block. Views live as long as the block, the key until the next row.
class block_walk {
  byte_reader left_{std::string_view{}};
  std::string key_{};
  table_row row_{};
  bool good_ = false;

 public:
  block_walk() = default;
  explicit block_walk(std::string_view rows) : left_(rows) {}

  /// False at the end; then damaged() tells whether it was one.
  bool next() {
    good_ = false;
    if (left_.at_end()) return false;
    auto const shared = take_leb(left_), added = take_leb(left_);
    auto const flags = left_.number<std::uint8_t>();
    auto const size = take_leb(left_);
    row_ = {};
    row_.there = flags & row_is_there;
    if (flags & row_has_due) row_.due = left_.number<std::int64_t>();
    auto const rest = left_.take(static_cast<std::size_t>(std::min<std::uint64_t>(added, SIZE_MAX)));
    row_.value = left_.take(static_cast<std::size_t>(std::min<std::uint64_t>(size, SIZE_MAX)));
    if (flags > 3 || shared > key_.size()) left_.fail();
    if (!left_.good()) return false;
    key_.resize(static_cast<std::size_t>(shared));
    key_ += rest;
    row_.key = key_;
    return good_ = true;
  }
  bool damaged() const { return !left_.good(); }
  bool good() const { return good_; }
  table_row const& row() const { return row_; }
};

/// Something read and checked: a block, or a chunk's list.
struct segment_piece {
  struct block {
    std::uint64_t at = 0;
    std::uint32_t size = 0;
    std::string_view first{};
  };
  std::string data{};
  std::string_view rows{};  // of a block
  std::vector<block> blocks{};
  std::string_view filter{};
  std::size_t room() const { return data.capacity() + blocks.capacity() * sizeof(block) + 200; }
};

/// The pieces that were used last, up to so many bytes of them.
class piece_cache {
  struct place {
    std::uint64_t segment = 0, at = 0;
    friend bool operator==(place const&, place const&) = default;
  };
  struct hash {
    std::size_t operator()(place const& p) const {
      return static_cast<std::size_t>(p.segment ^ p.at * 0x9e3779b97f4a7c15u);
    }
  };
  struct node {
    place at{};
    std::shared_ptr<segment_piece const> piece{};
  };
  std::size_t most_;
  std::size_t bytes_ = 0;
  std::list<node> used_{};  // the least recently used first
  std::unordered_map<place, std::list<node>::iterator, hash> found_{};

 public:
  explicit piece_cache(std::size_t most) : most_(most) {}

  std::size_t bytes() const { return bytes_; }
  std::shared_ptr<segment_piece const> find(std::uint64_t segment, std::uint64_t at) {
    auto const i = found_.find({segment, at});
    if (i == found_.end()) return {};
    used_.splice(used_.end(), used_, i->second);
    return i->second->piece;
  }
  void put(std::uint64_t segment, std::uint64_t at, std::shared_ptr<segment_piece const> piece) {
    bytes_ += piece->room();
    used_.push_back({{segment, at}, std::move(piece)});
    found_.emplace(used_.back().at, std::prev(used_.end()));
    while (bytes_ > most_ && used_.size() > 1) {
      bytes_ -= used_.front().piece->room();
      found_.erase(used_.front().at);
      used_.pop_front();
    }
  }
};

/// An open segment. Throws store_error: store_damaged naming it and the remedy, store_newer.
class segment_reader {
 public:
  struct chunk {
    std::uint64_t at = 0;
    std::uint64_t list_at = 0;
    std::uint32_t list_size = 0;
    std::string first{};
  };
  struct table {
    table_key key{};
    std::uint64_t rows = 0;
    std::vector<chunk> chunks{};
  };

 private:
  std::unique_ptr<segment_source> from_;
  segment_ref ref_;
  std::string name_;
  piece_cache& cache_;
  std::vector<table> tables_{};

  [[noreturn]] void damaged(char const* how) const {
    throw store_error{errc::store_damaged,
                      name_ + " is damaged (" + how +
                          "): put it back from a backup. No other file has what was in it; to go on without, say "
                          "checkpoint{.on_damage = on_damage::start_anew}, which sets all files aside"};
  }
  std::string read(std::uint64_t at, std::size_t size) const {
    std::string data;
    if (at > ref_.size || size > ref_.size - at) damaged("something reaches behind its end");
    from_->read(at, size, data);
    if (data.size() != size) damaged("it became shorter");
    return data;
  }
  void read_tail() {
    if (from_->size() != ref_.size || ref_.size < segment_head + segment_foot) damaged("its length is wrong");
    auto const head = read(0, segment_head);
    byte_reader h{head};
    if (h.take(8) != segment_magic) damaged("this is no segment");
    auto const version = h.number<std::uint32_t>();
    if (version > segment_version)
      throw store_error{errc::store_newer, name_ + " was written by a later version of sluice (format " +
                                               std::to_string(version) + ", this one reads up to " +
                                               std::to_string(segment_version) + "); it was left as it is"};
    if (version == 0 || h.number<std::uint32_t>() != 0) damaged("its head is wrong");
    auto const foot = read(ref_.size - segment_foot, segment_foot);
    byte_reader f{foot};
    auto const at = f.number<std::uint64_t>();
    auto const size = f.number<std::uint32_t>();
    auto const crc = f.number<std::uint32_t>();
    if (f.take(8) != segment_magic || crc != ref_.crc) damaged("its end is not what the checkpoint says");
    if (at < segment_head || at + size != ref_.size - segment_foot)
      damaged("its list of tables is not where it should be");
    auto const tail = read(at, size);
    auto const body = checked(tail);
    if (!body || crc != crc32c(tail)) damaged("the checksum of its list of tables is wrong");
    byte_reader r{*body};
    for (auto n = r.count(33); n > 0 && r.good(); --n) {
      auto& t = tables_.emplace_back();
      t.key.group = r.text();
      t.key.state = r.text();
      t.key.topic = r.text();
      t.key.partition = r.number<std::int32_t>();
      auto const kind = r.number<std::uint8_t>();
      if (kind > table_key::dues) r.fail();
      t.key.kind = static_cast<table_key::kind_t>(kind);
      t.rows = r.number<std::uint64_t>();
      for (auto c = r.count(24); c > 0 && r.good(); --c) {
        auto& one = t.chunks.emplace_back();
        one.at = r.number<std::uint64_t>();
        one.list_at = r.number<std::uint64_t>();
        one.list_size = r.number<std::uint32_t>();
        one.first = r.text();
        if (one.at < segment_head || one.list_at < one.at || one.list_at > at) r.fail();
        if (t.chunks.size() > 1 && !(t.chunks[t.chunks.size() - 2].first < one.first)) r.fail();
      }
      if (t.chunks.empty() || (tables_.size() > 1 && !(tables_[tables_.size() - 2].key < t.key))) r.fail();
    }
    if (!r.at_end()) damaged("its list of tables can't be read");
  }

 public:
  segment_reader(std::unique_ptr<segment_source> from, segment_ref const& ref, std::string name, piece_cache& cache)
      : from_(std::move(from)), ref_(ref), name_(std::move(name)), cache_(cache) {
    read_tail();
  }

  segment_ref const& ref() const { return ref_; }
  std::vector<table> const& tables() const { return tables_; }
  table const* find_table(table_key const& key) const {
    auto const at =
        std::lower_bound(tables_.begin(), tables_.end(), key, [](auto const& t, auto const& k) { return t.key < k; });
    return at != tables_.end() && at->key == key ? &*at : nullptr;
  }

  std::shared_ptr<segment_piece const> list_of(chunk const& c, bool keep = true) const {
    if (auto found = cache_.find(ref_.id, c.list_at)) return found;
    auto piece = std::make_shared<segment_piece>();
    piece->data = read(c.list_at, c.list_size);
    auto const body = checked(piece->data);
    if (!body) damaged("a checksum is wrong");
    byte_reader r{*body};
    auto at = c.at;
    for (auto n = r.count(8); n > 0 && r.good(); --n) {
      auto const size = r.number<std::uint32_t>();
      piece->blocks.push_back({at, size, r.text()});
      at += size;
    }
    piece->filter = r.text();
    if (!r.at_end() || piece->blocks.empty() || at != c.list_at) damaged("a chunk's list can't be read");
    if (keep) cache_.put(ref_.id, c.list_at, piece);
    return piece;
  }
  std::shared_ptr<segment_piece const> block_of(segment_piece::block const& b, bool keep = true) const {
    if (auto found = cache_.find(ref_.id, b.at)) return found;
    auto piece = std::make_shared<segment_piece>();
    piece->data = read(b.at, b.size);
    auto const body = checked(piece->data);
    if (!body) damaged("a checksum is wrong");
    piece->rows = *body;
    if (keep) cache_.put(ref_.id, b.at, piece);
    return piece;
  }
  void check(block_walk const& walk) const {
    if (walk.damaged()) damaged("a row can't be read");
  }

  /// The last chunk, or block, that does not begin behind the key; 0 where all do.
  template <class List>
  static std::size_t place_in(List const& list, std::string_view key) {
    auto const behind = std::upper_bound(list.begin(), list.end(), key, [](std::string_view k, auto const& one) {
      return k < std::string_view{one.first};
    });
    return behind == list.begin() ? 0 : static_cast<std::size_t>(behind - list.begin()) - 1;
  }

  /// Calls found(row) where the table has a row of that key, removed ones too.
  template <class Found>
  bool find(table const& t, std::string_view key, std::uint64_t hash, Found found) const {
    auto const list = list_of(t.chunks[place_in(t.chunks, key)]);
    if (!may_hold(list->filter, hash)) return false;
    auto const block = block_of(list->blocks[place_in(list->blocks, key)]);
    block_walk walk{block->rows};
    while (walk.next()) {
      if (walk.row().key < key) continue;
      if (walk.row().key != key) return false;
      found(walk.row());
      return true;
    }
    check(walk);
    return false;
  }

  /// Reads all of it. Throws where a byte is wrong.
  void verify() const {
    for (auto const& t : tables_) {
      std::uint64_t rows = 0;
      std::string last;
      for (auto const& c : t.chunks) {
        auto const list = list_of(c, false);
        for (auto const& b : list->blocks) {
          auto const block = block_of(b, false);
          block_walk walk{block->rows};
          for (; walk.next(); ++rows) {
            if (rows > 0 && !(last < walk.row().key)) damaged("its rows are out of order");
            last = walk.row().key;
          }
          check(walk);
        }
      }
      if (rows != t.rows) damaged("it has not as many rows as it says");
    }
  }
};

/// Rows of a table in the order of their keys.
class row_cursor {
 public:
  virtual ~row_cursor() = default;
  virtual bool good() const = 0;
  virtual table_row const& row() const = 0;
  virtual void next() = 0;
};

class segment_cursor final : public row_cursor {
  std::shared_ptr<segment_reader const> in_;
  segment_reader::table const& table_;
  bool keep_;
  std::size_t chunk_ = 0, block_ = 0;
  std::shared_ptr<segment_piece const> list_{}, piece_{};
  block_walk walk_{};

  void enter() {
    if (!list_) list_ = in_->list_of(table_.chunks[chunk_], keep_);
    piece_ = in_->block_of(list_->blocks[block_], keep_);
    walk_ = block_walk{piece_->rows};
  }

 public:
  /// From the first key that is not before `from`. `keep`: what is read is worth remembering.
  segment_cursor(std::shared_ptr<segment_reader const> in, segment_reader::table const& t, std::string_view from,
                 bool keep)
      : in_(std::move(in)), table_(t), keep_(keep), chunk_(segment_reader::place_in(t.chunks, from)) {
    list_ = in_->list_of(table_.chunks[chunk_], keep_);
    block_ = segment_reader::place_in(list_->blocks, from);
    enter();
    do next();
    while (good() && row().key < from);
  }
  bool good() const override { return walk_.good(); }
  table_row const& row() const override { return walk_.row(); }
  void next() override {
    while (!walk_.next()) {
      in_->check(walk_);
      if (++block_ == list_->blocks.size()) {
        if (chunk_ + 1 >= table_.chunks.size()) return;
        ++chunk_;
        block_ = 0;
        list_.reset();
      }
      enter();
    }
  }
};

/// Several cursors as one: of rows with the same key the first cursor's counts. Removed rows are among them.
class merged_rows {
  std::vector<std::unique_ptr<row_cursor>> from_{};
  row_cursor* at_ = nullptr;

  void choose() {
    at_ = nullptr;
    for (auto const& c : from_)
      if (c->good() && (!at_ || c->row().key < at_->row().key)) at_ = c.get();
  }

 public:
  /// The newest first.
  void add(std::unique_ptr<row_cursor> c) { from_.push_back(std::move(c)); }
  void start() { choose(); }
  bool good() const { return at_ != nullptr; }
  table_row const& row() const { return at_->row(); }
  void next() {
    std::string const key{at_->row().key};
    for (auto const& c : from_)
      if (c->good() && c->row().key == key) c->next();
    choose();
  }
};

}}}  // namespace sluice::v0::detail
