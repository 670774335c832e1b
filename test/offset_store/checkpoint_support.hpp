/// \file checkpoint_support.hpp  For tests of checkpoints: the fixture that the contract is run on, and what lies in a folder.
#pragma once
#include <sluice/offset_store/checkpoint_read.hpp>
#include <sluice/state/checkpoint.hpp>

#include "detail/temporary_folder.hpp"
#include "offset_store/contract.hpp"
#include "thrown.hpp"

#include <map>

namespace fs = std::filesystem;

inline std::unique_ptr<sl::checkpoint::runtime> open_checkpoint(sl::checkpoint const& with,
                                                                sl::context const& around = {.group = "billing"}) {
  return std::unique_ptr<sl::checkpoint::runtime>{new sl::checkpoint::runtime(sl::checkpoint::open(with, around))};
}

inline std::vector<fs::path> files_in(fs::path const& folder, std::string const& prefix) {
  std::vector<fs::path> all;
  if (fs::exists(folder))
    for (auto const& entry : fs::directory_iterator{folder})
      if (entry.path().filename().string().starts_with(prefix)) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}
inline fs::path newest_generation(fs::path const& folder) { return files_in(folder, "generation.").back(); }
/// Those that hold something: the others are names made in advance.
inline std::vector<fs::path> segments_in(fs::path const& folder) {
  auto all = files_in(folder / "segments", "segment.");
  std::erase_if(all, [](auto const& file) { return fs::file_size(file) == 0; });
  return all;
}

/// One consumer of partition 0 of `orders`, by hand.
struct checkpoint_worker {
  std::unique_ptr<sl::checkpoint::runtime> store;
  sl::claimed mine{};

  explicit checkpoint_worker(sl::checkpoint const& with, int partition = 0) : store(open_checkpoint(with)) {
    claim(partition);
  }
  void claim(int partition = 0) {
    contract::resolver r{{{"orders", {sl::offset{0}, sl::offset{0}}}}};
    mine = contract::claim(*store, "billing", {{"orders", partition}}, r).at(0);
  }
  sl::move next() const { return {mine.of, mine.next, mine.next.next(), mine.mine, mine.log}; }

  /// One batch; `handle(tx, offset)`.
  template <class Handle>
  sl::outcome batch(Handle handle) {
    auto const m = next();
    auto& tx = store->begin({&m, 1}, contract::soon());
    try {
      handle(tx, mine.next.value());
    } catch (...) {
      store->rollback(tx);
      throw;
    }
    store->advance(tx, {&m, 1}, contract::soon());
    auto const o = store->commit(tx, contract::soon());
    if (o == sl::outcome::applied) mine.next = m.until;
    return o;
  }
  sl::outcome put(std::string const& key, std::string const& value, char const* state = "counts") {
    return batch([&](auto& tx, std::int64_t) {
      rows_of(tx, state).write(std::vector<sl::detail::state_row>{{.of = &mine.of, .key = key, .value = value}});
    });
  }
  std::string get(std::string const& key, char const* state = "counts") {
    std::string found = "-";
    auto const m = next();
    auto& tx = store->begin({&m, 1}, contract::soon());
    rows_of(tx, state).read(std::vector<sl::detail::state_row>{{.of = &mine.of, .key = key}},
                            [&](std::size_t, std::string_view value, std::int64_t) { found = value; });
    store->rollback(tx);
    return found;
  }
  static sl::detail::state_store<sl::checkpoint_transaction> rows_of(sl::checkpoint_transaction& tx,
                                                                     char const* state) {
    return {tx, state};
  }
};

inline std::map<std::string, std::string> contents_of(fs::path const& folder) {
  std::map<std::string, std::string> all;
  for (auto const& entry : fs::recursive_directory_iterator{folder})
    if (entry.is_regular_file() && entry.file_size() > 0)
      all[entry.path().lexically_relative(folder).string()] = content_of(entry.path());
  return all;
}

struct checkpoint_fixture {
  using store = sl::checkpoint::runtime;
  temporary_folder folder{};
  sl::checkpoint config{.directory = folder.name()};

  std::unique_ptr<store> open() { return open_checkpoint(config); }
  void forget(std::string const& group, sl::topic_partition const& of) {
    auto state = sl::read_checkpoint(folder.name());
    state.topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    std::string bytes;
    encode(state, bytes);
    write_file(newest_generation(folder.path), bytes);
  }
  std::vector<std::string> causes() {
    std::vector<std::string> found;
    for (auto const& j : sl::read_checkpoint(folder.name()).jumps) found.push_back(j.cause);
    return found;
  }
  /// Half of a result is a value, half of it a row of state: they must come together.
  void write(sl::checkpoint_transaction& tx, std::string const& result) {
    tx.put(result, "");
    sl::topic_partition const of{"orders", 0};
    sl::detail::state_store<sl::checkpoint_transaction>{tx, "results"}.write(
        std::vector<sl::detail::state_row>{{.of = &of, .key = result, .value = result}});
  }
  std::vector<std::string> results() {
    std::vector<std::string> found, rows;
    for (auto const& [name, v] : sl::read_checkpoint(folder.name()).values) found.push_back(name);
    sl::detail::each_state_row(sl::detail::posix_files{}, folder.name(), "billing", "results",
                               [&](auto const&, sl::detail::table_row const& row) { rows.emplace_back(row.value); });
    if (rows != found) found.push_back("and other rows");
    return found;
  }
};
