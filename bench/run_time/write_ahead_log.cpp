/// \file write_ahead_log.cpp  A write-ahead log's records, beside plain appends of the same records with one fdatasync for as
/// many: of their values alone, and of as many bytes as the log writes for them. A disk's pace changes many times over from one
/// second to the next, so the sides take short turns, and what counts is the median of what they were beside each other.
#include <sluice/source/log_writer.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <random>

namespace {

namespace sl = sluice;
namespace d = sl::detail;

struct folder {
  std::filesystem::path path{};
  folder() {
    auto pattern = (std::filesystem::current_path() / "sluice.XXXXXX").string();
    if (!::mkdtemp(pattern.data())) std::abort();
    path = pattern;
  }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() { std::filesystem::remove_all(path); }
};

std::string const value(100, 'x');

/// The n-th record: ten come in a millisecond.
sl::received record(std::int64_t n) {
  return {.value = std::string_view{value},
          .timestamp = sl::wall_time{std::chrono::milliseconds{1'800'000'000'000 + n / 10}}};
}
/// What the log makes of so many.
std::string group_of(std::int64_t records) {
  std::string group;
  for (std::int64_t n = 0; n < records; ++n)
    d::append_frame(group, record(n), d::image_size(record(n)), static_cast<std::uint64_t>(n));
  return group;
}

double seconds_of(auto const& what) {
  auto const begin = std::chrono::steady_clock::now();
  what();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}
double median(std::vector<double> of) {
  std::nth_element(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2), of.end());
  return of[of.size() / 2];
}

/// Groups of `records`, each written and synced. `more`: bytes beside the values.
struct appends {
  std::int64_t records;
  std::string more;
  d::unique_fd file;
  std::string group{};

  appends(std::filesystem::path const& path, std::int64_t n, std::size_t with)
      : records(n), more(with, 'x'), file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    if (::write(file.get(), "x", 1) < 0 || ::fsync(file.get()) != 0) std::abort();
  }
  void turn(int groups) {
    for (; groups > 0; --groups) {
      group.clear();
      for (std::int64_t i = 0; i < records; ++i) group += value;
      group += more;
      if (::write(file.get(), group.data(), group.size()) < 0 || ::fdatasync(file.get()) != 0) std::abort();
    }
  }
};

/// The same through the log's writer, whose groups are bounded to as many and wait until they are full.
struct logged {
  std::int64_t records, next = 0;
  std::atomic<std::uint64_t> durable{0};
  d::log_folder<d::posix_files> files;
  std::uint64_t before = 0, groups = 0;
  d::log_writer<d::posix_files> writer;

  static d::log_bounds bounds(std::size_t bytes) {
    auto const size = d::image_size(record(0));
    return {.max_bytes = std::uint64_t{16} << 30,
            .max_group = bytes + d::most_frame(size) - (size + 5),
            .sync_every = std::chrono::hours{1}};
  }
  logged(std::filesystem::path const& path, std::int64_t n, std::size_t bytes)
      : records(n),
        files({}, path.string()),
        writer(
            files, bounds(bytes),
            [this](std::uint64_t all) {
              ++groups;
              durable = all;
              durable.notify_one();
            },
            [](std::string const&) { std::abort(); }) {
    files.open();
    auto first = group_of(1);
    files.append(first, 1, 64 << 20);  // the first segment is there
    before = files.bytes();
    writer.start();
  }
  void turn(int how_many) {
    for (auto left = how_many * records; left > 0; --left) writer.store(record(next++), true);
    if (writer.store(record(next), false)) std::abort();  // there is no room, so that the last group is written too
    for (auto seen = durable.load(); seen < static_cast<std::uint64_t>(next); seen = durable.load()) durable.wait(seen);
  }
};

/// The time is a group's.
void log(benchmark::State& state) {
  auto const n = state.range(0);
  auto const bytes = group_of(n).size();
  int const groups = n < 10'000 ? 20 : 10;
  folder in;
  appends by_hand{in.path / "by_hand", n, 0},
      as_many{in.path / "as_many", n, bytes - static_cast<std::size_t>(n) * 100};
  logged log{in.path / "log", n, bytes};
  std::mt19937 random{1};
  std::vector<double> times, beside_hand, beside_as_many;
  for (auto _ : state) {
    for (int round = 0; round < 31; ++round) {
      double hand = 0, same = 0, ours = 0;
      int order[] = {0, 1, 2};
      std::shuffle(std::begin(order), std::end(order), random);
      for (int const side : order) switch (side) {
          case 0:
            hand = seconds_of([&] { by_hand.turn(groups); });
            break;
          case 1:
            same = seconds_of([&] { as_many.turn(groups); });
            break;
          default:
            ours = seconds_of([&] { log.turn(groups); });
        }
      times.push_back(ours / groups);
      beside_hand.push_back(hand / ours);
      beside_as_many.push_back(same / ours);
    }
    state.SetIterationTime(median(times));
  }
  auto const records = static_cast<double>(log.next);
  if (log.files.end() != static_cast<std::uint64_t>(log.next) + 1) std::abort();
  state.counters["by_hand"] = median(beside_hand);
  state.counters["as_many_bytes"] = median(beside_as_many);
  state.counters["bytes_a_record"] = static_cast<double>(log.files.bytes() - log.before) / records;
  state.counters["bytes_by_hand"] = 100;
  state.counters["records_a_group"] = records / static_cast<double>(log.groups);
}
BENCHMARK(log)->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000)->UseManualTime()->MinTime(1e-9);

}  // namespace

BENCHMARK_MAIN();
