/// \file testing/simulation/trace.hpp  What happened in a schedule, step by step: to be compared, hashed, and read by a person.
#pragma once
#include <sluice/testing/simulation/fault.hpp>
#include <sluice/testing/simulation/memory.hpp>

#include <cstdio>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// One line. `what` is a literal; `a` and `b` are offsets or counts, as `what` has it.
struct step {
  std::int64_t at_us = 0;
  std::int32_t process = -1;
  std::int32_t life = 0;
  char const* what = "";
  std::int32_t partition = -1;
  fault wrong = fault::none;
  std::int64_t a = 0, b = 0;
};

class trace {
  list<step> steps_{};
  std::uint64_t hash_ = 0xcbf29ce484222325u;

  void mix(std::uint64_t v) { hash_ = (hash_ ^ v) * 0x100000001b3u ^ (hash_ >> 29); }

 public:
  void clear() {
    steps_.clear();
    hash_ = 0xcbf29ce484222325u;
  }
  void add(step const& s) {
    steps_.push_back(s);
    mix(static_cast<std::uint64_t>(s.at_us));
    mix(static_cast<std::uint64_t>(s.process) << 32 ^ static_cast<std::uint64_t>(s.life));
    for (auto const* c = s.what; *c; ++c) mix(static_cast<unsigned char>(*c));
    mix(static_cast<std::uint64_t>(s.partition) << 8 ^ static_cast<std::uint64_t>(s.wrong));
    mix(static_cast<std::uint64_t>(s.a));
    mix(static_cast<std::uint64_t>(s.b));
  }
  std::uint64_t hash() const { return hash_; }
  std::size_t size() const { return steps_.size(); }

  /// The last `n` lines.
  std::string tail(std::size_t n) const {
    std::string s;
    for (auto i = steps_.size() > n ? steps_.size() - n : 0; i < steps_.size(); ++i) s += line(steps_[i]);
    return s;
  }

 private:
  static std::string line(step const& s) {
    char who[24] = "world";
    if (s.process >= 0) std::snprintf(who, sizeof who, "p%d.%d", static_cast<int>(s.process), static_cast<int>(s.life));
    char where[16] = "";
    if (s.partition >= 0) std::snprintf(where, sizeof where, "/%d", static_cast<int>(s.partition));
    char out[200];
    std::snprintf(out, sizeof out, "%12.3f ms  %-6s %-18s%-3s %6lld %6lld %s%s\n", static_cast<double>(s.at_us) / 1000,
                  who, s.what, where, static_cast<long long>(s.a), static_cast<long long>(s.b),
                  s.wrong == fault::none ? "" : "  <- ",
                  s.wrong == fault::none ? "" : fault_names[static_cast<std::size_t>(s.wrong)]);
    return out;
  }
};

}}}}  // namespace sluice::v0::testing::simulated
