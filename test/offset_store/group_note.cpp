#include <sluice/offset_store/group_note.hpp>

#include "catch.hpp"

#include <random>

namespace sl = sluice;

namespace {
sl::group_note full() {
  return {.partitions = 4,
          .log = {.incarnation = 1700000000000,
                  .leader_epoch = 7,
                  .last = sl::fingerprint{sl::offset{41}, 0x9ae16a3b2f90404f}},
          .mine = {3, 0x5bd1e995},
          .store_id = "5f-a;b%c=d",
          .cause = "out of range"};
}
}  // namespace

// These texts are on brokers: what reads them must go on doing so.
TEST_CASE("a note's text never changes") {
  CHECK(to_text(full()) ==
        "sluice1;n=4;i=1700000000000;e=7;f=41:9ae16a3b2f90404f;t=3:5bd1e995;id=5f-a%3bb%25c%3dd;c=out%20of%20range");
  CHECK(sl::to_text({}) == "sluice1;i=0");
  CHECK(sl::read_note("sluice1;n=4;i=1700000000000;e=7;f=41:9ae16a3b2f90404f;t=3:5bd1e995;id=5f-a%3bb%25c%3dd;"
                      "c=out%20of%20range") == full());
}

TEST_CASE("a field that a later minor version added is skipped") {
  auto const note = sl::read_note("sluice1;n=2;zz=what;i=5");
  REQUIRE(note);
  CHECK(note->partitions == 2);
  CHECK(note->log.incarnation == 5);
}

TEST_CASE("what is not ours is nothing") {
  for (auto text :
       {"", "sluice", "sluice2;i=1", "sluice1x;i=1", "NO_METADATA", "{\"a\":1}", "sluice1;", "sluice1;i=1"}) {
    INFO(text);
    CHECK(sl::read_note(text).has_value() == std::string_view{text}.starts_with("sluice1;"));
  }
  for (auto text :
       {"sluice1;i", "sluice1;i=", "sluice1;i=x", "sluice1;i=1x", "sluice1;n=-1", "sluice1;n=99999999999",
        "sluice1;f=1", "sluice1;f=1:", "sluice1;f=1:xyz", "sluice1;t=:", "sluice1;id=%", "sluice1;id=%4",
        "sluice1;c=%zz", "sluice1;;i=1", "sluice1;i=99999999999999999999", "sluice1;t=-1:1", "sluice1;e=-2"}) {
    INFO(text);
    CHECK_FALSE(sl::read_note(text));
  }
}

TEST_CASE("a later version's note is told from a stranger's") {
  CHECK(sl::is_newer_note("sluice2;what=ever"));
  CHECK(sl::is_newer_note("sluice10"));
  CHECK_FALSE(sl::is_newer_note("sluice1;i=1"));
  CHECK_FALSE(sl::is_newer_note("sluice;i=1"));
  CHECK_FALSE(sl::is_newer_note("sluicex;i=1"));
  CHECK_FALSE(sl::is_newer_note(""));
}

TEST_CASE("any note comes back, and fits") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  auto const text = [&] {
    std::string s(random() % 121, '\0');
    for (char& c : s) c = static_cast<char>(random());
    return s;
  };
  for (int i = 0; i < 2000; ++i) {
    sl::group_note note;
    note.partitions = static_cast<std::int32_t>(random() >> 33);
    note.log.incarnation = static_cast<std::int64_t>(random());
    note.log.leader_epoch = random() % 2 ? -1 : static_cast<std::int32_t>(random() >> 33);
    if (random() % 2) note.log.last = sl::fingerprint{sl::offset{static_cast<std::int64_t>(random())}, random()};
    note.mine = {random(), random()};
    if (random() % 2) note.store_id = text();
    if (random() % 2) note.cause = text();
    auto const written = to_text(note);
    CHECK(written.size() < 1024);
    CHECK(written.find('\0') == written.npos);
    CHECK(sl::read_note(written) == note);
  }
  auto plain = full();
  plain.store_id.clear();
  plain.cause.clear();
  CHECK(to_text(plain).size() < 150);
}

TEST_CASE("damaged notes never crash the reader, long ones are not read") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  auto const good = to_text(full());
  for (int i = 0; i < 20000; ++i) {
    auto text = good;
    for (auto n = random() % 4 + 1; n > 0; --n) text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % (text.size() + 1));
    if (auto const note = sl::read_note(text)) CHECK(sl::read_note(to_text(*note)) == note);
  }
  CHECK_FALSE(sl::read_note("sluice1;i=1;c=" + std::string(5000, 'x')));
  sl::group_note wordy;
  wordy.cause = std::string(100'000, '\n');
  CHECK(to_text(wordy).size() < 1024);
}
