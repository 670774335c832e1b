// A program that is killed, built anew with a value that has grown and one more operator, and goes on from its checkpoint;
// and programs that can't go on: they are told what differs, and change nothing.
#include <sluice/offset_store/checkpoint_read.hpp>
#include <sluice/sluice.hpp>
#include <sluice/state/checkpoint.hpp>
#include <sluice/testing/embedded_broker.hpp>
#include <sluice/window/over_batches.hpp>

#include <map>
#include <random>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "seed.hpp"
#include "state/kills.hpp"
#include "thrown.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

// ---- what was changed from one release to the next

namespace first {
struct visits {
  std::int64_t count = 0;
};
}  // namespace first
template <>
struct sluice::codec<first::visits> : sluice::members_of<&first::visits::count> {};

namespace second {
struct visits {
  std::int64_t count = 0;
  std::int64_t bytes = 0;  // since the second release
  friend bool operator==(visits const&, visits const&) = default;
};
}  // namespace second
template <>
struct sluice::codec<second::visits> : sluice::members_of<&second::visits::count, &second::visits::bytes> {
  static constexpr std::uint32_t version = 2;
  static second::visits decode(sluice::decoder& from, std::uint32_t written) {
    return written == 1 ? sluice::members_of<&second::visits::count>::read(from) : read(from);
  }
};

namespace {

auto const key_of = [](sl::record r) { return r.key_text(); };

struct setting {
  std::string folder{};
  std::string brokers{};
  std::string program = "visits";
};

template <class... More>
auto reading(setting const& s, std::string version, More... more) {
  return sl::stream_consumer{
      sl::transactional{},
      sl::checkpoint{.directory = s.folder, .program = s.program, .version = std::move(version), .max_cache = 50'000},
      sl::kafka_partitions{.brokers = s.brokers, .group = "visitors", .partitions = {{"t", 0}, {"t", 1}}},
      more...,
  };
}
/// Until all is handled.
template <class Consumer, class Handler>
void run(Consumer& consumer, Handler handler, long total) {
  for (std::int64_t at = 0; at < total;) {
    consumer.step(handler, 100ms);
    at = 0;
    for (auto const& p : consumer.positions()) at += p.next.value();
  }
}

void first_release(setting const& s, long total) {
  kills::killer may_kill;
  sl::keyed_state<std::string, first::visits> per_key{.name = "visits"};
  auto count = sl::update_state_by_key(per_key, key_of, [&](auto records, std::optional<first::visits>& v) {
    if (!v) v.emplace();
    v->count += std::ssize(records);
    may_kill();
  });
  auto consumer = reading(s, "1", sl::micro_batch{.max_records = 200}, kills::watcher{&may_kill});
  run(consumer, count, total);
}

void second_release(setting const& s, long total) {
  kills::killer may_kill;
  sl::keyed_state<std::string, second::visits> per_key{.name = "visits"};
  auto count = sl::update_state_by_key(per_key, key_of, [&](auto records, std::optional<second::visits>& v) {
    if (!v) v.emplace();
    v->count += std::ssize(records);
    for (sl::record const& r : records) v->bytes += std::ssize(r.text());
    may_kill();
  });
  sl::keyed_state<std::int32_t, std::int64_t> lengths{.name = "lengths"};
  auto more = sl::update_state_by_key(
      lengths, [](sl::record r) { return static_cast<std::int32_t>(r.text().size()); },
      [&](auto records, std::optional<std::int64_t>& n) { n = n.value_or(0) + std::ssize(records); });
  auto consumer = reading(s, "2", sl::micro_batch{.interval = 20ms, .max_records = 300}, kills::watcher{&may_kill});
  auto const both = [&](sl::batch const& b, sl::checkpoint_transaction& tx) {
    count(b, tx);
    more(b, tx);
  };
  run(consumer, both, total);
}

struct input {
  sl::testing::embedded_broker broker{};
  std::array<std::vector<sl::testing::produced>, 2> parts{};

  input(std::mt19937& random, std::size_t records, std::size_t keys) {
    broker.create_topic("t", 2);
    for (std::size_t i = 0; i < records; ++i)
      parts[random() % 2].push_back(
          {.key = "key " + std::to_string(random() % keys), .value = std::string(random() % 20, 'v')});
    for (int p = 0; p < 2; ++p) broker.produce_all("t", p, parts[static_cast<std::size_t>(p)]);
  }
};

/// Files by name; only what they hold counts.
std::map<std::string, std::string> segments_of(std::string const& folder) {
  std::map<std::string, std::string> all;
  for (auto const& f : std::filesystem::directory_iterator{folder + "/segments"})
    if (f.path().filename().string().starts_with("segment.") && f.file_size() > 0)
      all[f.path().filename().string()] = content_of(f.path());
  return all;
}
std::vector<std::int64_t> positions_in(std::string const& folder) {
  std::vector<std::int64_t> all(2);
  for (auto const& p : sl::read_positions({.directory = folder}, sl::context{.group = "visitors"}, {}))
    all.at(static_cast<std::size_t>(p.of.partition)) = p.next.value();
  return all;
}

}  // namespace

TEST_CASE("a child of the tests below", "[.child]") {
  setting const s{.folder = kills::word("SLUICE_FOLDER"), .brokers = kills::word("SLUICE_BROKERS")};
  auto const total = kills::number("SLUICE_TOTAL");
  if (kills::word("SLUICE_RELEASE") == "1") first_release(s, total);
  if (kills::word("SLUICE_RELEASE") == "2") second_release(s, total);
}

TEST_CASE("a program that was killed and built anew goes on from its checkpoint") {
  std::mt19937 random{seed()};
  constexpr std::size_t total = 6'000;
  input const in{random, total, 300};
  temporary_folder folder, logs;
  auto const log = (logs.path / "log").string();
  auto const environment = [&](char const* release) {
    return std::vector<std::string>{"SLUICE_FOLDER=" + folder.name(), "SLUICE_BROKERS=" + in.broker.bootstrap(),
                                    "SLUICE_TOTAL=" + std::to_string(total), std::string{"SLUICE_RELEASE="} + release};
  };
  kills::killed(environment("1"), log, 4, 900, 30'000, random);
  auto const from = positions_in(folder.name());
  kills::killed(environment("2"), log, 4, 400, 60'000, random);
  kills::ended(environment("2"), log);

  std::map<std::string, second::visits> wanted, found;
  std::map<std::int32_t, std::int64_t> lengths, found_lengths;
  std::int64_t since = 0;
  for (std::size_t p = 0; p < 2; ++p)
    for (std::size_t i = 0; i < in.parts[p].size(); ++i) {
      auto const size = std::ssize(*in.parts[p][i].value);
      auto& v = wanted[*in.parts[p][i].key];
      ++v.count;
      if (static_cast<std::int64_t>(i) < from[p]) continue;
      v.bytes += size;
      ++lengths[static_cast<std::int32_t>(size)];
      ++since;
    }
  CHECK(since > 0);
  CHECK(static_cast<std::size_t>(since) < total);
  sl::for_each_state<std::string, second::visits>({.directory = folder.name()}, {.group = "visitors"}, "visits",
                                                  [&](auto const&, std::string const& key, second::visits const& v) {
                                                    found[key].count += v.count;
                                                    found[key].bytes += v.bytes;
                                                  });
  sl::for_each_state<std::int32_t, std::int64_t>(
      {.directory = folder.name()}, {.group = "visitors"}, "lengths",
      [&](auto const&, std::int32_t n, std::int64_t c) { found_lengths[n] += c; });
  CHECK((found == wanted));
  CHECK(found_lengths == lengths);
  CHECK(sl::read_checkpoint(folder.name()).version == "2");
}

TEST_CASE("a program that can't go on is told what differs, and changes nothing") {
  std::mt19937 random{seed()};
  input in{random, 600, 20};
  temporary_folder folder;
  setting s{.folder = folder.name(), .brokers = in.broker.bootstrap()};
  second_release(s, 600);
  auto const segments = segments_of(s.folder);
  auto const positions = positions_in(s.folder);
  REQUIRE(!segments.empty());
  in.broker.produce("t", 0, "key 1", "more");
  in.broker.produce("t", 1, "key 1", "more");

  SECTION("a release that is too old") {
    auto const e = error_of([&] { first_release(s, 602); });
    CHECK(e.code == sl::errc::store_newer);
    CHECK_THAT(e.text, ContainsSubstring("state \"visits\": the value of a key of 9 bytes in t/") &&
                           ContainsSubstring("written in version 2 of its type, this program knows up to 1") &&
                           ContainsSubstring("run the program that wrote it"));
  }
  SECTION("another program") {
    auto const files = [&] {
      std::map<std::string, std::string> all;
      for (auto const& f : std::filesystem::recursive_directory_iterator{s.folder})
        if (f.is_regular_file()) all[f.path().string()] = content_of(f.path());
      return all;
    };
    auto const before = files();
    auto const e = error_of([&] { reading({s.folder, s.brokers, "billing"}, "7"); });
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("of the program 'visits' (version '2')") &&
                           ContainsSubstring("is 'billing'") && ContainsSubstring("left as it is"));
    CHECK((files() == before));
  }
  SECTION("an operator of another kind") {
    auto window = sl::count_by_window({.name = "visits", .size = 1s}, [](auto const&, std::int64_t) {});
    auto const e = error_of([&] {
      auto consumer = reading(s, "3", sl::micro_batch{.interval = 1s});
      run(consumer, window, 602);
    });
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("state \"visits\" in t/") &&
                           ContainsSubstring("holds values by key, and the operator keeps a window over batches"));
  }
  SECTION("a value that changed without a version") {
    sl::keyed_state<std::string, std::int64_t> as_number{.name = "visits"};
    auto count = sl::update_state_by_key(as_number, key_of, [](auto, std::optional<std::int64_t>& n) { n = 0; });
    auto const e = error_of([&] {
      auto consumer = reading(s, "3");
      run(consumer, count, 602);
    });
    CHECK(e.code == sl::errc::store_damaged);
    CHECK_THAT(e.text, ContainsSubstring("state \"visits\": the value of a key of 9 bytes in t/") &&
                           ContainsSubstring("12 bytes are left behind its end") &&
                           ContainsSubstring("give the codec a version that reads it"));
  }
  CHECK((segments_of(s.folder) == segments));
  CHECK(positions_in(s.folder) == positions);
  second_release(s, 602);
  std::int64_t all = 0;
  sl::for_each_state<std::string, second::visits>(
      {.directory = s.folder}, {.group = "visitors"}, "visits",
      [&](auto const&, std::string const&, second::visits const& v) { all += v.count; });
  CHECK(all == 602);
}
