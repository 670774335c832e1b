/// \file file.cpp  file_offsets: advances alone, transactions with text, and what the disk does by itself.
#include <sluice/offset_store/file.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

namespace {

namespace sl = sluice;
using namespace std::chrono_literals;

sl::time_point soon() { return std::chrono::steady_clock::now() + 10s; }

struct folder {
  std::filesystem::path path{};
  folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "sluice.XXXXXX").string();
    if (!::mkdtemp(pattern.data())) std::abort();
    path = pattern;
  }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() { std::filesystem::remove_all(path); }
};

struct from_zero final : sl::start_resolver {
  std::size_t partitions;
  explicit from_zero(std::size_t n) : partitions(n) {}
  sl::topic_start start_of(std::string const& topic, sl::time_point) override {
    return {topic, std::vector<sl::offset>(partitions)};
  }
  sl::offset earliest(sl::topic_partition const&, sl::time_point) override { return {}; }
};

struct owner {
  folder in{};
  sl::file_offsets::runtime store;
  std::vector<sl::move> moves{};

  explicit owner(int partitions)
      : store(sl::file_offsets::open({.directory = in.path.string()}, {.group = "billing"})) {
    from_zero start{static_cast<std::size_t>(partitions)};
    std::vector<sl::topic_partition> set;
    for (int p = 0; p < partitions; ++p) set.push_back({"orders", p});
    for (auto const& c : store.claim("billing", set, start, soon()))
      moves.push_back({c.of, c.next, c.next.next(), c.mine, c.log});
  }
  void next() {
    for (auto& m : moves) m.from = std::exchange(m.until, m.until.next());
  }
};

/// The floor: a file of 4 KiB written, synced, renamed, its folder synced.
void disk_alone(benchmark::State& state) {
  folder in;
  sl::detail::posix_files files;
  sl::detail::unique_fd folder_fd;
  files.open_directory(in.path.string(), folder_fd);
  std::string const content(4096, 'x');
  for (auto _ : state) {
    sl::detail::unique_fd file;
    files.create(folder_fd, "temporary", file);
    files.write(file, content, 0);
    files.sync(file);
    if (::renameat(folder_fd.get(), "temporary", folder_fd.get(), "name") != 0) state.SkipWithError("rename");
    files.sync(folder_fd);
  }
  state.SetItemsProcessed(state.iterations());
}

/// Items are advances, each of as many partitions as the argument says.
void advance(benchmark::State& state) {
  owner o{static_cast<int>(state.range(0))};
  for (auto _ : state) {
    if (o.store.advance(o.moves, soon())[0] != sl::outcome::applied) state.SkipWithError("not applied");
    o.next();
  }
  state.SetItemsProcessed(state.iterations());
}

/// Items are records of 100 bytes, each a line of text of the one partition; the argument is the batch.
void transaction(benchmark::State& state) {
  owner o{1};
  std::string const line = std::string(99, 'x') + "\n";
  sl::detail::message const message{.value = line.data(), .value_size = 100};
  sl::detail::part const part{&message, &message + 1, {o.moves[0].of, {}, {}, 1}, nullptr};
  sl::record const r{&message, &part};
  for (auto _ : state) {
    auto& tx = o.store.begin(o.moves, soon());
    for (std::int64_t i = 0; i < state.range(0); ++i) tx.append("lines", r, line);
    o.store.advance(tx, o.moves, soon());
    if (o.store.commit(tx, soon()) != sl::outcome::applied) state.SkipWithError("not applied");
    o.next();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(disk_alone)->UseRealTime();
BENCHMARK(advance)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->UseRealTime();
BENCHMARK(transaction)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->Arg(10'000)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
