/// \file source/kafka_config.hpp  The two Kafka sources as a user configures them: subscribed, or assigned by hand.
#pragma once
#include <sluice/access_token.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/error.hpp>
#include <sluice/offset.hpp>
#include <sluice/policy.hpp>
#include <sluice/source/read_until.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice { inline namespace v0 {

template <class Late>
class basic_rdkafka_client;
using rdkafka_client = basic_rdkafka_client<void>;
template <class Client>
class kafka_source;

/// Where a group starts in a topic that it has no position in. Everywhere else the offset store decides.
class start_at {
 public:
  enum what_t { at_earliest, at_latest, at_offset, at_time, nowhere };

 private:
  what_t what_ = at_earliest;
  sluice::offset offset_{};
  wall_time time_{};
  constexpr explicit start_at(what_t what, sluice::offset o = {}, wall_time t = {})
      : what_(what), offset_(o), time_(t) {}

 public:
  static start_at const earliest;
  static start_at const latest;
  /// Throws error(no_position) where nothing is stored: a group whose name was mistyped must not replay a year.
  static start_at const must_exist;
  /// The same offset in each partition.
  static constexpr start_at at(sluice::offset o) { return start_at{at_offset, o}; }
  /// The first record written at `t` or later; the end where there is none.
  static constexpr start_at since(std::chrono::system_clock::time_point t) {
    return start_at{at_time, {}, std::chrono::floor<std::chrono::milliseconds>(t)};
  }
  constexpr what_t what() const { return what_; }
  constexpr sluice::offset offset() const { return offset_; }
  constexpr wall_time time() const { return time_; }
};
inline constexpr start_at start_at::earliest{at_earliest};
inline constexpr start_at start_at::latest{at_latest};
inline constexpr start_at start_at::must_exist{nowhere};

/// The stored offset lies outside the log (retention has overtaken it, or the log is shorter).
enum class out_of_range {
  nearest,  ///< go on at the nearest end, recorded and reported
  stop      ///< step() throws error(out_of_range)
};

/// The stored position is gone, or other bytes stand where the last record was consumed.
enum class position_error {
  stop,      ///< step() throws error(position_missing) or error(position_truncated)
  earliest,  ///< go on at the start of the log, recorded and reported
  nearest    ///< go on as near to the stored offset as the log allows, recorded and reported
};

/// Reads topics as a member of a consumer group: Kafka spreads the partitions over the group's members.
struct kafka {
  using slot = source_slot;
  using must_be_configured = void;
  using runtime = kafka_source<rdkafka_client>;

  std::string brokers{};  ///< "host:port,host:port"
  std::string group{};    ///< whose members share the partitions; positions are kept under this name
  std::vector<std::string> topics{};
  std::string pattern{};            ///< instead of topics: a regular expression for the whole name
  std::optional<start_at> start{};  ///< absent: earliest
  out_of_range on_out_of_range = out_of_range::nearest;
  position_error on_position_error = position_error::stop;
  std::size_t max_buffered = 256 << 20;  ///< bytes fetched ahead, over all partitions
  int expected_partitions = 64;          ///< shares max_buffered out: librdkafka's cap counts for each partition
  std::vector<position> start_from{};    ///< where a partition without a stored position begins, before `start`
  std::map<std::string, std::string> properties{};  ///< librdkafka's own; those that the library owns are refused
  std::chrono::milliseconds timeout{10'000};        ///< for what brokers are asked at construction
  token_source token{};                             ///< for sasl.mechanism=OAUTHBEARER
  /// A bounded read: step() answers `closed` behind it. A partition that comes from another member has its end found anew.
  read_until until{};

  template <class Context>
  static detail::late<runtime, Context> open(kafka const& self, Context const& c);
};

/// Reads given partitions, without a group's rebalances: who starts two of these on one partition has two readers.
/// A `group` is needed where the offset store is kafka_offsets or local (sqlite_offsets, file_offsets); nothing else
/// may use it. What has no comment is as in kafka.
///
/// Processes with different partitions of a topic may share a group whose positions are in Kafka: each stores those of its own
/// partitions. A partition that is added to a process's others later has no position there: it is told as `missing`, and
/// on_position_error or seek() says where it begins.
struct kafka_partitions {
  using slot = source_slot;
  using must_be_configured = void;
  using runtime = kafka_source<rdkafka_client>;
  static constexpr bool assigned_by_hand = true;

  std::string brokers{};
  std::string group{};
  std::vector<topic_partition> partitions{};
  std::optional<start_at> start{};
  out_of_range on_out_of_range = out_of_range::nearest;
  position_error on_position_error = position_error::stop;
  std::size_t max_buffered = 256 << 20;
  int expected_partitions = 64;
  std::vector<position> start_from{};
  std::map<std::string, std::string> properties{};
  std::chrono::milliseconds timeout{10'000};
  token_source token{};
  read_until until{};

  template <class Context>
  static detail::late<runtime, Context> open(kafka_partitions const& self, Context const& c);
};

}}  // namespace sluice::v0
