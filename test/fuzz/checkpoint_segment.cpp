// Segments of a checkpoint: whatever their bytes, with checksums that hold, what is read is in order and found by its key.
#include <sluice/offset_store/checkpoint_compaction.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
using namespace sl::detail;

class in_memory final : public segment_source {
  std::string const& data_;

 public:
  explicit in_memory(std::string const& data) : data_(data) {}
  std::uint64_t size() const override { return data_.size(); }
  void read(std::uint64_t at, std::size_t count, std::string& out) override {
    must(at <= data_.size() && count <= data_.size() - at, "nothing is asked for that is not there");
    out = data_.substr(static_cast<std::size_t>(at), count);
  }
};

class sink final : public segment_sink {
  std::string& to_;

 public:
  explicit sink(std::string& to) : to_(to) {}
  std::uint64_t id() const override { return 2; }
  void append(std::string_view data) override { to_ += data; }
  bool finish() override { return true; }
};

using rows = std::vector<std::tuple<std::string, std::string, std::int64_t, bool>>;

std::shared_ptr<segment_reader const> opened(std::string const& file, segment_ref const& ref, piece_cache& cache) {
  return std::make_shared<segment_reader const>(std::make_unique<in_memory>(file), ref, "segment", cache);
}

rows all_rows(std::shared_ptr<segment_reader const> const& s, segment_reader::table const& t) {
  rows all;
  for (segment_cursor c{s, t, {}, true}; c.good(); c.next())
    all.emplace_back(c.row().key, c.row().value, c.row().due, c.row().there);
  return all;
}

void read(std::string const& file, segment_ref const& ref) {
  auto const told = refused<sl::store_error>([&] {
    piece_cache cache{1000};
    auto const s = opened(file, ref, cache);
    bool whole = true;
    must_be_shown(refused<sl::store_error>([&] {
      whole = false;
      s->verify();
      whole = true;
    }));
    for (auto const& t : s->tables()) {
      must(s->find_table(t.key) == &t, "each table is found by its key");
      auto const all = all_rows(s, t);
      if (!whole) continue;
      must(all.size() == t.rows, "a checked segment has as many rows as it says");
      for (std::size_t i = 1; i < all.size(); ++i)
        must(std::get<0>(all[i - 1]) < std::get<0>(all[i]), "rows are in order");
    }
    if (!whole) return;
    // What is checked can be merged, and is then the same.
    std::string merged;
    sink to{merged};
    segment_writer w{to};
    for (auto const& t : s->tables()) {
      w.begin(t.key);
      for (auto const& [key, value, due, there] : all_rows(s, t)) w.add({key, value, due, there});
    }
    auto const now = w.finish(1);
    auto const again = opened(merged, *now, cache);
    again->verify();
    for (auto const& t : s->tables()) {
      auto const* const copy = again->find_table(t.key);
      must(copy ? all_rows(again, *copy) == all_rows(s, t) : t.rows == 0, "a copy holds the same rows");
      for (auto const& [key, value, due, there] : all_rows(s, t)) {
        bool found = false;
        again->find(*copy, key, key_hash(key), [&](table_row const& row) { found = row.value == value; });
        must(found, "each row of the copy is found by its key");
      }
    }
  });
  must_be_shown(told);
}

std::string with_crc(std::string text) {
  append_crc(text);
  return text;
}

/// Around the pieces a file whose places and checksums are right.
struct mended {
  std::string file{};
  segment_ref ref{};

  mended(std::string const& block, std::optional<std::string> const& list, std::optional<std::string> const& tables,
         std::string const& first) {
    file = segment_magic;
    byte_writer w{file};
    w.number(segment_version);
    w.number(std::uint32_t{0});
    auto const whole_block = with_crc(block);
    file += whole_block;
    auto const list_at = file.size();
    std::string text;
    byte_writer l{text};
    l.number(std::uint32_t{1});
    l.number(static_cast<std::uint32_t>(whole_block.size()));
    l.text(first);
    l.text(std::string(8, '\xff'));  // a filter that lets all through
    auto const whole_list = with_crc(list.value_or(text));
    file += whole_list;
    auto const tail_at = file.size();
    text.clear();
    byte_writer t{text};
    t.number(std::uint32_t{1});
    t.text("group");
    t.text("state");
    t.text("topic");
    t.number(std::int32_t{0});
    t.number(std::uint8_t{0});
    std::uint64_t count = 0;
    for (block_walk walk{block}; walk.next();) ++count;
    t.number(count);
    t.number(std::uint32_t{1});
    t.number(std::uint64_t{segment_head});
    t.number(static_cast<std::uint64_t>(list_at));
    t.number(static_cast<std::uint32_t>(whole_list.size()));
    t.text(first);
    auto const tail = with_crc(tables.value_or(text));
    file += tail;
    w.number(static_cast<std::uint64_t>(tail_at));
    w.number(static_cast<std::uint32_t>(tail.size()));
    w.number(crc32c(tail));
    file += segment_magic;
    ref = {1, file.size(), crc32c(tail), count, 0};
  }
};

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const all{text_of(data, size)};
  segment_ref ref{1, size, 0, 0, 0};
  if (size >= segment_foot) {
    byte_reader foot{std::string_view{all}.substr(size - segment_foot)};
    foot.number<std::uint64_t>();
    foot.number<std::uint32_t>();
    ref.crc = foot.number<std::uint32_t>();
  }
  read(all, ref);
  if (size == 0) return 0;

  auto const what = all[0];
  auto const rest = all.substr(1);
  std::string const row{"\x00\x01\x01\x01kv", 6};
  auto const one = what % 3 == 0   ? mended{rest, {}, {}, {}}
                   : what % 3 == 1 ? mended{row, rest, {}, "k"}
                                   : mended{row, {}, rest, "k"};
  read(one.file, one.ref);
  return 0;
}
