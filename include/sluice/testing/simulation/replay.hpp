/// \file testing/simulation/replay.hpp  Reads the words that simulation::story() prints of a failure, so that a program can run it again.
#pragma once
#include <sluice/testing/simulation/world.hpp>

#include <optional>
#include <string_view>

namespace sluice { inline namespace v0 { namespace testing {

/// `--seed N --processes N --partitions N --records N --most-faults N --most-points N --cooperative --faults LIST`, each of them or
/// none, from `argv[from]` on. Nothing where they are something else.
inline std::optional<schedule> replayed(int argc, char const* const* argv, int from = 1) {
  schedule s;
  s.replay = true;
  for (int i = from; i < argc; i += 2) {
    if (std::string_view{argv[i]} == "--cooperative") {
      s.cooperative = true;
      --i;
      continue;
    }
    if (i + 1 == argc) return {};
    std::string_view const name = argv[i], value = argv[i + 1];
    auto const number = [&](auto& to) {
      auto const end = value.data() + value.size();
      return !value.empty() && std::from_chars(value.data(), end, to).ptr == end;
    };
    bool const good = name == "--seed"          ? number(s.seed)
                      : name == "--processes"   ? number(s.processes)
                      : name == "--partitions"  ? number(s.partitions)
                      : name == "--records"     ? number(s.records)
                      : name == "--most-faults" ? number(s.most_faults)
                      : name == "--most-points" ? number(s.most_points)
                      : name == "--faults"      ? read(value, s.decisions)
                                                : false;
    if (!good) return {};
  }
  return s;
}

}}}  // namespace sluice::v0::testing
