/// \file contenders.hpp  Several ways to do the same, each run in a process of its own, in turns, so that all of them meet the same machine.
#pragma once
#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace contenders {

using figures = std::vector<double>;
using arguments = std::vector<std::string>;

/// Seconds of this process' own, all threads.
inline double processor_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  auto const s = [](timeval t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return s(u.ru_utime) + s(u.ru_stime);
}
inline double megabytes_at_most() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_maxrss) / 1024;
}

/// From the first record to the last.
class stretch {
  double wall_ = 0, processor_ = 0;
  bool begun_ = false;
  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

 public:
  void begin() {
    if (begun_) return;
    begun_ = true;
    wall_ = now();
    processor_ = processor_seconds();
  }
  /// Millions of records a second, processor seconds for a million, megabytes.
  figures end(double records) const {
    return {records / 1e6 / (now() - wall_), (processor_seconds() - processor_) / records * 1e6, megabytes_at_most()};
  }
};

inline double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all.at(all.size() / 2);
}

struct contender {
  std::string name{};
  std::function<figures(arguments const&)> run{};
};

/// Runs this program again, as this contender.
inline figures in_a_process(std::string const& name, arguments const& with) {
  auto command = std::string("/proc/self/exe child '") + name + "'";
  char self[4096] = "";
  if (auto const n = ::readlink("/proc/self/exe", self, sizeof self - 1); n > 0)
    command = "'" + std::string(self, static_cast<std::size_t>(n)) + "' child '" + name + "'";
  for (auto const& w : with) command += " '" + w + "'";
  auto* const pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("can't start a process");
  figures all;
  for (double one = 0; std::fscanf(pipe, "%lf", &one) == 1;) all.push_back(one);
  if (::pclose(pipe) != 0 || all.empty()) throw std::runtime_error(name + " has failed");
  return all;
}

/// Medians of each, in the contenders' order.
inline std::vector<figures> compare(std::vector<contender> const& all, int rounds,
                                    std::function<arguments(contender const&)> const& with) {
  std::vector<std::vector<figures>> found(all.size());
  for (int round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < all.size(); ++i) found[i].push_back(in_a_process(all[i].name, with(all[i])));
  std::vector<figures> medians;
  for (auto const& runs : found) {
    auto& m = medians.emplace_back();
    for (std::size_t f = 0; f < runs.front().size(); ++f) {
      std::vector<double> one;
      for (auto const& r : runs) one.push_back(r.at(f));
      m.push_back(median(std::move(one)));
    }
  }
  return medians;
}

/// Where this process is a contender: runs it, prints its figures, and answers true.
inline bool was_child(int argc, char** argv, std::vector<contender> const& all) {
  if (argc < 3 || std::string(argv[1]) != "child") return false;
  for (auto const& c : all)
    if (c.name == argv[2])
      for (double const f : c.run({argv + 3, argv + argc})) fmt::print("{}\n", f);
  return true;
}

}  // namespace contenders
