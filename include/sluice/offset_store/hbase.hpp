/// \file offset_store/hbase.hpp  Offsets in HBase, by its REST interface: one cell for each group, and a history that Spark users' programs read.
#pragma once
#include <sluice/offset_store/hbase_history.hpp>
#include <sluice/offset_store/hbase_state.hpp>
#include <sluice/offset_store/state_store.hpp>

namespace sluice { inline namespace v0 {
namespace detail::hbase {

/// What a store does beside its group's cell.
struct beside {
  bool history = true;
  std::chrono::milliseconds history_every{};
  std::function<void(int, std::string_view)> log{};
};

/// A group's first claim of a topic goes on where the newest row of the history says; partitions that it does not name are new.
class adopting final : public start_resolver {
  state& state_;
  start_resolver& asked_;
  beside const& beside_;

 public:
  adopting(state& s, start_resolver& asked, beside const& b) : state_(s), asked_(asked), beside_(b) {}

  topic_start start_of(std::string const& topic, time_point by) override {
    auto const found = newest_row(state_.its_table(), topic, state_.group(), by);
    if (!found || found->next.empty()) return asked_.start_of(topic, by);
    topic_start start{.topic = topic};
    for (std::size_t p = 0; p < found->next.size(); ++p) {
      auto const& next = found->next[p];
      start.starts.push_back(next ? *next : asked_.earliest({topic, static_cast<std::int32_t>(p)}, by));
    }
    if (beside_.log)
      beside_.log(5, "hbase_offsets: " + topic + " goes on where row " + found->key +
                         " says, which another program may have written; the last records can't be compared");
    return start;
  }
  offset earliest(topic_partition const& of, time_point by) override { return asked_.earliest(of, by); }
};

/// Rows for the programs that read the history. Best effort: what counts is the group's cell.
class historian {
  beside beside_;
  std::map<file_generation::topic_key, std::vector<std::optional<offset>>> told_{};
  time_point due_{};

  static constexpr std::chrono::milliseconds patience{1000}, after_failure{1000};

  static std::vector<std::optional<offset>> positions(std::vector<file_generation::partition> const& all) {
    std::vector<std::optional<offset>> next;
    next.reserve(all.size());
    for (auto const& p : all) next.push_back(p.there ? std::optional{p.next} : std::nullopt);
    return next;
  }

 public:
  explicit historian(beside b) : beside_(std::move(b)) {}
  beside const& config() const { return beside_; }

  /// Throws error(bad_configuration): programs that look for the group `a` may take a row of the group `a:7` for theirs.
  void check(std::string const& group) const {
    if (beside_.history && group.find(':') != group.npos)
      throw error(
          errc::bad_configuration,
          "hbase_offsets: the group's name has a colon, so its rows TOPIC:GROUP:MILLISECONDS could be taken for "
          "another group's: say hbase_offsets.history = false, or take another name");
  }

  /// A row for each topic whose positions have changed since the last one, unless that was a moment ago and `now` is false.
  void tell(state& of, bool now, time_point by) {
    auto const time = std::chrono::steady_clock::now();
    if (!beside_.history || !of.current() || (!now && time < due_)) return;
    std::vector<row> rows;
    auto told = told_;
    for (auto const& [key, partitions] : of.known().topics) {
      auto const next = positions(partitions);
      auto& last = told[key];
      if (!is_topic(key.topic) || last == next) continue;
      auto const& family = of.its_table().config().history_family;
      if (auto r = made_row(key.topic, key.group, of.as_of(), family, next); !r.cells.empty())
        rows.push_back(std::move(r));
      last = next;
    }
    if (rows.empty()) return;
    try {
      of.its_table().put(rows, std::min(by, time + patience));
      told_ = std::move(told);
      due_ = time + beside_.history_every;
    } catch (store_error const& e) {
      due_ = std::chrono::steady_clock::now() + std::max(after_failure, beside_.history_every);
      if (beside_.log) beside_.log(5, std::string{e.what()} + " (a row of the history, which does not count)");
    }
  }
};

}  // namespace detail::hbase

class hbase_offset_store : public basic_state_store<detail::hbase::state> {
  using base = basic_state_store<detail::hbase::state>;

  detail::hbase::historian historian_;

 public:
  hbase_offset_store(detail::hbase::state kept, std::string const& group, bool mirror, detail::hbase::beside beside)
      : base(std::move(kept), group, mirror, beside.log), historian_(std::move(beside)) {
    historian_.check(group);
  }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    historian_.check(group);
    detail::hbase::adopting starts{medium(), resolve, historian_.config()};
    return base::claim(group, set, starts, by);
  }
  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    auto const outcomes = base::advance(moves, by);
    historian_.tell(medium(), false, by);
    return outcomes;
  }
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    auto const outcomes = base::settle(moves, by);
    historian_.tell(medium(), false, by);
    return outcomes;
  }
  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    auto answers = base::record(rewinds, by);
    historian_.tell(medium(), true, by);
    return answers;
  }
  void release(std::vector<claimed> const& claims, time_point by) {
    base::release(claims, by);
    historian_.tell(medium(), true, by);
  }
};

/// Goes with at_most_once, at_least_once and idempotent. An advance of all partitions is one PUT of the group's cell, with what it
/// replaces (142 bytes for each partition), so it suits batches that take a second rather than milliseconds.
///
/// The table has two column families. In `family`, without TTL, there is one row for each group, which counts. In
/// `history_family`, with a TTL of 30 days, lies what programs on Spark read and write: rows TOPIC:GROUP:MILLISECONDS, a
/// column for each partition. A group that has no row of its own yet for a topic goes on where the newest row of the history
/// says, without a fingerprint to compare; and every advance writes such a row too, but not more often than `history_every`,
/// best effort. So a program that goes back to the history may handle the last records again.
///
/// The server is HBase's REST server, or what passes requests on to it. Kerberos is not spoken. No password is ever
/// printed; without https it can be read on the way.
struct hbase_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using runtime = hbase_offset_store;

  std::string address{};                       ///< "http://HOST:8080", or https
  std::string table = "stream_kafka_offsets";  ///< or NAMESPACE:NAME
  std::string family = "current";              ///< must not expire
  std::string history_family = "offsets";      ///< Spark users'
  bool create = true;                          ///< make the table where there is none
  bool history = true;                         ///< write rows into the history; a group with a colon in its name can't
  std::chrono::milliseconds history_every{10'000};  ///< 0: with each advance
  std::string user{};                               ///< of HTTP's basic authentication; with:
  std::string password{};                           ///< or, so that no source text holds it:
  std::string password_file{};                      ///< a file that holds it, read for each request
  std::string password_variable{};                  ///< the name of an environment variable that holds it
  std::string ca_file{};                            ///< certificates of authorities, PEM; empty: the system's
  std::chrono::milliseconds timeout{10'000};        ///< for connecting, and for the whole of opening
  bool mirror = true;                               ///< progress is shown in the source's group too, best effort

  /// Throws error(bad_configuration), store_error(store_unavailable, bad_configuration).
  template <class Context = context>
  static runtime open(hbase_offsets const& self, Context const& c);
};

namespace detail::hbase {
template <class Policy>
settings settings_of(Policy const& p) {
  if (p.history_every.count() < 0)
    throw error(errc::bad_configuration, "hbase_offsets.history_every must be 0 or more");
  return {.address = p.address,
          .table = p.table,
          .family = p.family,
          .history_family = p.history_family,
          .create = p.create,
          .user = p.user,
          .password = {p.password, p.password_file, p.password_variable},
          .ca_file = p.ca_file,
          .timeout = p.timeout};
}
}  // namespace detail::hbase

template <class Context>
hbase_offsets::runtime hbase_offsets::open(hbase_offsets const& self, Context const& c) {
  detail::hbase::state s{detail::hbase::settings_of(self)};
  s.its_table().open(std::chrono::steady_clock::now() + self.timeout);
  return runtime{std::move(s), c.group, self.mirror,
                 detail::hbase::beside{.history = self.history, .history_every = self.history_every, .log = c.log}};
}

}}  // namespace sluice::v0
