/// \file testing/simulation/fault.hpp  What can go wrong in a simulated world, where, and how it is written down to be replayed.
#pragma once
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice { inline namespace v0 { namespace testing {

/// Every call from a process to the outside is one of these, and a point where something may happen.
enum class call : std::uint8_t {
  boot,
  wait,
  poll,
  join,
  assign,
  take,
  count,
  ends,
  read,
  commit,
  leave,
  renew,  // the Kafka client
  claim,
  create,
  advance,
  settle,
  record,
  give_up,
  begin,
  weigh,
  finish,
  rollback,  // the offset store
  handle,
  effect,
  write,
  request,
  rest,   // the program
  state,  // rows of a state, in a transaction
  look,
  put,
  change,
  sync,  // files
  lock,  // a file, or memory that processes share
  world  // no process: what happens by itself
};
inline constexpr std::size_t calls = static_cast<std::size_t>(call::world) + 1;
inline constexpr std::array<char const*, calls> call_names{
    "boot",   "wait",  "poll",   "join",     "assign", "take",    "count",  "ends",    "read",
    "commit", "leave", "renew",  "claim",    "create", "advance", "settle", "record",  "give_up",
    "begin",  "weigh", "finish", "rollback", "handle", "effect",  "write",  "request", "rest",
    "state",  "look",  "put",    "change",   "sync",   "lock",    "world"};

enum class fault : std::uint8_t {
  none,
  // of a process, at any call
  crash_before,
  crash_after,  ///< killed: before the call did anything, or with its answer on the way
  pause_before,
  pause_after,  ///< stands still, perhaps longer than its session: before the call, or before its answer
  stall,        ///< stands still, and its monotonic clock with it, as that of a machine that is suspended
  // of a store's call, or of a commit to the group
  unavailable,  ///< answers that it can't
  lost,         ///< the request never arrives; no answer
  unheard,      ///< done, and the answer is lost
  late,         ///< no answer, and the request is carried out some time later
  twice,        ///< carried out, and once more later
  refused,      ///< not done, though it could have been
  partly,       ///< some partitions answered, the others' answers lost
  busy,         ///< claims: somebody else is at it; rows of state: another transaction was quicker
  held,         ///< a commit waits in the client, and is sent later in the name of whoever it is then
  postponed,    ///< a commit comes while the group rebalances
  stale,        ///< claims: an older state answers, where nothing that is claimed counts: a replica, a server cut off
  // of a Kafka client's call
  no_broker,   ///< no answer from any broker
  leaderless,  ///< the ends of a partition are not known
  again,       ///< records come that were fetched before
  trouble,     ///< a partition's queue tells of an error
  twin,  ///< a member comes under the name of one that is alive, which must begin anew: step() throws errc::fenced
  // of a handler
  throws,
  slow,
  // of the world
  rebalance,
  wall_jump,
  retention,
  truncation,
  recreation,
  compaction,
  added,
  outage,
  new_leader,  ///< another broker leads a partition: nobody answers for it until then
  moved,       ///< another broker becomes the group's coordinator, and has to load it: nobody is answered until then
  stuck,       ///< somebody else's transaction stays open, and readers of committed records come no further
  store_down,
  // of a disk
  full,        ///< there is no room: a part may have been written
  power_loss,  ///< all processes are gone, and any part of what was not synced
  bit_flip,    ///< what was synced, and others behind it, is read otherwise
  cut          ///< what was synced has lost its end
};
inline constexpr std::size_t faults = static_cast<std::size_t>(fault::cut) + 1;
inline constexpr std::array<char const*, faults> fault_names{
    "none",       "crash_before", "crash_after", "pause_before", "pause_after", "stall",     "unavailable",
    "lost",       "unheard",      "late",        "twice",        "refused",     "partly",    "busy",
    "held",       "postponed",    "stale",       "no_broker",    "leaderless",  "again",     "trouble",
    "twin",       "throws",       "slow",        "rebalance",    "wall_jump",   "retention", "truncation",
    "recreation", "compaction",   "added",       "outage",       "new_leader",  "moved",     "stuck",
    "store_down", "full",         "power_loss",  "bit_flip",     "cut"};

/// Sets of faults are bits.
using fault_set = std::uint64_t;
static_assert(faults <= 64);
constexpr fault_set only(fault f) { return fault_set{1} << static_cast<unsigned>(f); }
constexpr bool has(fault_set s, fault f) { return (s & only(f)) != 0; }
inline constexpr fault_set all_faults = ~only(fault::none);
/// It happens to the process, and not to what it has asked for.
constexpr bool is_of_process(fault f) { return f <= fault::stall; }
/// After these the log is not what it was: promises hold as far as position_error and out_of_range say.
inline constexpr fault_set log_faults = only(fault::retention) | only(fault::truncation) | only(fault::recreation) |
                                        only(fault::compaction) | only(fault::added);
/// Of programs with files on a simulated disk alone.
inline constexpr fault_set disk_faults =
    only(fault::full) | only(fault::power_loss) | only(fault::bit_flip) | only(fault::cut);

/// What takes more than one fault, and is counted beside them.
enum class meeting : std::uint8_t {
  late_claim,    ///< the claim of a process that was put out of the group comes after its successor's
  claim_down,    ///< a claim while the store is down
  back_in_time,  ///< a member with a name is gone, and back before its session ends: it has what it had
  hangs          ///< a handler goes on after its member was put out of the group since it did not poll
};
inline constexpr std::size_t meetings = 4;
inline constexpr std::array<char const*, meetings> meeting_names{"late_claim", "claim_down", "back_in_time", "hangs"};

/// What may go wrong at a call.
constexpr fault_set faults_of(call c) {
  using enum fault;
  constexpr auto process =
      only(crash_before) | only(crash_after) | only(pause_before) | only(pause_after) | only(stall);
  constexpr auto request = process | only(unavailable) | only(lost) | only(unheard);
  switch (c) {
    case call::boot:
    case call::poll:
    case call::assign:
    case call::leave:
    case call::renew:
    case call::weigh:
    case call::rollback:
    case call::rest:
    case call::wait:
    case call::lock:
      return process;
    case call::join:
      return process | only(twin);
    case call::take:
      return process | only(again) | only(trouble);
    case call::count:
      return process | only(no_broker);
    case call::ends:
      return process | only(no_broker) | only(leaderless);
    case call::read:
      return process | only(unavailable) | only(moved);
    case call::look:
    case call::sync:
      return process | only(unavailable);
    case call::commit:
      return process | only(lost) | only(unheard) | only(late) | only(held) | only(postponed) | only(partly) |
             only(moved);
    case call::claim:
      return request | only(busy) | only(stale);
    case call::state:
      return process | only(unavailable) | only(busy);
    case call::create:
    case call::record:
    case call::begin:
      return request;
    case call::advance:
      return request | only(late) | only(twice) | only(refused) | only(partly);
    case call::settle:
      return process | only(lost) | only(unheard);
    case call::give_up:
      return process | only(unavailable);
    case call::finish:
      return request | only(late) | only(refused);
    case call::handle:
      return process | only(slow) | only(throws);
    case call::effect:
      return process | only(throws);
    case call::write:
      return process | only(throws) | only(late);
    case call::request:
      return process | only(lost) | only(unheard) | only(late) | only(twice);
    case call::put:
    case call::change:
      return process | only(unavailable) | only(full);
    case call::world:
      return only(power_loss) | only(bit_flip) | only(cut) | only(rebalance) | only(wall_jump) | only(retention) |
             only(truncation) | only(recreation) | only(compaction) | only(added) | only(outage) | only(new_leader) |
             only(moved) | only(stuck) | only(store_down);
  }
  return 0;
}

/// How much more often something goes wrong there than elsewhere.
constexpr std::uint32_t weight_of(call c) {
  switch (c) {
    case call::advance:
    case call::commit:
    case call::finish:
    case call::claim:
    case call::record:
    case call::join:
      return 30;
    case call::settle:
    case call::create:
    case call::begin:
    case call::weigh:
    case call::handle:
    case call::assign:
    case call::read:
    case call::request:
      return 15;
    case call::world:
      return 1;
    default:
      return 5;
  }
}

/// One fault of a schedule: at which call of which process (counted from the schedule's beginning; -1: the world), what,
/// and how much of it.
struct decision {
  std::int32_t process = 0;
  std::uint32_t at = 0;
  fault what = fault::none;
  std::int64_t amount = 0;
  friend bool operator==(decision const&, decision const&) = default;
};

/// `process:at:what:amount`, separated by commas.
inline std::string to_string(std::vector<decision> const& all) {
  std::string s;
  for (auto const& d : all) {
    if (!s.empty()) s += ',';
    s += std::to_string(d.process) + ':' + std::to_string(d.at) + ':' + fault_names[static_cast<std::size_t>(d.what)] +
         ':' + std::to_string(d.amount);
  }
  return s;
}

/// False where the text is none.
inline bool read(std::string_view s, std::vector<decision>& all) {
  auto const piece = [&s](char end) {
    auto const n = s.find(end);
    auto const p = s.substr(0, n);
    s.remove_prefix(n == s.npos ? s.size() : n + 1);
    return p;
  };
  auto const number = [](std::string_view t, auto& value) {
    return std::from_chars(t.data(), t.data() + t.size(), value).ptr == t.data() + t.size() && !t.empty();
  };
  while (!s.empty()) {
    decision d;
    bool const place = number(piece(':'), d.process) && number(piece(':'), d.at);
    auto const name = piece(':');
    std::size_t f = 1;
    while (f < faults && fault_names[f] != name) ++f;
    if (!place || f == faults || !number(piece(','), d.amount)) return false;
    d.what = static_cast<fault>(f);
    all.push_back(d);
  }
  return true;
}

}}}  // namespace sluice::v0::testing
