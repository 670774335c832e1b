/// \file checkpoint_support.hpp  For tests of checkpoints: the fixture that the contract is run on, and what lies in a folder.
#pragma once
#include <sluice/offset_store/checkpoint_read.hpp>
#include <sluice/state/checkpoint.hpp>

#include "detail/temporary_folder.hpp"
#include "offset_store/contract.hpp"
#include "thrown.hpp"

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
