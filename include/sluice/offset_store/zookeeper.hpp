/// \file offset_store/zookeeper.hpp  Offsets in ZooKeeper, where other programs read and write them too.
#pragma once
#include <sluice/offset_store/zookeeper_claiming.hpp>

#include <span>

namespace sluice { inline namespace v0 {

class zookeeper_offset_store;

/// Who may read and change what is made.
enum class zookeeper_acl {
  open,        ///< everybody
  creator_all  ///< .user alone
};

/// Goes with every delivery but `transactional`. An advance of all partitions is one request, and happens as a whole; above
/// .max_request it is several.
///
/// Each offset is a node with a decimal number, which any program may read, and write while no consumer of the group runs.
/// What others wrote is a start for the first claim. What they change later is never overwritten: the next advance is refused,
/// and the next claim takes it over as a rewind.
///
/// Fences, fingerprints and rewinds lie in nodes of the same names in .state. ZooKeeper must have forceSync on (the default),
/// or what it acknowledged may be lost. What is sent is not encrypted, the password neither: use a network that is trusted,
/// or a tunnel. Looking up a host's name is not bounded by a deadline.
struct zookeeper_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using runtime = zookeeper_offset_store;

  static constexpr char const* spark_path = "/consumers/offsets/{group}/{topic}/{partition}";
  static constexpr char const* kafka_path = "/consumers/{group}/offsets/{topic}/{partition}";  ///< of Kafka before 0.9

  std::string servers = "localhost:2181";  ///< "a:2181,b:2181", or with a chroot "a:2181,b:2181/streams"
  std::string path = spark_path;           ///< of an offset's node; names are percent-encoded where they must be
  std::string state = "/sluice";           ///< where the library keeps its own
  std::string user{};                      ///< for digest authentication
  std::string password{};                  ///< or, so that no source text holds it:
  std::string password_file{};             ///< a file that holds it, read with each session
  std::string password_variable{};         ///< the name of an environment variable that holds it
  zookeeper_acl acl = zookeeper_acl::open;
  bool create = true;  ///< make nodes above {group} and {topic}, and .state; otherwise say which are to be made
  bool mirror = true;  ///< progress is shown in the source's group too, best effort
  std::chrono::milliseconds connect_timeout{5000};
  /// A server that says nothing for two thirds of it is left for the next one; so two thirds of it should be less than
  /// connect_timeout, and than the time that a batch may wait for its store (5 s).
  std::chrono::milliseconds session_timeout{6000};
  std::size_t max_request = 1'048'575;  ///< bytes; the servers' jute.maxbuffer

  /// Throws error(bad_configuration), store_error(store_unavailable, bad_configuration).
  static runtime open(zookeeper_offsets const& self, context const& c);
};

class zookeeper_offset_store {
  using session = detail::zookeeper::session;
  using operations = detail::zookeeper::operations;
  using partition_nodes = detail::zookeeper::partition_nodes;
  using held = detail::zookeeper::held;

  zookeeper_offsets config_;
  std::function<void(int, std::string_view)> log_;
  session session_;
  detail::zookeeper::node_reader reader_{session_};
  detail::zookeeper::group_paths paths_;
  detail::zookeeper::limits limits_;
  detail::zookeeper::memory memory_{};
  std::vector<outcome> outcomes_{};

  /// A partition of an advance that is not answered yet.
  struct pending {
    std::size_t i;
    held now;
  };

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr auto fencing = sluice::fencing::compare_and_set;

  zookeeper_offset_store(zookeeper_offsets const& config, context const& c)
      : config_(checked(config)),
        log_(c.log),
        session_(settings_of(config_)),
        paths_(detail::zookeeper::split_servers(config.servers).second, config.path, config.state, c.group),
        limits_{config.max_request - config.max_request / 16, config.create} {
    session_.ready(std::chrono::steady_clock::now() + config.connect_timeout);
  }
  zookeeper_offset_store(zookeeper_offset_store const&) = delete;
  zookeeper_offset_store& operator=(zookeeper_offset_store const&) = delete;
  ~zookeeper_offset_store() = default;

  /// Every host reaches it.
  std::optional<std::string> local_id() const { return std::nullopt; }
  bool mirror() const { return config_.mirror; }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    paths_ = paths_.of(group);
    std::vector<claimed> answers(set.size());
    for (std::size_t i = 0; i < set.size(); ++i) answers[i].of = set[i];
    detail::zookeeper::claiming{session_, paths_, limits_, memory_, log_, answers}.run(resolve, by);
    return answers;
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    outcomes_.assign(moves.size(), outcome::unknown);
    try {
      advance_until_answered(moves, false, by);
    } catch (detail::zookeeper::lost const& e) { told(e); }
    return outcomes_;
  }

  /// Looks first. What is refused is refused for good: under this fence a late request finds another version.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    outcomes_.assign(moves.size(), outcome::unknown);
    try {
      advance_until_answered(moves, true, by);
    } catch (store_error const& e) { told(e); }
    return outcomes_;
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    std::vector<claimed> answers(rewinds.size());
    std::map<std::string, std::vector<std::size_t>> topics;
    std::vector<std::uint64_t> nonces;
    for (std::size_t i = 0; i < rewinds.size(); ++i) {
      answers[i].of = rewinds[i].of;
      topics[rewinds[i].of.topic].push_back(i);
      nonces.push_back(detail::random_64());
      memory_.erase(rewinds[i].of);
    }
    for (auto& [topic, open] : topics)
      while (!open.empty())
        session::patiently(by, [&] { record_some(paths_.topic(topic), rewinds, nonces, open, answers, by); });
    return answers;
  }

  /// Best effort: what is not released is claimed all the same.
  void release(std::vector<claimed> const& claims, time_point by) {
    operations ops;
    for (auto const& c : claims) {
      auto const known = memory_.find(c.of);
      if (known == memory_.end() || known->second.mine != c.mine) continue;
      auto const at = paths_.topic(c.of.topic);
      auto const nobodys = fence{c.mine.turn, 0};
      ops.remove(at.state_of(detail::zookeeper::state_name(c.of.partition, c.mine)), known->second.state_version);
      ops.create(at.state_of(detail::zookeeper::state_name(c.of.partition, nobodys)),
                 detail::position_words(known->second.next, nobodys, known->second.log));
      memory_.erase(known);
    }
    if (ops.empty() || ops.bytes() > limits_.request) return;
    try {
      session_.change_all(ops, by);
    } catch (store_error const& e) { told(e); }
  }

  /// Throws error(bad_configuration) for what can be told without the servers.
  static zookeeper_offsets checked(zookeeper_offsets const& c) {
    auto const bad = [](char const* key, std::string const& why) {
      throw error(errc::bad_configuration, std::string{"zookeeper_offsets."} + key + " " + why);
    };
    auto const [servers, chroot] = detail::zookeeper::split_servers(c.servers);
    if (servers.empty()) bad("servers", "is empty: give host:port,host:port");
    if (!chroot.empty())
      if (auto const why = detail::zookeeper::wrong_with_path(chroot); !why.empty())
        bad("servers", "ends with the chroot " + chroot + ", which " + why);
    if (auto const why = detail::zookeeper::wrong_with_pattern(c.path); !why.empty())
      bad("path", "= " + c.path + " " + why + "; such as " + zookeeper_offsets::spark_path);
    if (auto const why = detail::zookeeper::wrong_with_path(c.state); !why.empty())
      bad("state", "= " + c.state + " " + why);
    if (c.path.starts_with(c.state + "/")) bad("path", "lies in .state: choose another for one of them");
    detail::secret const password{c.password, c.password_file, c.password_variable};
    detail::check_secret(password, "zookeeper_offsets.password");
    bool const secret = detail::ways_given(password) > 0;
    if (!c.user.empty() && !secret)
      bad("user", "has no password: give .password_file, .password_variable or .password");
    if (c.user.empty() && secret) bad("password", "has no .user");
    if (c.user.find(':') != c.user.npos) bad("user", "must not have a colon in it");
    if (c.user.empty() && c.acl == zookeeper_acl::creator_all) bad("acl", "= creator_all needs .user and a password");
    if (c.connect_timeout.count() <= 0) bad("connect_timeout", "must be above 0");
    if (c.session_timeout.count() <= 0) bad("session_timeout", "must be above 0");
    if (c.max_request < 16'384) bad("max_request", "must be at least 16384");
    return c;
  }
  static detail::zookeeper::settings settings_of(zookeeper_offsets const& c) {
    return {.who = "zookeeper_offsets",
            .servers = detail::zookeeper::split_servers(c.servers).first,
            .user = c.user,
            .password = c.password,
            .password_file = c.password_file,
            .password_variable = c.password_variable,
            .creator_all = c.acl == zookeeper_acl::creator_all,
            .connect_timeout = c.connect_timeout,
            .session_timeout = c.session_timeout};
  }

 private:
  void told(error const& e) const {
    if (log_) log_(5, e.what());
  }

  // ---- advancing

  void advance_until_answered(std::span<move const> moves, bool final, time_point by) {
    std::vector<pending> ready;
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      auto const known = memory_.find(moves[i].of);
      if (!final && known != memory_.end() && known->second.mine == moves[i].mine &&
          known->second.next == moves[i].from)
        ready.push_back({i, known->second});
      else
        open.push_back(i);
    }
    for (;;) {
      if (!open.empty()) session::patiently(by, [&] { look(moves, open, ready, final, by); });
      open.clear();
      if (ready.empty()) return;
      change(moves, ready, open, by);
      ready.clear();
    }
  }

  /// As few requests as hold them. One that is refused as a whole leaves all of its partitions open.
  void change(std::span<move const> moves, std::vector<pending> const& ready, std::vector<std::size_t>& open,
              time_point by) {
    for (auto const& p : ready) memory_.erase(moves[p.i].of);  // until the answer is there
    for (std::size_t at = 0; at < ready.size();) {
      operations ops;
      auto end = at;
      for (; end < ready.size(); ++end) {
        auto const one = operations_for(moves[ready[end].i], ready[end].now);
        if (end > at && ops.bytes() + one.bytes() > limits_.request) break;
        ops.append(one);
      }
      auto const o = session_.change_all(ops, by);
      for (auto const first = at; at < end; ++at) {
        auto const& m = moves[ready[at].i];
        if (!o.done()) {
          open.push_back(ready[at].i);
          continue;
        }
        outcomes_[ready[at].i] = outcome::applied;
        memory_[m.of] = {m.mine, m.until, m.log, o.versions[2 * (at - first)], o.versions[2 * (at - first) + 1]};
      }
    }
  }
  operations operations_for(move const& m, held const& now) const {
    auto const at = paths_.topic(m.of.topic);
    operations ops;
    ops.set(at.state_of(detail::zookeeper::state_name(m.of.partition, m.mine)),
            detail::position_words(m.until, m.mine, m.log), now.state_version);
    ops.set(at.offset_of(m.of.partition), std::to_string(m.until.value()), now.plain_version);
    return ops;
  }

  /// Answers what can be answered by what is there; the rest is ready to be changed.
  void look(std::span<move const> moves, std::vector<std::size_t> const& open, std::vector<pending>& ready, bool final,
            time_point by) {
    std::vector<detail::zookeeper::question> questions;
    for (auto const i : open) {
      auto const at = paths_.topic(moves[i].of.topic);
      questions.push_back({at.offset_of(moves[i].of.partition)});
      questions.push_back({at.state_of(detail::zookeeper::state_name(moves[i].of.partition, moves[i].mine))});
    }
    auto const answers = session_.read(questions, by);
    std::vector<pending> more;
    for (std::size_t n = 0; n < open.size(); ++n) {
      auto const& m = moves[open[n]];
      auto const &plain = answers[2 * n], &state = answers[2 * n + 1];
      auto const &plain_path = questions[2 * n].path, &state_path = questions[2 * n + 1].path;
      partition_nodes nodes;
      if (m.mine != fence{}) reader_.take_state(state, state_path, m.mine, nodes);
      if (!nodes.state) {
        outcomes_[open[n]] = outcome::refused;
        continue;
      }
      if (!nodes.missing && nodes.state->next == m.until) {
        outcomes_[open[n]] = outcome::applied;
        continue;
      }
      reader_.take_plain(plain, plain_path, nodes);
      if (nodes.agree() && nodes.state->next == m.from) {
        more.push_back({open[n], {m.mine, m.from, nodes.state->log, nodes.state_version, nodes.plain_version}});
        continue;
      }
      if (!nodes.agree() && !nodes.missing && log_)
        log_(4, session_.where() + ": another program has set " + plain_path + " from " +
                    std::to_string(nodes.state->next.value()) + " to " +
                    (nodes.plain ? std::to_string(nodes.plain->value()) : "nothing") + ": an advance is refused");
      if (!final || make_late_ones_fail(state_path, state.data, nodes.state_version, by))
        outcomes_[open[n]] = outcome::refused;
    }
    ready.insert(ready.end(), more.begin(), more.end());
  }
  /// My own fence holds, and the move does not: the state gets another version, so that no late request finds it as it was.
  /// False: somebody changed it meanwhile.
  bool make_late_ones_fail(std::string const& path, std::string const& data, std::int32_t version, time_point by) {
    operations touch;
    touch.set(path, data, version);
    auto const o = session_.change_all(touch, by);
    return o.done() || o.code == ZNONODE;
  }

  // ---- rewinds

  /// One request for as many rewinds of a topic as it holds.
  void record_some(detail::zookeeper::topic_paths const& at, std::vector<rewind> const& rewinds,
                   std::vector<std::uint64_t> const& nonces, std::vector<std::size_t>& open,
                   std::vector<claimed>& answers, time_point by) {
    std::vector<detail::zookeeper::question> questions{{at.rewinds()}};
    auto const mine = [&](std::size_t i) { return fence{rewinds[i].mine.turn + 1, nonces[i]}; };
    auto const path = [&](std::size_t i, fence const& f) {
      return at.state_of(detail::zookeeper::state_name(rewinds[i].of.partition, f));
    };
    for (auto const i : open) {
      questions.push_back({at.offset_of(rewinds[i].of.partition)});
      questions.push_back({path(i, rewinds[i].mine)});
      questions.push_back({path(i, mine(i))});
    }
    auto const found = session_.read(questions, by);
    detail::zookeeper::rewinds_text text{found[0].data};
    operations ops;
    std::vector<std::pair<std::size_t, held>> done;
    std::vector<std::size_t> left;
    for (std::size_t n = 0; n < open.size(); ++n) {
      auto const i = open[n];
      auto const& r = rewinds[i];
      auto& a = answers[i];
      partition_nodes nodes, before;
      reader_.take_plain(found[3 * n + 1], questions[3 * n + 1].path, nodes);
      reader_.take_state(found[3 * n + 3], questions[3 * n + 3].path, mine(i), nodes);
      if (nodes.state) {  // done by a request without an answer
        stored(a, *nodes.state,
               {mine(i), nodes.state->next, nodes.state->log, nodes.state_version, nodes.plain_version});
        continue;
      }
      reader_.take_state(found[3 * n + 2], questions[3 * n + 2].path, r.mine, nodes);
      if (!nodes.state || r.mine == fence{} || (!nodes.missing && !nodes.agree())) {
        a.why =
            to_string(r.of) + (nodes.state ? ": another program has set its offset" : ": another owner has claimed it");
        continue;
      }
      auto const life = detail::next_incarnation(
          std::max(nodes.state->log.incarnation, text.highest_incarnation(r.of.partition)), detail::wall_ms());
      operations one;
      one.remove(questions[3 * n + 2].path, nodes.state_version);
      one.create(questions[3 * n + 3].path, detail::position_words(r.to, mine(i), {.incarnation = life}));
      auto const digits = std::to_string(r.to.value());
      nodes.plain ? one.set(questions[3 * n + 1].path, digits, nodes.plain_version)
                  : one.create(questions[3 * n + 1].path, digits);
      if (!done.empty() && ops.bytes() + one.bytes() > limits_.request * 3 / 4) {
        left.push_back(i);
        continue;
      }
      text.add(r.of.partition, nodes.missing ? std::nullopt : std::optional{nodes.state->next}, r.to, life, r.cause);
      ops.append(one);
      a.next = r.to;
      a.log = {.incarnation = life};
      a.mine = mine(i);
      done.emplace_back(i, held{mine(i), r.to, a.log, 0, 0});
    }
    if (!done.empty()) {
      if (!reader_.there(found[0], at.rewinds()))
        throw store_error(errc::store_damaged, session_.where() + ": " + at.rewinds() +
                                                   " is gone: make it anew, empty (zkCli: create " + at.rewinds() +
                                                   ")");
      operations all;
      all.append(ops).set(at.rewinds(), text.kept(limits_.request / 8), found[0].stat.version);
      auto const o = session_.change_all(all, by);
      for (std::size_t n = 0; n < done.size(); ++n) {
        auto& [i, now] = done[n];
        if (!o.done()) {
          left.push_back(i);
          continue;
        }
        now.plain_version = o.versions[3 * n + 2];
        answers[i].what = claimed::stored;
        memory_[answers[i].of] = now;
      }
    }
    open = left;
  }
  void stored(claimed& a, claimed const& c, held const& now) {
    a.next = c.next;
    a.log = c.log;
    a.mine = c.mine;
    a.what = claimed::stored;
    memory_[a.of] = now;
  }
};

inline zookeeper_offset_store zookeeper_offsets::open(zookeeper_offsets const& self, context const& c) {
  return {self, c};
}

}}  // namespace sluice::v0
