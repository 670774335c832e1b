/// \file simulation/options.hpp  The command line of `simulate`.
#pragma once
#include <sluice/testing/simulation.hpp>

#include <iostream>
#include <optional>
#include <ranges>

struct options {
  sluice::testing::schedule plan{};
  std::uint64_t schedules = 1000, at_least = 0;
  std::uint32_t least_points = 0, least_faults = 0, least_distinct = 0;  ///< medians, and of 100 traces
  std::string delivery{}, store{};
  bool hashes = false, table = false, unmet = false, shrink = true, go_on = false;

  bool wants(std::string_view d, std::string_view s) const {
    return (delivery.empty() || delivery == d) && (store.empty() || store == s);
  }

  /// Nothing where one of them is no fault's name.
  static std::optional<sluice::testing::fault_set> among(std::string_view names) {
    namespace st = sluice::testing;
    st::fault_set set = 0;
    for (auto const one : names | std::views::split(',')) {
      auto const at =
          std::find(st::fault_names.begin() + 1, st::fault_names.end(), std::string_view{one.begin(), one.end()});
      if (at == st::fault_names.end()) return {};
      set |= st::only(static_cast<st::fault>(at - st::fault_names.begin()));
    }
    return set;
  }

  /// Nothing where they can't be read: then it has said why.
  static std::optional<options> read(int argc, char** argv) {
    namespace st = sluice::testing;
    options o;
    bool wrong = false;
    for (int i = 1; i < argc; ++i) {
      std::string_view const name = argv[i];
      auto const value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : (wrong = true, ""); };
      auto const number = [&](auto& to) {
        auto const v = value();
        auto const end = std::from_chars(v.data(), v.data() + v.size(), to).ptr;
        wrong |= v.empty() || end != v.data() + v.size();
      };
      auto const faults = [&] {
        auto const set = among(value());
        wrong |= !set;
        return set.value_or(0);
      };
      if (name == "--seed")
        number(o.plan.seed);
      else if (name == "--schedules")
        number(o.schedules);
      else if (name == "--processes")
        number(o.plan.processes);
      else if (name == "--partitions")
        number(o.plan.partitions);
      else if (name == "--records")
        number(o.plan.records);
      else if (name == "--rate")
        number(o.plan.rate);
      else if (name == "--most-faults")
        number(o.plan.most_faults);
      else if (name == "--most-points")
        number(o.plan.most_points);
      else if (name == "--lines")
        number(o.plan.lines);
      else if (name == "--delivery")
        o.delivery = value();
      else if (name == "--store")
        o.store = value();
      else if (name == "--hashes")
        o.hashes = true;
      else if (name == "--table")
        o.table = true;
      else if (name == "--unmet")
        o.unmet = true;
      else if (name == "--as-found")
        o.shrink = false;
      else if (name == "--at-least")
        number(o.at_least);
      else if (name == "--least-points")
        number(o.least_points);
      else if (name == "--least-faults")
        number(o.least_faults);
      else if (name == "--least-distinct")
        number(o.least_distinct);
      else if (name == "--go-on")
        o.go_on = true;
      else if (name == "--with")
        o.plan.faults = faults();
      else if (name == "--without")
        o.plan.faults &= ~faults();
      else if (name == "--log-faults")
        o.plan.faults |= st::log_faults;
      else if (name == "--cooperative")
        o.plan.cooperative = true;
      else if (name == "--faults") {
        o.plan.replay = true;
        o.schedules = 1;
        o.shrink = false;
        wrong |= !st::read(value(), o.plan.decisions);
      } else
        wrong = true;
      if (wrong) {
        std::cerr
            << "simulate: " << name
            << " is not known, or its value can't be read\n"
               "usage: simulate [--seed N] [--schedules N] [--delivery NAME] [--store NAME] [--processes N] "
               "[--partitions N]\n"
               "  [--records N] [--rate N] [--most-faults N] [--most-points N] [--cooperative] [--log-faults] [--with "
               "FAULT,FAULT: only "
               "these]\n"
               "  [--without FAULT,FAULT] [--faults LIST: replays] [--lines N: of the trace] [--hashes] [--as-found: "
               "not "
               "shrunk]\n"
               "  [--table: how often each fault hit something] [--unmet: the faults that nothing a consumer does can "
               "meet]\n"
               "  [--go-on: with the next consumer after a failure]\n"
               "it fails if, for a consumer, less than that was tried:\n"
               "  [--at-least N: times each fault that can come hit something] [--least-points N] [--least-faults N: "
               "that "
               "hit something,\n"
               "  both medians] [--least-distinct N: traces of 100]\n";
        return std::nullopt;
      }
    }
    try {
      o.plan.check();
    } catch (std::invalid_argument const& e) {
      std::cerr << "simulate: " << e.what() << '\n';
      return std::nullopt;
    }
    return o;
  }
};
