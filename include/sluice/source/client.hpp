/// \file source/client.hpp  The little that the Kafka source asks of a Kafka client.
///
/// The decisions (source/kafka.hpp) stand above this concept and run against a scripted or simulated client as well;
/// the adapter below it (source/rdkafka_client.hpp) only translates. One thread, except wake().
#pragma once
#include <sluice/source/concept.hpp>

#include <variant>

namespace sluice { inline namespace v0 { namespace client {

/// What the client's main queue has to say.
struct assigned {
  std::vector<topic_partition> set{};
};
struct revoked {
  std::vector<topic_partition> set{};
  bool lost = false;
};
/// Some partition can't be read where it stands: the offset is outside the log. Others come as `trouble`.
struct out_of_range {
  topic_partition of{};
};
/// A failure that needs no action (the client goes on by itself), or is `fatal`: then this client is of no more use.
/// errc::access_denied is the user's to mend.
struct trouble {
  errc code = errc::client_failed;
  std::string text{};
  bool fatal = false;
};
/// The member was put out of the group because it did not poll in time; its partitions are revoked as lost.
struct poll_exceeded {
  std::string text{};
};
using event = std::variant<assigned, revoked, out_of_range, trouble, poll_exceeded>;

struct watermarks {
  offset low{};
  offset high{};
  bool known = false;
};

/// What one take() brought.
struct taken {
  std::size_t count = 0;
  bool out_of_range = false;        ///< the partition's queue said so, behind the messages
  std::string trouble{};            ///< another error of this partition, reported
  errc code = errc::client_failed;  ///< of that
  std::int64_t end = -1;  ///< all before it has been given, and the log ended there; only told for bounded reads
};

/// `poll`: the next event, if one is there; never waits.
/// `assign`: with an eager protocol all that is to be read, and from where; purges what was fetched. With a cooperative
///   one `incremental_assign` and `incremental_unassign`, which takes no partition that was not assigned so; an empty set
///   is an answer to a revocation, too. `cooperative()`: which of the two.
/// `open_queue(of)`: makes ready for reading (forwarding off) *before* assign, and answers a handle for take and limits;
///   `close_queue` lets it go.
/// `wait` ends when a queue goes from empty to not empty: whoever leaves records in one must come again unasked.
/// `take`: what has arrived, never waits. Messages live until release().
/// `limits`: where the partition begins and ends, as last heard of; a `low` of -1 is not known.
/// `reach`: returns once a broker answers.
/// `partition_count`, `ends`, `offsets_at`: ask the brokers. All four throw error(no_broker, login_failed, access_denied,
///   unknown_topic) in time. ends: a leader that is away is not waited for, since the other answers would be, too.
///   offsets_at: the first record at or after `t` in each partition; the end where there is none.
/// `subscribe` takes effect once; with kafka_partitions it isn't called.
/// `spent()`: the client is of no more use. `renew()`: a new one; the old goes to the reaper.
template <class C>
concept kafka_client = requires(
    C& c, C const& cc, std::vector<topic_partition> const& set, std::vector<position> const& from,
    topic_partition const& of, std::string const& topic, std::vector<std::string> const& topics, std::size_t handle,
    std::span<detail::message> out, std::span<detail::message const> back, time_point by, wall_time t, int fd) {
  { c.poll() } -> std::same_as<std::optional<event>>;
  c.subscribe(topics);
  c.assign(from);
  c.incremental_assign(from);
  c.incremental_unassign(set);
  { cc.cooperative() } -> std::same_as<bool>;
  { c.open_queue(of) } -> std::same_as<std::size_t>;
  c.close_queue(handle);
  { c.take(handle, out) } -> std::same_as<taken>;
  c.release(back);
  { cc.access() } -> std::same_as<detail::message_access const*>;
  { cc.limits(handle) } -> std::same_as<watermarks>;
  c.reach(by);
  { c.partition_count(topic, by) } -> std::same_as<std::int32_t>;
  { c.ends(set, by) } -> std::same_as<std::vector<watermarks>>;
  { c.offsets_at(set, t, by) } -> std::same_as<std::vector<offset>>;
  { c.positions() } -> std::same_as<group_positions&>;
  c.wait(by);
  c.wake();
  c.wake_on(fd);
  c.renew();
  { c.close(by) } -> std::same_as<bool>;
};

}}}  // namespace sluice::v0::client
