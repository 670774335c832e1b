#include <sluice/offset_store/checkpoint_segment.hpp>

#include "segments_in_memory.hpp"

using namespace in_memory;

TEST_CASE("a filter knows every key that it was made of, and few others") {
  std::vector<std::uint64_t> hashes;
  for (int i = 0; i < 4096; ++i) hashes.push_back(key_hash("key " + std::to_string(i)));
  auto const filter = make_filter(hashes);
  CHECK(filter.size() == 5120);
  for (auto const h : hashes) REQUIRE(may_hold(filter, h));
  int wrong = 0;
  for (int i = 0; i < 100'000; ++i) wrong += may_hold(filter, key_hash("other " + std::to_string(i)));
  CHECK(wrong < 1500);
  CHECK_FALSE(may_hold("", 1));
}

TEST_CASE("hashes never change: filters on disk are made of them") {
  CHECK(key_hash("") == 0xefd01f60ba992926u);
  CHECK(key_hash("ka") != key_hash("kb"));
}

TEST_CASE("numbers of any size come back, and what is none is refused") {
  for (auto const n : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 35, UINT64_MAX}) {
    std::string text;
    put_leb(text, n);
    byte_reader r{text};
    CHECK(take_leb(r) == n);
    CHECK(r.at_end());
    byte_reader cut{std::string_view{text}.substr(0, text.size() - 1)};
    take_leb(cut);
    CHECK_FALSE(cut.good());
  }
  byte_reader endless{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
  take_leb(endless);
  CHECK_FALSE(endless.good());
}

TEST_CASE("a row costs few bytes beside what it holds") {
  row_changes changes;
  std::size_t held = 0;
  for (int i = 0; i < 10'000; ++i) {
    auto const key = "k" + std::to_string(1'000'000 + i);
    changes[table()][key] = {.value = "12345678"};
    held += key.size() + 8;
  }
  place p;
  auto const ref = p.put(changes);
  CHECK(ref.rows == 10'000);
  CHECK(ref.size == p.files.at(ref.id).size());
  CHECK(p.written < held);  // keys that begin alike take less than they are
}

TEST_CASE("what could not be synced is no segment") {
  place p;
  p.fails = true;
  auto const to = p.create();
  CHECK_FALSE(write_segment(*to, {{table(), {{"k", {}}}}}));
}
