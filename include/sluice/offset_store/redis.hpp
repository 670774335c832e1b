/// \file offset_store/redis.hpp  Offsets in Redis, and the handler's results in the same script.
#pragma once
#include <sluice/offset_store/claim_answers.hpp>
#include <sluice/offset_store/none.hpp>
#include <sluice/offset_store/redis_claiming.hpp>
#include <sluice/offset_store/redis_transaction.hpp>

namespace sluice { inline namespace v0 {

using redis_offset_store = basic_redis_offset_store<true>;
using lossy_redis_offset_store = basic_redis_offset_store<false>;

/// Goes with every delivery; with `transactional` the handler gets a redis_transaction on the same Redis. An advance of all
/// partitions is one script, one round trip.
///
/// Redis 7 or later, one primary. At every connect it must show that it is durable: appendonly yes, appendfsync always,
/// no-appendfsync-on-rewrite no, maxmemory-policy noeviction. What is durable there is lost all the same by a fail-over to
/// a replica, since Redis replicates in the background: where that happens by itself, use lossy_redis_offsets.
///
/// In a cluster a group's keys lie in one slot, `{PREFIX:GROUP}`, and the node that has it is found from any other. What is
/// sent is not encrypted, the password neither: beyond a network that is trusted use a tunnel, or a Unix socket.
/// Looking up a host's name is not bounded by a deadline.
struct redis_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = redis_transaction;
  using runtime = redis_offset_store;

  std::string host = "localhost";           ///< a name, an address, or the path of a Unix socket
  int port = 6379;                          ///< not used with a Unix socket
  std::string user{};                       ///< empty: the server's default user
  std::string password{};                   ///< or, so that no source text holds it:
  std::string password_file{};              ///< a file that holds it, read at each connect
  std::string password_variable{};          ///< the name of an environment variable that holds it
  int database = 0;                         ///< clusters have only this
  std::string prefix = "sluice";            ///< of all keys
  std::chrono::milliseconds timeout{5000};  ///< for connecting
  bool assume_durable = false;  ///< where the server does not let its settings be read: they are as they must be
  bool mirror = true;           ///< progress is shown in the source's group too, best effort

  /// Throws error(bad_configuration), store_error(store_unavailable, bad_configuration).
  static runtime open(redis_offsets const& self, context const& c);
};

/// The same on a Redis of any settings. After a crash of the server an offset may be older than it was, or gone: then records
/// come again. So at_most_once does not go with it, and the source's start must be the earliest. With `transactional`
/// results and offsets are lost together, or not at all, as long as one node holds them.
struct lossy_redis_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = redis_transaction;
  using runtime = lossy_redis_offset_store;
  static constexpr bool may_lose_offsets = true;
  static constexpr std::optional<from> wanted_start = from::earliest;

  std::string host = "localhost";
  int port = 6379;
  std::string user{};
  std::string password{};
  std::string password_file{};
  std::string password_variable{};
  int database = 0;
  std::string prefix = "sluice";
  std::chrono::milliseconds timeout{5000};
  bool mirror = true;

  static runtime open(lossy_redis_offsets const& self, context const& c);
};

template <bool Durable>
class basic_redis_offset_store {
  using names = detail::redis::key_names;
  using call = detail::redis::script_call;
  using answer = detail::redis::script_answer;

  detail::redis::connection db_;
  std::function<void(int, std::string_view)> log_;
  bool mirror_;
  names names_;
  redis_transaction tx_{db_, names_};
  std::vector<outcome> outcomes_{};
  std::vector<move> doubtful_{};  // of a commit without an answer; what it wanted to do is still in tx_
  bool in_transaction_ = false;
  bool was_transaction_ = false;  // what settle is about
  bool look_first_ = false;       // a commit was refused: some partition is no longer ours

  static constexpr std::size_t kept_rewinds = 1000;

 public:
  static constexpr bool durable_at_advance = Durable;
  static constexpr auto fencing = sluice::fencing::compare_and_set;
  using transaction = redis_transaction;

  basic_redis_offset_store(detail::redis::settings s, bool mirror, context const& c)
      : db_(checked(std::move(s))), log_(c.log), mirror_(mirror), names_(db_.config().prefix, c.group) {
    db_.ready(std::chrono::steady_clock::now() + db_.config().timeout);
  }
  basic_redis_offset_store(basic_redis_offset_store const&) = delete;
  basic_redis_offset_store& operator=(basic_redis_offset_store const&) = delete;
  ~basic_redis_offset_store() = default;

  std::optional<std::string> local_id() const { return std::nullopt; }
  bool mirror() const { return mirror_; }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    auto answers = detail::all_alike(set);
    if (set.empty()) return answers;
    select(group);
    look_first_ = false;
    detail::redis::claiming c{set};
    while (!c.take(run(c.call(names_), by), answers, resolve, by)) {}
    return answers;
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    was_transaction_ = false;
    outcomes_.assign(moves.size(), outcome::unknown);
    if (moves.empty()) return outcomes_;
    call c{detail::redis::advance_script};
    detail::redis::topic_keys keys{names_, c};
    for (auto const& m : moves) detail::redis::add_move(c, keys, m);
    try {
      auto const a = run(c, by);
      for (std::size_t i = 0; i < moves.size(); ++i)
        outcomes_[i] = letter(a, i) == 'a' ? outcome::applied : outcome::refused;
    } catch (detail::redis::lost const& e) { log(e); }
    return outcomes_;
  }

  /// After advance: the same again. After a commit without an answer: that commit again, which does nothing where it was
  /// done; after one with an answer: where the partitions stand. Where no position moved it stays unknown whether it was done:
  /// nobody else has the partitions, and yet they are to be claimed again.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    try {
      if (!was_transaction_) return advance(moves, by);
      outcomes_.assign(moves.size(), outcome::unknown);
      auto const otherwise = doubtful_.empty() || commit_again(by) ? outcome::refused : outcome::unknown;
      auto const a = run(look_at(moves), by);
      for (std::size_t i = 0; i < moves.size(); ++i)
        outcomes_[i] = letter(a, i) == (moves[i].from == moves[i].until ? 'a' : 'b') ? outcome::applied : otherwise;
    } catch (store_error const& e) {
      log(e);
      outcomes_.assign(moves.size(), outcome::unknown);
    }
    return outcomes_;
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    auto answers = detail::all_alike(detail::partitions_of(rewinds));
    if (rewinds.empty()) return answers;
    call c{detail::redis::record_script};
    detail::redis::topic_keys keys{names_, c};
    c.number(detail::wall_ms()).number(kept_rewinds);
    for (auto const& r : rewinds) {
      c.number(keys(r.of.topic)).text(detail::file_name(r.of.topic)).number(r.of.partition);
      c.number(r.mine.turn).number(r.mine.nonce).number(r.to.value()).number(detail::random_64()).text(r.cause);
    }
    c.key(names_.rewinds());
    auto const a = run(c, by);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (a.word(i + 1).empty()) {
        answers[i].why = to_string(answers[i].of) + ": another owner has claimed it";
        continue;
      }
      if (!detail::read_words(a.word(i + 1), answers[i])) a.unreadable(answers[i].of);
      answers[i].what = claimed::stored;
    }
    return answers;
  }

  /// Best effort: what is not released is claimed all the same.
  void release(std::vector<claimed> const& claims, time_point by) {
    if (claims.empty()) return;
    call c{detail::redis::release_script};
    detail::redis::topic_keys keys{names_, c};
    for (auto const& one : claims)
      c.number(keys(one.of.topic)).number(one.of.partition).number(one.mine.turn).number(one.mine.nonce);
    try {
      run(c, by);
    } catch (store_error const& e) { log(e); }
  }

  // ---- transactions

  transaction& begin(std::span<move const>, time_point by) {
    rollback(tx_);
    db_.ready(by);
    doubtful_.clear();
    tx_.begin();
    in_transaction_ = true;
    return tx_;
  }

  /// Whether they hold is seen at the commit; here it is asked only where a commit was refused before.
  std::span<outcome const> advance(transaction&, std::span<move const> moves, time_point by) {
    must_be_open();
    doubtful_.assign(moves.begin(), moves.end());
    outcomes_.assign(moves.size(), outcome::applied);
    if (!look_first_ || moves.empty()) return outcomes_;
    auto const a = run(look_at(moves), by);
    look_first_ = false;
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (letter(a, i) != 'a') outcomes_[i] = outcome::refused;
    return outcomes_;
  }

  /// Throws error(bad_statement) where a command would fail: rolled back, and the handler's fault.
  outcome commit(transaction&, time_point by) {
    must_be_open();
    in_transaction_ = false;
    was_transaction_ = true;
    try {
      auto const a = run(tx_.call("commit", doubtful_), by);
      if (a.kind() == "bad") {
        auto const e = tx_.refusal(a);
        forget();
        throw e;
      }
      look_first_ = a.kind() != "applied";
      forget();
      return look_first_ ? outcome::refused : outcome::applied;
    } catch (detail::redis::lost const& e) {
      log(e);
      return outcome::unknown;
    } catch (detail::redis::refused const& e) {
      auto const handlers = e.word() == "CROSSSLOT" || (e.word() == "NOPERM" && is_of_commands(by));
      forget();
      if (handlers)
        throw error(errc::bad_statement,
                    e.word() == "NOPERM"
                        ? "redis: this user has no right to a key that the handler wrote to (ACL SETUSER)"
                        : "redis: a key that the handler wrote to lies in another slot of the cluster: begin keys with "
                          "slot()");
      throw;
    } catch (store_error const&) {
      forget();
      throw;
    }
  }

  /// Which record it was whose command the last commit would not do.
  std::optional<detail::cursor> failed_at() const { return tx_.failed_; }

  void rollback(transaction&) noexcept {
    if (!in_transaction_) return;
    in_transaction_ = false;
    forget();
  }

 private:
  static detail::redis::settings checked(detail::redis::settings s) {
    detail::redis::check(s);
    return s;
  }
  void select(std::string const& group) { names_ = names{db_.config().prefix, group}; }
  void log(store_error const& e) const {
    if (log_) log_(5, e.what());
  }
  answer run(call const& c, time_point by) { return {db_.run(c, by), db_.config().who}; }
  static char letter(answer const& a, std::size_t i) { return i < a.word(1).size() ? a.word(1)[i] : 'r'; }

  call look_at(std::span<move const> moves) const {
    call c{detail::redis::commit_script};
    detail::redis::topic_keys keys{names_, c};
    c.text("look").number(moves.size());
    for (auto const& m : moves) detail::redis::add_move(c, keys, m);
    return c;
  }

  /// Whether a missing right is that to the commands' keys: the store's own may be used.
  bool is_of_commands(time_point by) {
    if (tx_.commands_.empty()) return false;
    try {
      run(look_at(doubtful_), by);
      return true;
    } catch (store_error const& e) {
      log(e);
      return false;
    }
  }

  /// Once more the commit that had no answer: it is done now, was done before, or never will be. Where no position moves
  /// nothing would tell that it was done, and a second time must not be: then it was done, or never will be. Answers whether
  /// it is known which.
  bool commit_again(time_point by) {
    bool const tells = std::any_of(doubtful_.begin(), doubtful_.end(), [](move const& m) { return m.from != m.until; });
    if (!tells || run(tx_.call("commit", doubtful_), by).kind() == "bad") {
      // The fence goes: a late request must find none.
      call c{detail::redis::release_script};
      detail::redis::topic_keys keys{names_, c};
      for (auto const& m : doubtful_)
        c.number(keys(m.of.topic)).number(m.of.partition).number(m.mine.turn).number(m.mine.nonce);
      run(c, by);
    }
    forget();
    return tells;
  }
  void forget() {
    doubtful_.clear();
    tx_.clear();
  }
  void must_be_open() const {
    if (!in_transaction_)
      throw store_error(errc::bad_statement,
                        db_.config().who + ": the handler's transaction has ended before its commit");
  }
};

namespace detail::redis {
template <class Policy>
settings settings_of(char const* who, Policy const& p) {
  settings s{.who = who,
             .host = p.host,
             .port = p.port,
             .user = p.user,
             .password = p.password,
             .password_file = p.password_file,
             .password_variable = p.password_variable,
             .database = p.database,
             .prefix = p.prefix,
             .timeout = p.timeout};
  if constexpr (requires { p.assume_durable; })
    s.assume_durable = p.assume_durable;
  else
    s.durable = false;
  return s;
}
}  // namespace detail::redis

inline redis_offset_store redis_offsets::open(redis_offsets const& self, context const& c) {
  return {detail::redis::settings_of("redis_offsets", self), self.mirror, c};
}
inline lossy_redis_offset_store lossy_redis_offsets::open(lossy_redis_offsets const& self, context const& c) {
  return {detail::redis::settings_of("lossy_redis_offsets", self), self.mirror, c};
}

}}  // namespace sluice::v0
