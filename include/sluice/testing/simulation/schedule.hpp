/// \file testing/simulation/schedule.hpp  What a schedule is to try, and what the world keeps of processes and their threads.
#pragma once
#include <sluice/clock.hpp>
#include <sluice/offset.hpp>
#include <sluice/testing/simulation/fault.hpp>
#include <sluice/testing/simulation/fibre.hpp>
#include <sluice/testing/simulation/random.hpp>

#include <deque>
#include <limits>
#include <stdexcept>

namespace sluice { inline namespace v0 { namespace testing {

/// What is to be tried. The same plan always gives the same trace.
struct schedule {
  static constexpr int most_processes = 8, most_partitions = 8, most_records = 2000;

  std::uint64_t seed = 1;
  int processes = 2;
  int partitions = 2;
  int records = 50;
  /// With log_faults (retention, truncation, recreation, compaction, partitions added) positions are lost, and a store's record() has its turn.
  fault_set faults = all_faults & ~log_faults;
  std::uint32_t most_faults = 10;  ///< then they stop
  std::uint32_t rate = 30;         ///< how often something goes wrong; 30 is usual
  bool replay = false;             ///< only `decisions` go wrong, whatever the seed would have had
  std::vector<decision> decisions{};
  bool cooperative = false;  ///< how the group rebalances
  std::uint32_t most_points = 50'000;
  std::uint32_t lines = 80;  ///< of the trace, where something is broken

  /// Throws std::invalid_argument.
  void check() const {
    auto const within = [](char const* what, int n, int least, int most) {
      if (n < least || n > most)
        throw std::invalid_argument(std::string{"schedule."} + what + " is " + std::to_string(n) + ": take " +
                                    std::to_string(least) + " to " + std::to_string(most));
    };
    within("processes", processes, 1, most_processes);
    within("partitions", partitions, 1, most_partitions);
    within("records", records, 0, most_records);
  }
};

namespace simulated {

enum class phase { faulting, healing, stopping };

/// What lives around the scheduler: brokers, stores, the program that processes run.
class surroundings {
 public:
  virtual void main(int process) = 0;
  virtual void silent(int process) = 0;        ///< stands still, or is dead
  virtual void speaks(int process) = 0;        ///< goes on
  virtual bool happen(decision const& d) = 0;  ///< a fault of the world: whether it hit anything
  virtual bool busy(int process) const = 0;    ///< has records in hand
  virtual void look_around() = 0;              ///< between two steps of processes

 protected:
  ~surroundings() = default;
};

inline constexpr std::int64_t ms = 1000, seconds = 1000 * ms;
inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

/// An eventfd of a process.
struct descriptor {
  int process = -1;  ///< -1: free
  std::int32_t life = 0;
  std::uint64_t count = 0;
};

struct scheduled_process {
  arena* memory = nullptr;
  std::int32_t life = 0;
  std::uint32_t calls = 0;
  bool in_call = false;
  std::int64_t silent_since = -1, still_until = 0;
  std::int64_t wall_off = 0;
  std::int64_t stalled = 0;  ///< so far its monotonic clock is behind the world's time
  bool jump_unmet = false;
};
/// A thread of a process: its first one has the process's number.
struct scheduled_thread {
  enum state_t { ready, asleep, dead, ended } state = ended;
  std::array<fibre, 2> stacks{};  // in turn: the one that it died on is in use until something else runs
  std::size_t turn = 0;
  int of = -1;
  std::int64_t wake_at = 0;
  bool listening = false;          // news wake it
  void const* waits_on = nullptr;  // what wakes it
  bool to_be_joined = false;
  void* (*run)(void*) = nullptr;
  void* argument = nullptr;
};

inline std::int64_t some_ms(chance& ill) {
  switch (ill.below(4)) {
    case 0:
      return ill.between(1, 40) * ms;
    case 1:
      return ill.between(50, 4000) * ms;
    case 2:
      return ill.between(4, 13) * seconds;
    default:
      return ill.between(11, 45) * seconds;
  }
}
/// With some µs, so that it will do for other choices, too.
inline std::int64_t some_time(chance& ill) { return some_ms(ill) + ill.below(1000); }

}  // namespace simulated
}}}  // namespace sluice::v0::testing
