/// \file offset_store/concept.hpp  What an offset store must do: claim, advance under a fence, settle, record rewinds.
///
/// A store keeps for each (group, topic, partition): the next offset, the fence of its owner, the incarnation of the log,
/// and where the last consumed record stood and what it looked like. For each (group, topic): one topic record, the
/// number of partitions known. Time limits are absolute (`by`); a call returns soon after. One thread.
///
/// A failure that the store can name throws store_error (unavailable, full, damaged); a lost or late answer is
/// outcome::unknown and never an exception.
#pragma once
#include <sluice/error.hpp>
#include <sluice/offset.hpp>
#include <sluice/policy.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice { inline namespace v0 {

/// Who may advance a partition: made anew by every claim, compared as a whole. `turn` counts claims; the random
/// `nonce` tells apart two owners that a store restored from a backup gave the same turn.
struct fence {
  std::uint64_t turn = 0;
  std::uint64_t nonce = 0;
  friend bool operator==(fence const&, fence const&) = default;
};

/// A record that was consumed: where it stood, and a hash of its bytes.
struct fingerprint {
  offset of{};
  std::uint64_t hash = 0;
  friend bool operator==(fingerprint const&, fingerprint const&) = default;
};

/// Which life of the log the offset belongs to. `incarnation` starts as the wall clock in ms and only grows.
struct log_state {
  std::int64_t incarnation = 0;
  /// -1: not known. A source that is not Kafka keeps a number here that tells its log from another one of the same name.
  std::int32_t leader_epoch = -1;
  std::optional<fingerprint> last{};
  friend bool operator==(log_state const&, log_state const&) = default;
};

/// Where a group starts in a topic: an offset for each of its partitions.
struct topic_start {
  std::string topic{};
  std::vector<offset> starts{};  ///< index: partition
};

/// Where a partition starts that was never claimed. May throw error; asks the brokers.
class start_resolver {
 public:
  virtual topic_start start_of(std::string const& topic, time_point by) = 0;
  virtual offset earliest(topic_partition const& of, time_point by) = 0;

 protected:
  ~start_resolver() = default;
};

/// The answer to a claim, for one partition.
struct claimed {
  enum what_t {
    stored,   ///< resumes at `next`
    first,    ///< the topic's first claim by this group; its starts are durable now
    added,    ///< a partition beyond the known number: from its earliest
    missing,  ///< the topic is known, this partition's position is gone
    foreign,  ///< last kept in another local store: `why` names it
    busy,     ///< another one is making the first claim, or holds the store; try again
    failed    ///< `why`; try again
  };
  topic_partition of{};
  offset next{};
  log_state log{};
  fence mine{};
  what_t what = failed;
  std::string why{};
};

/// One partition's part of an advance: stored if and only if the store's position is `from` and its fence is `mine`.
struct move {
  topic_partition of{};
  offset from{};
  offset until{};
  fence mine{};
  log_state log{};  ///< as it is to be stored: the incarnation unchanged, `last` within the range
};

enum class outcome {
  applied,   ///< durable; also where it turned out to have been applied before (position == until under my fence)
  refused,   ///< not applied and never will be
  unknown,   ///< may be applied, or may yet be
  postponed  ///< not applied; the same advance may be tried again once the group's news have been heard
};

/// A recorded jump of a position: the only way for it to go back. Stored if the fence is `mine`.
struct rewind {
  topic_partition of{};
  offset to{};
  fence mine{};
  std::string cause{};  ///< "seek", "out of range", "recreated", …
};

/// Which kind of fence a store has, so which contract tests apply to it.
enum class fencing { none, group, compare_and_set };

/// `claim`: an answer for each of `set`, in its order. The first claim of (group, topic) stores the starts of all
///   partitions before it returns. Each claim makes a new fence, for `missing` too: record() puts such a position back.
///   Position and fence are of one moment. A store may answer from an older state (a replica, a server that was cut off) if the
///   fence that it answers does not hold where advances are compared; an older position under a fence that holds is none:
///   "applied before" would be said of what another owner has stored.
/// `advance`: an answer for each move, in order; the span is valid until the next call. One round trip where the store can.
/// `settle`: the same moves again after `unknown`; `applied` or `refused` is final, `unknown` is not. Never throws for a
///   store that is down.
/// `record`: makes each rewind durable with its cause; a new fence, and incarnation = max(stored + 1, wall clock in ms).
///   Answers `stored`, or `failed` under a fence that is no longer the owner's.
/// `release`: gives the partitions back, conditional on the fence, best effort. A claim's `next` and `log` may be ahead of
///   what is stored, by a batch that was taken and not handled: nothing of them is stored.
/// `local_id`: for a store that other hosts can't reach, a random id that lives in it.
template <class S>
concept offset_store = requires(S& s, std::string const& group, std::vector<topic_partition> const& set,
                                start_resolver& resolve, std::span<move const> moves,
                                std::vector<rewind> const& rewinds, std::vector<claimed> const& claims, time_point by) {
  { s.claim(group, set, resolve, by) } -> std::same_as<std::vector<claimed>>;
  { s.advance(moves, by) } -> std::same_as<std::span<outcome const>>;
  { s.settle(moves, by) } -> std::same_as<std::span<outcome const>>;
  { s.record(rewinds, by) } -> std::same_as<std::vector<claimed>>;
  s.release(claims, by);
  { s.local_id() } -> std::same_as<std::optional<std::string>>;
  { S::durable_at_advance } -> std::convertible_to<bool>;
  { S::fencing } -> std::convertible_to<sluice::fencing>;
};

/// A store whose advance can be one transaction with the handler's results. Exactly one transaction is open between
/// begin and commit or rollback. `begin` throws store_error where it can't be had in time. `advance` inside it answers
/// as above, but `refused` where the move was applied before: its results must not be doubled. Nothing holds until commit
/// says `applied`. `commit` `refused`: rolled back, run the batch again.
/// After `unknown`, settle(moves) tells.
/// A store that keeps what the handler writes until the commit may throw error(bad_statement) there: rolled back, and the
/// handler's failure. Where its transaction has `follow(cursor const&)`, and the store `failed_at()`, each() knows which record's.
template <class S>
concept transactional_store =
    offset_store<S> && requires(S& s, typename S::transaction& tx, std::span<move const> moves, time_point by) {
      { s.begin(moves, by) } -> std::same_as<typename S::transaction&>;
      { s.advance(tx, moves, by) } -> std::same_as<std::span<outcome const>>;
      { s.commit(tx, by) } -> std::same_as<outcome>;
      { s.rollback(tx) } noexcept;
    };

}}  // namespace sluice::v0
