#include <sluice/offset_store/checkpoint_generation.hpp>

#include "checkpoint_support.hpp"

namespace {

using sl::checkpoint_generation;
using sl::offset;

checkpoint_generation sample() {
  checkpoint_generation g;
  g.id = {0x0123456789abcdef, 0xfedcba9876543210};
  g.topics[{"billing", "orders"}] = {
      {.there = true, .next = offset{1234567890123}, .owner = {7, 8}, .log = {.incarnation = 1700000000000}}};
  g.values["total"] = {5, "x"};
  g.program = "totals";
  g.version = "1.2";
  g.segments = {{0x1122334455667788, 4096, 0x99aabbcc, 17, 1}, {2, 100, 3, 1, 0}};
  g.retired = {{9, 50, 4, 1, 0}};
  g.shared[{"billing", "counts", "orders", -1}] = 12;
  return g;
}
std::string bytes_of(checkpoint_generation const& g) {
  std::string out;
  encode(g, out);
  return out;
}
thrown refusal(std::string const& text) {
  return error_of([&] { sl::parse_generation<checkpoint_generation>(text, "folder/generation.7"); });
}

struct visits {
  std::int64_t count = 0;
  std::string last{};
};

}  // namespace

template <>
struct sluice::codec<visits> : sluice::members_of<&visits::count, &visits::last> {};

TEST_CASE("a generation comes back as it was") {
  CHECK(sl::parse_generation<checkpoint_generation>(bytes_of(sample()), "") == sample());
  CHECK(sl::parse_generation<checkpoint_generation>(bytes_of({}), "") == checkpoint_generation{});
}

TEST_CASE("a generation cut short, made longer, or with a bit flipped anywhere is damaged") {
  auto const good = bytes_of(sample());
  for (std::size_t n = 0; n < good.size(); ++n)
    if (refusal(good.substr(0, n)).code != sl::errc::store_damaged) FAIL("cut to " << n);
  CHECK(refusal(good + '\0').code == sl::errc::store_damaged);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    if (refusal(bad).code != sl::errc::store_damaged) FAIL("bit " << bit);
  }
}

TEST_CASE("no content of a generation is believed because its checksum is right") {
  std::mt19937 random{std::random_device{}()};
  auto const good = bytes_of(sample());
  for (int i = 0; i < 3000; ++i) {
    auto content = good.substr(24);
    for (auto n = 1 + random() % 4; n > 0; --n) {
      auto const at = random() % content.size();
      if (random() % 2)
        content[at] = static_cast<char>(random());
      else
        content.replace(at, std::min<std::size_t>(4, content.size() - at), 4, '\xff');
    }
    if (random() % 8 == 0) content.resize(random() % content.size());
    std::string head{checkpoint_generation::magic}, length;
    sl::detail::byte_writer{head}.number(std::uint32_t{1});
    sl::detail::byte_writer{length}.number(static_cast<std::uint64_t>(content.size()));
    sl::detail::byte_writer{head}.number(
        sl::detail::crc32c(content, sl::detail::crc32c(length, sl::detail::crc32c(head))));
    auto const text = head + length + content;
    auto const e = refusal(text);
    if (e.code) CHECK(e.code == sl::errc::store_damaged);
    if (!e.code) CHECK(bytes_of(sl::parse_generation<checkpoint_generation>(text, "")) == text);
  }
}

TEST_CASE("a checkpoint of format 1 that was written once goes on for ever") {
  temporary_folder folder;
  fs::copy(fs::path{SLUICE_SOURCE_DIR} / "test/golden/checkpoint.v1", folder.path, fs::copy_options::recursive);
  auto const state = sl::read_checkpoint(folder.name());
  CHECK(state.program == "golden");
  CHECK(state.version == "1");
  CHECK(state.values.at("total").content == "40");
  REQUIRE(state.segments.size() > 1);  // some merged, some not
  CHECK(state.segments.front().level == 1);
  auto const counts = [&] {
    std::map<std::string, std::pair<std::int64_t, std::string>> found;
    sl::for_each_state<std::string, visits>({.directory = folder.name()}, {.group = "billing"}, "visits",
                                            [&](auto const& of, std::string const& key, visits const& v) {
                                              CHECK(of == sl::topic_partition{"orders", 0});
                                              found[key] = {v.count, v.last};
                                            });
    return found;
  };
  CHECK(counts() == decltype(counts()){{"ann", {14, "39"}}, {"cid", {13, "38"}}, {"eve \xc3\xa9", {13, "37"}}});
  checkpoint_worker w{{.directory = folder.name(), .program = "golden"}};
  CHECK(w.mine.what == sl::claimed::stored);
  CHECK(w.mine.next == offset{40});
  REQUIRE(w.mine.log.last);
  CHECK(w.mine.log.last->hash == 0xfedcba9876543210);
  CHECK(w.mine.mine.turn == 2);
  std::string due;
  auto const m = w.next();
  auto& tx = w.store->begin({&m, 1}, contract::soon());
  w.rows_of(tx, "visits").due(m.of, 1'000'000, 10, [&](std::string_view key, std::string_view, std::int64_t when) {
    due += std::string{key.substr(5)} + "/" + std::to_string(when) + " ";
  });
  w.store->rollback(tx);
  CHECK(due == "eve \xc3\xa9/1037 cid/1038 ann/1039 ");
  for (int i = 0; i < 40; ++i) w.put("k" + sl::encoded(std::string{"new"}), sl::encoded(visits{i, "x"}), "visits");
  CHECK(counts().size() == 4);
  CHECK(counts().at("ann") == std::pair<std::int64_t, std::string>{14, "39"});
}

// Makes the golden checkpoint where it isn't: `SLUICE_GOLDEN=DIRECTORY test.offset_store.checkpoint_generation [golden]`.
TEST_CASE("a checkpoint for the test above", "[.golden]") {
  auto const* directory = std::getenv("SLUICE_GOLDEN");
  REQUIRE(directory);
  fs::create_directory(directory);
  {
    checkpoint_worker w{{.directory = directory, .program = "golden", .version = "1"}};
    std::map<std::string, visits> now;
    for (int i = 0; i < 40; ++i) {
      std::string const key = i % 3 == 0 ? "ann" : i % 3 == 1 ? "eve \xc3\xa9" : "cid";
      auto& v = now[key];
      v = {v.count + 1, std::to_string(i)};
      auto m = w.next();
      m.log.last = sl::fingerprint{m.from, 0xfedcba9876543210};
      auto& tx = w.store->begin({&m, 1}, contract::soon());
      auto const name = "k" + sl::encoded(key), value = sl::encoded(v);
      w.rows_of(tx, "visits")
          .write(std::vector<sl::detail::state_row>{{.of = &m.of, .key = name, .value = value, .due = 1000 + i}});
      tx.put("total", std::to_string(i + 1));
      w.store->advance(tx, {&m, 1}, contract::soon());
      REQUIRE(w.store->commit(tx, contract::soon()) == sl::outcome::applied);
      w.mine.next = m.until;
    }
  }
  auto const newest = newest_generation(directory).filename();
  auto const state = sl::read_checkpoint(directory);
  for (auto const& file : files_in(directory, "generation."))
    if (file.filename() != newest) fs::remove(file);
  for (auto const& file : files_in(fs::path{directory} / "segments", "")) {
    auto const id = sl::detail::segment_number(file.filename().string());
    if (!id || std::ranges::none_of(state.segments, [&](auto const& s) { return s.id == *id; })) fs::remove(file);
  }
  fs::remove(fs::path{directory} / "owner");
}
