/// \file source/concept.hpp  What a source must do: offer partitions, start where it is told, hand over records.
///
/// Nothing here is Kafka's: a source is whatever has partitions with offsets and can be read from a given one. A source
/// never decides where to start; it asks its owner (the consumer), who asks the offset store.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/offset_store/concept.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace sluice { inline namespace v0 {

/// A partition that is ours, from a claim until it is revoked, lost, or claimed again.
struct lane {
  topic_partition of{};
  std::uint64_t assignment = 0;  ///< of this process, never used twice: tells a record of now from one of before
  offset next{};                 ///< the next record to hand over
  fence mine{};
  log_state log{};
  bool reading = false;  ///< claimed, checked and being fetched
};

/// Something that was found out about a position, and what was done about it. `retention_near` is a warning: records that are
/// not read yet may soon be removed.
struct position_event {
  topic_partition of{};
  enum cause_t {
    missing,
    truncated,
    out_of_range_low,
    out_of_range_high,
    fingerprint_gone,
    retention_near
  } cause = missing;
  offset stored{};
  offset resumed{};    ///< where reading goes on; equal to `stored` where nothing was changed
  std::string text{};  ///< one sentence
};

/// A rebalance, after it was served.
struct rebalance_event {
  enum what_t { assigned, revoked, lost } what = assigned;
  std::vector<topic_partition> partitions{};
};

/// What a source asks of its owner while it serves its group. Calls come on the thread that called serve().
class source_owner {
 public:
  /// Claims from the store; also tells the observer. Never throws for a store that is down: the answers say `failed`.
  virtual std::vector<claimed> claim(std::vector<topic_partition> const& set, start_resolver& resolve) = 0;
  virtual std::vector<claimed> record(std::vector<rewind> const& rewinds) = 0;
  /// Until when whatever is asked now may keep step() waiting.
  virtual time_point by() = 0;
  /// The lanes are about to go: drop what is in hand of them, give the claims back (not where `lost`).
  virtual void giving_up(std::vector<lane> const& lanes, bool lost) = 0;
  /// Records of it were handed over, and are not done with.
  virtual bool in_hand(topic_partition const& of) const = 0;
  /// Where the user wants this partition to go on, if he has said so since it was asked last.
  virtual std::optional<offset> sought(topic_partition const& of) = 0;
  virtual void found(position_event const& e) = 0;
  virtual void rebalanced(rebalance_event const& e) = 0;
  /// Something failed that mends itself, or will be tried again; fatal failures are thrown by serve().
  virtual void troubled(errc code, std::string const& text) = 0;
  /// The group has put us out since a batch took too long: the next ones had better be smaller.
  virtual void put_out(std::string const& text) = 0;

 protected:
  ~source_owner() = default;
};

/// Positions that the source's group keeps beside ours: Kafka's committed offsets, with a short text for each.
/// A store may live in them (kafka_offsets); others mirror their progress there so that monitors see it.
struct group_position {
  topic_partition of{};
  offset next{};
  std::string note{};
  bool there = false;   ///< on reading: something was stored
  bool failed = false;  ///< on reading: no answer for this one
};

class group_positions {
 public:
  /// An answer for each; throws store_error(store_unavailable) where none came in time.
  virtual std::vector<group_position> read(std::vector<topic_partition> const& set, time_point by) = 0;
  /// Waits for the answer: one outcome for each. `unknown` means none came by `by`: the caller must see to it that
  /// abandon() is called before anything else is stored.
  virtual std::vector<outcome> store(std::vector<group_position> const& set, time_point by) = 0;
  /// In the background, best effort: at most one request in flight, newer positions replace those that wait.
  virtual void store_later(std::vector<group_position> const& set) = 0;
  /// True when nothing of store_later is waiting or in flight; `failed` gets what the last one failed with, or is empty.
  virtual bool settled(std::string& failed) = 0;
  /// The client that has an unanswered request is thrown away, with all that it queued; all partitions are lost, and
  /// claimed again.
  virtual void abandon() = 0;
  /// librdkafka's serialised group metadata, for transactions; empty where there is no membership.
  virtual std::string group_metadata() = 0;

 protected:
  ~group_positions() = default;
};

namespace detail {

/// Messages one after another. Keeps its memory from batch to batch, and never writes over it for nothing.
template <class Message>
class list_of {
  std::vector<Message> room_{};
  std::size_t size_ = 0;

 public:
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Message const* data() const { return room_.data(); }
  Message const& back() const { return room_[size_ - 1]; }
  std::span<Message const> all() const { return {room_.data(), size_}; }
  /// Room for `n` more, to be written; then keep() says how many of them were.
  std::span<Message> room_for(std::size_t n) {
    if (room_.size() < size_ + n) room_.resize(std::max(size_ + n, 2 * room_.size()));
    return {room_.data() + size_, n};
  }
  void keep(std::size_t n) { size_ += n; }
  void erase(std::size_t first, std::size_t n) {
    std::copy(room_.begin() + static_cast<std::ptrdiff_t>(first + n),
              room_.begin() + static_cast<std::ptrdiff_t>(size_), room_.begin() + static_cast<std::ptrdiff_t>(first));
    size_ -= n;
  }
  void clear() { size_ = 0; }
};
using message_list = list_of<message>;

}  // namespace detail

/// Messages in hand: those of all parts one after another.
struct intake {
  detail::message_list messages{};
  std::vector<detail::part> parts{};  ///< begin and end are set once all is taken
  std::vector<std::size_t> lanes{};   ///< of each part: which of lanes(), as they are at the time of take
  std::vector<std::size_t> counts{};  ///< messages of each part
  std::size_t bytes = 0;
};

/// `open`: finds out whether what is to be read is there; throws error. Called once, from the consumer's constructor.
/// `serve`: hears the group's news and acts on them, claims again what is due; never waits for news. Throws error.
/// `lanes`: the partitions that are ours; the span changes only inside serve, reclaim and reposition.
/// `lag_of(i)`: how far lane i's end is ahead of lanes()[i].next, where known.
/// `take`: appends what has arrived, at most quota[i] of lane i, about max_bytes; sets counts[i] for each lane taken.
/// `give_back`: releases the messages; the memory behind keys and values is gone.
/// `reclaim`: this lane's claim does not hold any more: claim it again, later by `after`.
/// `reposition`: read on from what was recorded.
/// `next_due`: when serve() has something to do by itself.
/// `wait`: until there is something to do, `until` is reached, or wake() is called.
///
/// Where it has them: `advanced(move)`: that far is stored, and won't be asked for again. `finished()`: every lane has come to
/// the end that was asked for, and all of it was taken. `left_behind()`, after close: how many records it had received that
/// nobody can be given any more. `give_back(messages, part)`: the same, for a source that must know
/// whose they are.
template <class S>
concept source_runtime =
    requires(S& s, S const& cs, source_owner& owner, std::span<std::size_t const> quota, std::size_t n, intake& in,
             topic_partition const& of, claimed const& c, time_point t, int fd, std::chrono::milliseconds ms) {
      s.serve(owner, t);
      { cs.lanes() } -> std::same_as<std::span<lane const>>;
      { cs.lag_of(n) } -> std::same_as<std::optional<std::int64_t>>;
      s.take(quota, n, n, in);
      s.open(t);
      s.give_back(in);
      s.reclaim(of, t);
      s.reposition(c);
      { s.next_due() } -> std::same_as<std::optional<time_point>>;
      s.wait(t);
      s.wake();
      s.wake_on(fd);
      { s.close(ms) } -> std::same_as<bool>;
    };

/// A source whose partitions a group shares out, and that keeps positions for it: stores may live there, others show their
/// progress there. A source's policy says `has_group = false` where its runtime is none of these.
template <class S>
concept grouped_source = source_runtime<S> && requires(S& s) {
  { s.positions() } -> std::same_as<group_positions&>;
};

namespace detail {
/// The name under which a source's positions are kept.
template <class Source>
std::string group_of(Source const& s) {
  if constexpr (requires { Source::group_of(s); })
    return Source::group_of(s);
  else
    return s.group;
}
}  // namespace detail

}}  // namespace sluice::v0
