/// \file kept_counts.hpp  For tests of state in SQLite: whole consumers over a scripted Kafka, and what is in their file.
#pragma once
#include <sluice/state/sqlite.hpp>

#include "offset_store/sqlite_support.hpp"
#include "scripted_consumer.hpp"

namespace kept_counts {
namespace sl = sluice;
using namespace scripted;
using counts_by_key = std::map<std::string, std::int64_t>;
using counter = sl::keyed_state<std::string, std::int64_t>;

inline std::string from_hex(std::string const& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

/// A scripted Kafka and an SQLite file: consumers come and go on them.
struct outside_with_file : outside {
  failing_disk disk_under_it{};
  folder in{};
  sl::sqlite_offsets store{.path = in / "counts.db"};

  explicit outside_with_file(int partitions = 1) : outside(partitions) {}

  template <class... Configs>
  auto consumer(Configs... configs) {
    return sl::stream_consumer<sl::transactional, sl::sqlite_offsets, source, manual_clock, Configs...>{
        reading(), store, manual_clock{&world}, configs...};
  }
  /// Of all partitions, or of one.
  counts_by_key counts(std::string const& name = "counts", int partition = -1) {
    counts_by_key all;
    for (auto const& row :
         rows(store.path, "select hex(\"key\") || '-' || hex(value) from sluice_offsets_state where name = '" + name +
                              "' and hex(\"key\") like '6B%'" +
                              (partition < 0 ? "" : " and partition = " + std::to_string(partition)))) {
      auto const at = row.find('-');
      all[sl::decoded<std::string>(from_hex(row.substr(2, at - 2)))] +=
          sl::decoded<std::int64_t>(from_hex(row.substr(at + 1)));
    }
    return all;
  }
  std::int64_t next(of_t const& of) {
    return std::stoll(
        rows(store.path, "select next from sluice_offsets where partition = " + std::to_string(of.partition)).at(0));
  }
  /// Another process claims it: the fence that is held is void.
  void claimed_by_another(of_t const& of) {
    rows(store.path,
         "update sluice_offsets set fence_turn = fence_turn + 1 where partition = " + std::to_string(of.partition));
  }
};

inline auto const key_of = [](sl::record r) { return r.key_text(); };
inline auto const add = [](auto records, std::optional<std::int64_t>& n) { n = n.value_or(0) + std::ssize(records); };

}  // namespace kept_counts
