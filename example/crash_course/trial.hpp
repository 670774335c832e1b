/// One course, run to its end: two children of one group, killed and started again, until the stream is through.
#pragma once
#include "protocol.hpp"

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <set>
#include <stop_token>
#include <string>

namespace crash_course {

/// What the parent saw with its own eyes: whom it killed where, what these had in hand, how often the group rebalanced.
struct seen {
  std::array<int, killing_places> kills{};
  int rebalances = 0;          ///< as counted by the child that was given the most assignments
  int rebalances_in_hand = 0;  ///< met a child that held a batch
  std::vector<range> in_flight{};
  std::string failure{};  ///< why the course could not be run to its end

  int all_kills() const { return kills[0] + kills[1] + kills[2] + kills[3]; }
};

/// Read by another thread while the trial runs.
struct progress {
  std::atomic<int> kills = 0;
  std::atomic<std::int64_t> stored = 0;
  std::atomic<char const*> doing = "starting";
};

class trial {
  using clock = std::chrono::steady_clock;
  struct child {
    std::int32_t number = 0;
    pid_t pid = -1;
    int marks = -1;
    int orders = -1;
    int assignments = 0;
    bool ready = false;
    bool held = false;
    bool done = false;
    enum { not_now, holding, behind_it } watched = not_now;  // was held with a batch while the group was changing
    said last = said::ready;
    std::set<std::int32_t> owns{};
    std::vector<range> in_hand{};
  };

  course course_;
  setup setup_;
  int wanted_;
  std::mt19937 random_;
  std::stop_token stop_;
  progress& progress_;
  std::array<child, 2> children_{};
  std::vector<std::int64_t> stored_;
  seen seen_{};
  clock::time_point end_{};
  double share_ = 0;
  int longest_delay_us_ = 3000;
  int rounds_ = 0;

 public:
  /// `seed` decides who dies where and when. `stop` ends it early; the children are killed in any case.
  trial(course const& c, setup s, int kills, unsigned seed, std::stop_token stop, progress& p);
  trial(trial const&) = delete;
  ~trial();

  /// Doesn't throw; what went wrong stands in `failure`.
  seen run() noexcept;

 private:
  void run_to_the_end();
  void start(child& c);
  void end(child& c);
  void hear(std::chrono::milliseconds timeout);
  void hear(child& c, mark const& m);
  bool wait(std::chrono::milliseconds limit, std::function<bool()> const& until);
  void tell(child const& c, order const& o) const;
  void raise(double by);
  void round();
  void kill(child& c, place where);
  place killed_at(said last) const;
  place next_place();
  int quota() const;
  bool enough() const;
  int pick(int from, int to) { return std::uniform_int_distribution<int>{from, to}(random_); }
  bool both_read() const;
  std::int64_t all_stored() const;
  std::int64_t all() const;
};

}  // namespace crash_course
