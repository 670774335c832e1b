#include <sluice/offset_store/checkpoint_reader.hpp>

#include "segments_in_memory.hpp"

using namespace in_memory;

namespace {

row_changes random_rows(std::mt19937& random, int tables, int rows) {
  row_changes all;
  for (int t = 0; t < tables; ++t)
    for (int i = 0; i < rows; ++i) {
      std::string key(random() % 12, ' ');
      for (auto& c : key) c = "\x00\x01\xff\x80kab"[random() % 7];
      std::string value(random() % 40 == 0 ? random() % 9000 : random() % 30, static_cast<char>(random()));
      all[table("t" + std::to_string(t / 2), t % 2)][key] = {
          .value = value,
          .due = random() % 3 ? never : static_cast<std::int64_t>(random()) - 1'000'000,
          .there = random() % 5 != 0};
    }
  return all;
}

std::shared_ptr<segment_reader const> open(place& p, segment_ref const& ref, piece_cache& cache) {
  return std::make_shared<segment_reader const>(p.open(ref.id), ref, p.name_of(ref.id), cache);
}
/// Opened and read whole.
thrown read_all(std::string const& text, segment_ref ref) {
  return error_of([&] {
    place p;
    p.files[ref.id] = text;
    piece_cache cache{100'000};
    auto const s = open(p, ref, cache);
    s->verify();
    for (auto const& t : s->tables()) {
      s->find(t, "k", key_hash("k"), [](auto const&) {});
      for (segment_cursor at{s, t, "ka", true}; at.good(); at.next()) {}
    }
  });
}
segment_ref with_crc(std::string const& text, segment_ref ref) {
  ref.size = text.size();
  byte_reader foot{std::string_view{text}.substr(text.size() - segment_foot)};
  foot.take(12);
  ref.crc = foot.number<std::uint32_t>();
  return ref;
}

}  // namespace

TEST_CASE("random rows are found by key, and walked in order from anywhere") {
  std::mt19937 random{seed()};
  for (int round = 0; round < 30; ++round) {
    auto const rows = random_rows(random, 1 + static_cast<int>(random() % 5), 1 + static_cast<int>(random() % 3000));
    place p;
    auto const ref = p.put(rows);
    piece_cache cache{random() % 2 ? 0u : 1'000'000u};
    auto const s = open(p, ref, cache);
    s->verify();
    CHECK(s->tables().size() == rows.size());
    CHECK(s->find_table(table("none")) == nullptr);
    for (auto const& [key, wanted] : rows) {
      auto const* t = s->find_table(key);
      REQUIRE(t);
      CHECK(t->rows == wanted.size());
      auto at = wanted.begin();
      for (segment_cursor c{s, *t, "", false}; c.good(); c.next(), ++at) {
        REQUIRE(at != wanted.end());
        REQUIRE((c.row().key == at->first && c.row().value == at->second.value && c.row().due == at->second.due &&
                 c.row().there == at->second.there));
      }
      CHECK(at == wanted.end());
      for (int i = 0; i < 100; ++i) {
        auto somewhere = wanted.begin();
        std::advance(somewhere, random() % wanted.size());
        auto probe = somewhere->first;
        if (random() % 2) probe += static_cast<char>(random());
        auto const there = wanted.find(probe);
        bool found = false;
        s->find(*t, probe, key_hash(probe), [&](table_row const& row) {
          found = true;
          CHECK((there != wanted.end() && row.value == there->second.value && row.key == probe));
        });
        REQUIRE(found == (there != wanted.end()));
        segment_cursor from{s, *t, probe, true};
        auto const next = wanted.lower_bound(probe);
        REQUIRE(from.good() == (next != wanted.end()));
        if (from.good()) REQUIRE(from.row().key == next->first);
      }
    }
  }
}

TEST_CASE("what was read last is not read again, and no more than so much is kept") {
  row_changes rows;
  for (int i = 0; i < 50'000; ++i) rows[table()]["k" + std::to_string(i)] = {.value = std::string(20, 'x')};
  place p;
  auto const ref = p.put(rows);
  piece_cache cache{200'000};
  auto const s = open(p, ref, cache);
  auto const& t = s->tables()[0];
  for (int i = 0; i < 50'000; i += 7)
    s->find(t, "k" + std::to_string(i), key_hash("k" + std::to_string(i)), [](auto const&) {});
  CHECK(cache.bytes() <= 200'000);
  auto const before = p.reads;
  for (int i = 0; i < 100; ++i) s->find(t, "k49994", key_hash("k49994"), [](auto const&) {});
  CHECK(p.reads <= before + 2);
}

TEST_CASE("no byte of a segment can be wrong, missing or too many") {
  std::mt19937 random{1};
  place p;
  auto const ref = p.put(random_rows(random, 3, 60));
  auto const good = p.files.at(ref.id);
  REQUIRE_FALSE(read_all(good, ref).code);
  for (std::size_t bit = 0; bit < good.size() * 8; bit += good.size() > 20'000 ? 5 : 1) {
    auto bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    auto const e = read_all(bad, ref);
    if (e.code != sl::errc::store_damaged && !(e.code == sl::errc::store_newer && bit / 64 == 1)) FAIL("bit " << bit);
  }
  for (std::size_t n = 0; n < good.size(); ++n)
    if (read_all(good.substr(0, n), ref).code != sl::errc::store_damaged) FAIL("cut to " << n);
  CHECK(read_all(good + 'x', ref).code == sl::errc::store_damaged);
  auto const e = read_all(good.substr(1), ref);
  CHECK_THAT(e.text,
             ContainsSubstring("memory/" + std::to_string(ref.id) + " is damaged") && ContainsSubstring("backup"));
}

TEST_CASE("no content of a segment is believed because its checksums are right") {
  std::mt19937 random{seed()};
  place p;
  auto ref = p.put(random_rows(random, 2, 80));
  auto const good = p.files.at(ref.id);
  byte_reader foot{std::string_view{good}.substr(good.size() - segment_foot)};
  auto const tail_at = static_cast<std::size_t>(foot.number<std::uint64_t>());
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    auto text = good.substr(0, tail_at);
    auto tail = good.substr(tail_at, good.size() - segment_foot - tail_at - 4);
    auto& hit = i % 2 ? text : tail;
    for (auto n = 1 + random() % 3; n > 0; --n) {
      auto const at = random() % hit.size();
      if (random() % 4)
        hit[at] = static_cast<char>(random());
      else
        hit.replace(at, std::min<std::size_t>(4, hit.size() - at), 4, '\xff');
    }
    append_crc(tail);
    std::string end;
    byte_writer w{end};
    w.number(static_cast<std::uint64_t>(tail_at));
    w.number(static_cast<std::uint32_t>(tail.size()));
    w.number(crc32c(tail));
    text += tail + end + std::string{segment_magic};
    auto const e = read_all(text, with_crc(text, ref));
    refused += e.code.has_value();
    if (e.code && e.code != sl::errc::store_damaged && e.code != sl::errc::store_newer) FAIL(e.text);
  }
  CHECK(refused > 3000);
  // Blocks whose own checksum is right.
  for (int i = 0; i < 4000; ++i) {
    std::string rows(random() % 60, '\0');
    for (auto& c : rows) c = static_cast<char>(random() % 4 ? random() % 8 : random());
    block_walk walk{rows};
    for (int steps = 0; walk.next() && steps < 100; ++steps) REQUIRE(walk.row().key.size() < 10'000);
  }
}

TEST_CASE("of rows with the same key the newest counts") {
  place p;
  piece_cache cache{0};
  std::vector<segment_ref> const refs{p.put({{table(), {{"a", {.value = "1"}}, {"b", {.value = "1"}}}}}),
                                      p.put({{table(), {{"b", {.there = false}}, {"c", {.value = "2"}}}}}),
                                      p.put({{table(), {{"a", {.value = "3"}}}}})};
  merged_rows rows;
  for (auto i = refs.rbegin(); i != refs.rend(); ++i) {
    auto const s = open(p, *i, cache);
    rows.add(std::make_unique<segment_cursor>(s, s->tables()[0], "", false));
  }
  std::string seen;
  for (rows.start(); rows.good(); rows.next())
    seen.append(rows.row().key).append(rows.row().there ? rows.row().value : "-");
  CHECK(seen == "a3b-c2");
}
