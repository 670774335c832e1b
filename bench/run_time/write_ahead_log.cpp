/// \file write_ahead_log.cpp  A write-ahead log's records, beside plain appends of the same records with one fdatasync for as
/// many: of their values alone, and of as many bytes as the log writes for them.
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

/// Groups of as many records as the argument says, each written and synced; items are records of 100 bytes.
void append(benchmark::State& state, std::string const& record) {
  folder in;
  auto const fd = ::open((in.path / "file").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::string group;
  for (auto _ : state) {
    group.clear();
    for (std::int64_t i = 0; i < state.range(0); ++i) group += record;
    if (::write(fd, group.data(), group.size()) < 0 || ::fdatasync(fd) != 0) state.SkipWithError("the disk fails");
  }
  ::close(fd);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void by_hand(benchmark::State& state) { append(state, value); }
void as_many_bytes(benchmark::State& state) {
  append(state, std::string(d::log_frame_head + d::image_size({.value = std::string_view{value}}), 'x'));
}

/// The same through the log's writer, whose groups are bounded to as many.
void log(benchmark::State& state) {
  folder in;
  d::log_folder<d::posix_files> files{{}, in.path.string()};
  files.open();
  sl::received const r{.value = std::string_view{value}};
  auto const frame = d::log_frame_head + d::image_size(r);
  d::log_writer<d::posix_files> writer{files,
                                       d::log_bounds{.max_bytes = std::uint64_t{16} << 30,
                                                     .max_group = static_cast<std::uint64_t>(state.range(0)) * frame},
                                       [](std::uint64_t) {}, [](std::string const&) { std::abort(); }};
  writer.start();
  for (auto _ : state)
    for (std::int64_t i = 0; i < state.range(0); ++i) writer.store(r, true);
  writer.close();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(by_hand)->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000)->UseRealTime();
BENCHMARK(as_many_bytes)->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000)->UseRealTime();
BENCHMARK(log)->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
