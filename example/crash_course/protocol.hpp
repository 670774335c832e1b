/// What the parent and its children say to each other over two pipes: marks go up, orders come down.
///
/// Both ends are the same program, so what goes over a pipe is a plain struct, written whole (shorter than PIPE_BUF).
#pragma once
#include <sluice/offset.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crash_course {

namespace sl = sluice;

inline constexpr std::int32_t partitions = 4;
inline constexpr std::size_t batch_size = 20;
inline constexpr std::array<char const*, 2> child_names{"A", "B"};

/// Where a child can be killed. At `hand` nobody is: there a child waits with a batch that it took and has not begun.
enum class place : std::uint8_t { handler, between, store, batches, hand };
inline constexpr std::size_t killing_places = 4;

enum class said : std::uint8_t {
  ready,      ///< the consumer is made
  claimed,    ///< ranges: from where a partition is read
  assigned,   ///< ranges: all partitions of a rebalance
  revoked,    ///< or lost
  handling,   ///< the handler begins; ranges: what is in hand
  handled,    ///< … and has returned
  advancing,  ///< the store is asked; ranges: what is in hand
  advanced,   ///< … and has answered; ranges: what it stored
  idle,       ///< between two batches
  held,       ///< waits at the place that it was ordered to
  done        ///< finished, and closed
};

struct range {
  std::int32_t partition = 0;
  std::int64_t from = 0;
  std::int64_t until = 0;
};

struct mark {
  said what = said::ready;
  std::uint8_t count = 0;
  std::array<range, partitions> ranges{};

  void add(range r) {
    if (count < ranges.size()) ranges[count++] = r;
  }
};

struct order {
  enum what_t : std::uint8_t {
    level,  ///< read on, up to `share` of each partition
    hold,   ///< wait at `where`, having passed it `after` times
    go,     ///< go on from there
    finish  ///< drain, close and end
  } what = level;
  place where = place::handler;
  std::int32_t after = 0;
  double share = 0;
};

/// One course: a delivery, or a control that gets the order wrong on purpose.
struct course {
  std::string_view name{};   ///< as `--only` takes it
  std::string_view store{};  ///< where no other one is asked for
  bool stores_first = false;
  enum promise_t { at_most_once, at_least_once, last_request_of_each, exactly_once } promise = at_least_once;
  enum control_t { none, must_lose, must_double } control = none;
};

inline constexpr std::array<course, 6> courses{{
    {"at_most_once", "sqlite", true, course::at_most_once},
    {"at_least_once", "kafka", false, course::at_least_once},
    {"idempotent", "kafka", false, course::last_request_of_each},
    {"transactional", "sqlite", false, course::exactly_once},
    {"control_loses", "stores, then handles", true, course::at_least_once, course::must_lose},
    {"control_doubles", "handles, then stores", false, course::at_most_once, course::must_double},
}};

/// What a child is told on its command line.
struct setup {
  std::string course{};
  std::string folder{};  ///< of this course: log, tables, offsets
  std::string brokers{};
  std::string topic{};
  std::string group{};
  std::string store{};
  std::string address{};  ///< of the store's server; empty: it has none
  std::int32_t child = 0;
  std::int32_t session_ms = 2500;
  std::int32_t parent = 0;            ///< its process id
  std::vector<std::int64_t> sizes{};  ///< records of each partition
  std::string log() const { return folder + "/handled.log"; }
  std::string results() const { return folder + "/results.db"; }
  std::string offsets() const { return folder + "/offsets.db"; }
};

}  // namespace crash_course
