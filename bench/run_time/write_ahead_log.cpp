/// \file write_ahead_log.cpp  A write-ahead log's records, beside plain appends of the same records with one fdatasync for as
/// many: of their values alone, and of as many bytes as the log writes for them. A disk's pace changes from second to second, so
/// the sides take turns, for a short while each, and often.
#include <sluice/source/log_writer.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

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

/// What both sides wrote for each record, and in how many records a group.
void count(benchmark::State& state, std::uint64_t bytes, std::uint64_t groups) {
  auto const records = static_cast<double>(state.iterations() * state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["bytes"] = static_cast<double>(bytes) / records;
  state.counters["group"] = records / static_cast<double>(groups);
}

/// Groups of as many records as the argument says, each written and synced. `with`: bytes beside the values.
void append(benchmark::State& state, std::size_t with) {
  folder in;
  auto const fd = ::open((in.path / "file").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::string group;
  std::string const more(with, 'x');
  if (::write(fd, "x", 1) < 0 || ::fsync(fd) != 0) state.SkipWithError("the disk fails");
  for (auto _ : state) {
    group.clear();
    for (std::int64_t i = 0; i < state.range(0); ++i) group += value;
    group += more;
    if (::write(fd, group.data(), group.size()) < 0 || ::fdatasync(fd) != 0) state.SkipWithError("the disk fails");
  }
  ::close(fd);
  auto const groups = static_cast<std::uint64_t>(state.iterations());
  count(state, groups * group.size(), groups);
}

void by_hand(benchmark::State& state) { append(state, 0); }
void as_many_bytes(benchmark::State& state) {
  append(state, group_of(state.range(0)).size() - static_cast<std::size_t>(state.range(0)) * value.size());
}

/// The same through the log's writer, whose groups are bounded to as many, until the last one is synced.
void log(benchmark::State& state) {
  folder in;
  d::log_folder<d::posix_files> files{{}, in.path.string()};
  files.open();
  auto const size = d::image_size(record(0));
  std::atomic<std::uint64_t> durable{0};
  std::uint64_t groups = 0;
  d::log_writer<d::posix_files> writer{
      files,
      d::log_bounds{.max_bytes = std::uint64_t{16} << 30,
                    .max_group = group_of(state.range(0)).size() + d::most_frame(size) - (size + 5)},
      [&](std::uint64_t n) {
        ++groups;
        durable = n;
        durable.notify_one();
      },
      [](std::string const&) { std::abort(); }};
  auto const wait_for = [&](std::uint64_t n) {
    for (auto seen = durable.load(); seen < n; seen = durable.load()) durable.wait(seen);
  };
  writer.start();
  writer.store(record(0), true);  // the first segment is there
  wait_for(1);
  auto const before = files.bytes();
  std::int64_t n = 0;
  auto const last = static_cast<std::int64_t>(state.max_iterations) * state.range(0);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i) writer.store(record(n++), true);
    if (n == last) wait_for(static_cast<std::uint64_t>(n) + 1);
  }
  writer.close();
  count(state, files.bytes() - before, groups - 1);
}

void turns(benchmark::internal::Benchmark* b) {
  b->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000)->UseRealTime()->MinTime(0.25)->Repetitions(15);
}
BENCHMARK(by_hand)->Apply(turns);
BENCHMARK(as_many_bytes)->Apply(turns);
BENCHMARK(log)->Apply(turns);

}  // namespace

BENCHMARK_MAIN();
