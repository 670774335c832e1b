/// \file offset_store/postgres.hpp  Offsets in a PostgreSQL database, and the handler's results in the same transaction.
#pragma once
#include <sluice/offset_store/postgres_claiming.hpp>
#include <sluice/offset_store/postgres_letters.hpp>
#include <sluice/offset_store/postgres_transaction.hpp>

namespace sluice { inline namespace v0 {

/// Goes with every delivery; with `transactional` the handler gets a postgres_transaction in this database. One advance,
/// of all partitions, is one statement and one round trip. Consumers on any hosts may share the tables.
///
/// Keep the password out of the program: libpq takes it from ~/.pgpass, a file named by passfile=… or PGPASSFILE, or
/// the environment (PGPASSWORD). No error text holds it. For TLS that is verified write sslmode=verify-full.
///
/// Each session sets its own time-outs and synchronous_commit = on (remote_apply is left), and checks that the server
/// is not read-only and has fsync and full_page_writes on. A pooler must give each session a connection of its own
/// (PgBouncer: pool_mode = session). Names that are looked up (host=) may take longer than connect_timeout.
struct postgres_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = postgres_transaction;
  using runtime = postgres_offset_store;
  static constexpr bool records_skips = true;
  static constexpr bool keeps_tables = true;

  std::string connection{};  ///< a libpq connection string ("host=… dbname=… user=…") or postgresql:// URI
  std::string table =
      "sluice_offsets";         ///< others beside it: _topics, _rewinds, _meta, _skipped, _state; at most 54 letters
  bool create = true;           ///< make the tables where they aren't; otherwise say what is to be run
  bool mirror = true;           ///< progress is shown in the source's group too, best effort
  bool assume_durable = false;  ///< take a server with fsync or full_page_writes off
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{30'000};  ///< of one statement, the handler's too
  /// How long another's transaction is waited for, the making of the tables too.
  std::chrono::milliseconds lock_timeout{5000};
  /// How long a handler's transaction may lie idle: below the group's session time-out, so that a process that was
  /// stopped has let go of its locks when others go on without it.
  std::chrono::milliseconds idle_in_transaction_timeout{30'000};

  /// Throws error(bad_configuration), store_error(store_unavailable, store_damaged, store_newer).
  static runtime open(postgres_offsets const& self, context const& c);
};

class postgres_offset_store {
  using request = detail::postgres::request;
  using positions_of = detail::postgres::positions;

  postgres_offsets config_;
  std::function<void(int, std::string_view)> log_;
  detail::postgres::connection db_;
  detail::postgres::tables tables_;
  detail::postgres::positions positions_{tables_};
  detail::postgres::letters letters_{};
  postgres_transaction tx_{db_};
  std::vector<outcome> outcomes_{};
  bool in_transaction_ = false;   // the handler's
  bool all_applied_ = false;      // of the handler's transaction, so far
  bool was_transaction_ = false;  // what settle is about: the last that could have ended unknown

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr auto fencing = sluice::fencing::compare_and_set;
  using transaction = postgres_transaction;

  postgres_offset_store(postgres_offsets const& config, context const& c)
      : config_(checked(config)),
        log_(c.log),
        db_({"postgres_offsets", config.connection, config.assume_durable, config.connect_timeout,
             config.statement_timeout, config.lock_timeout, config.idle_in_transaction_timeout}),
        tables_(db_, config.table, config.create) {
    auto const by = std::chrono::steady_clock::now() + config.connect_timeout + config.statement_timeout;
    db_.ready(by);
    tables_.prepare(by);
    letters_.known(tables_.skipped());
  }
  postgres_offset_store(postgres_offset_store const&) = delete;
  postgres_offset_store& operator=(postgres_offset_store const&) = delete;

  /// Every host reaches it.
  std::optional<std::string> local_id() const { return std::nullopt; }
  bool mirror() const { return config_.mirror; }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    if (detail::as_utf8(group) != group)
      throw error(errc::bad_configuration, "postgres_offsets: the group's name must be UTF-8");
    return detail::answered(db_, set, by, [&](std::vector<claimed>& answers) {
      ready(by);
      positions_.of_group(group);
      tx_.home_ = {tables_.with("_state"), tables_.with("_topics"), group};
      for (auto const& of : set) letters_.forget(of);
      detail::postgres::claims claims{db_, positions_};
      detail::claiming{claims, answers}.run(resolve, by);
    });
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    was_transaction_ = false;
    if (moves.empty()) return answers(0, outcome::refused);
    detail::until_no_conflict(db_, by, [&] {
      ready(by);
      answers(moves.size(), outcome::refused);
      try {
        letters_.empty() ? advance_alone(moves, by) : advance_with_letters(moves, by);
      } catch (detail::lost const&) { answers(moves.size(), outcome::unknown); }
    });
    for (std::size_t i = 0; i < moves.size() && !letters_.empty(); ++i)
      if (outcomes_[i] != outcome::unknown) letters_.forget(moves[i].of);
    return outcomes_;
  }

  /// After advance: the same again. After a transaction: whether it is there. Locks on its rows are waited for, and its
  /// session is ended first, so the answer is final.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) try {
    if (!was_transaction_) return advance(moves, by);
    ready(by);
    answers(moves.size(), outcome::refused);
    mark_applied(moves, true, by);
    return outcomes_;
  } catch (store_error const& e) {
    told(e);
    return answers(moves.size(), outcome::unknown);
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    auto const set = detail::partitions_of(rewinds);
    for (auto const& of : set) letters_.forget(of);  // what it was set aside for comes again
    return detail::answered(db_, set, by, [&](std::vector<claimed>& answers) {
      ready(by);
      for (auto& a : answers) a.why = detail::claimed_by_another(a.of);
      auto const done = db_.must_one(positions_.rewind(rewinds), "a rewind", by);
      positions_of::each(done, [&](std::size_t i, detail::stored_position const& p) {
        detail::fill(answers[i], p, claimed::stored);
        answers[i].why.clear();
      });
    });
  }

  /// Best effort: what is not released is claimed all the same.
  void release(std::vector<claimed> const& claims, time_point by) {
    if (claims.empty()) return;
    for (auto const& c : claims) letters_.forget(c.of);
    try {
      ready(by);
      db_.must_one(positions_.release(claims), "a release", by);
    } catch (error const& e) { told(e); }
  }

  // ---- transactions

  transaction& begin(std::span<move const>, time_point by) {
    ready(by);
    if (std::exchange(tx_.state_is_wanted_, false)) tables_.prepare_state(by);
    db_.must_one({"begin isolation level repeatable read"}, "begin", by);
    in_transaction_ = tx_.open_ = true;
    tx_.states_.clear();
    all_applied_ = tx_.savepoint_ = false;
    return tx_;
  }

  /// Refused too where it was applied before: then the results are there as well, and must not come twice.
  std::span<outcome const> advance(transaction&, std::span<move const> moves, time_point by) {
    must_be_open();
    tx_.open_ = false;
    answers(moves.size(), outcome::refused);
    all_applied_ = moves.empty();
    if (moves.empty()) return outcomes_;
    auto const r = db_.ask_one(positions_.advance(moves), by);
    if (detail::postgres::connection::is_conflict(r.state())) {
      look_what_was_in_the_way(moves, by);
      return outcomes_;
    }
    if (!r.good()) db_.fail(r, "an advance");
    mark_made(r);
    all_applied_ = std::find(outcomes_.begin(), outcomes_.end(), outcome::refused) == outcomes_.end();
    return outcomes_;
  }

  /// Refused, and rolled back, where a move of it was, or another transaction was in the way. Throws error(bad_statement)
  /// where a constraint that is checked at the end is broken.
  outcome commit(transaction&, time_point by) {
    if (!in_transaction_ || !all_applied_) {
      rollback(tx_);
      return outcome::refused;
    }
    was_transaction_ = true;
    in_transaction_ = false;
    try {
      auto const r = db_.ask_simply("set synchronous_commit to " + db_.synchronous_commit() + "; commit", by);
      if (r.good()) {
        if (r.command() == "COMMIT") return outcome::applied;
        must_be_ours();
      }
      db_.rollback();
      if (detail::postgres::connection::is_conflict(r.state())) return outcome::refused;
      detail::postgres::refused_to_run(db_, r, "commit");
    } catch (detail::lost const& e) {
      told(e);
      return outcome::unknown;
    }
  }

  void rollback(transaction&) noexcept {
    in_transaction_ = tx_.open_ = false;
    db_.rollback();
  }

  // ---- records set aside

  /// Sees to it that `table` is there for set_aside. Not within a transaction. Throws error(bad_configuration) for a name
  /// that can't be used in SQL, or a table of another shape.
  void prepare_table(std::string const& table) {
    detail::postgres::check_name("dead_letter_table.table", table, 63);
    if (letters_.is_known(table)) return;
    auto const by = db_.own_limit();
    ready(by);
    tables_.prepare_letters(table, by);
    letters_.known(table);
  }
  void set_aside(std::string const& table, dead_letter const& letter) {
    auto const& into = table.empty() ? tables_.skipped() : table;
    if (!in_transaction_) return letters_.keep(into, letter);
    must_be_open();
    db_.must_one(letters_.row(tables_, positions_.group(), into, letter), "setting a record aside", db_.own_limit());
  }

 private:
  static postgres_offsets checked(postgres_offsets c) {
    detail::postgres::check_name("postgres_offsets.table", c.table, 63 - std::string_view{"_skipped_"}.size());
    return c;
  }
  std::span<outcome const> answers(std::size_t n, outcome all) {
    outcomes_.assign(n, all);
    return outcomes_;
  }
  void ready(time_point by) {
    in_transaction_ = tx_.open_ = false;
    db_.ready(by);
  }
  void told(error const& e) {
    db_.rollback();
    if (log_) log_(5, e.what());
  }
  [[noreturn]] void must_be_ours() {
    throw store_error(errc::bad_statement, db_.at() + "the handler's transaction has ended before its commit");
  }
  void must_be_open() {
    if (in_transaction_ && !db_.has_failed()) return;
    auto const swallowed = in_transaction_ && db_.alive();
    rollback(tx_);
    if (swallowed)
      throw error(errc::bad_statement,
                  db_.at() +
                      "a statement of the handler's transaction was refused, and its exception was not let"
                      " pass, or the transaction was ended: nothing of it is kept");
    throw store_error(errc::store_unavailable,
                      db_.at() + "the session ended within the transaction: nothing of it is kept");
  }

  void mark_made(detail::postgres::result const& r) {
    for (int i = 0; i < r.rows(); ++i) outcomes_[static_cast<std::size_t>(r.number(i, 0) - 1)] = outcome::applied;
  }
  void advance_alone(std::span<move const> moves, time_point by) {
    mark_made(db_.must_one(positions_.advance(moves), "an advance", by));
    mark_applied(moves, true, by);
  }
  /// What is refused, but stands where the move wanted it, under the same fence. `wait`: by a lock on the row, which is not
  /// had before the commit that made it so has reached the standbys that it must reach.
  void mark_applied(std::span<move const> moves, bool wait, time_point by) {
    if (std::find(outcomes_.begin(), outcomes_.end(), outcome::refused) == outcomes_.end()) return;
    auto const found = db_.must_one(positions_.find(moves, wait), "reading positions", by);
    positions_of::each(found, [&](std::size_t i, detail::stored_position const& p) {
      if (p.was_applied(moves[i])) outcomes_[i] = outcome::applied;
    });
  }
  void advance_with_letters(std::span<move const> moves, time_point by) {
    auto const made = db_.must(
        std::vector<request>{{"begin isolation level read committed"}, positions_.advance(moves)}, "an advance", by);
    mark_made(made[1]);
    std::vector<request> rest;
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (outcomes_[i] == outcome::applied) letters_.add_waiting(tables_, positions_.group(), moves[i].of, rest);
    rest.push_back({"commit"});
    db_.must(rest, "setting records aside", by);
    mark_applied(moves, true, by);
  }
  /// A position that the snapshot does not show as it is now: another claim, most likely.
  void look_what_was_in_the_way(std::span<move const> moves, time_point by) {
    rollback(tx_);
    auto const found = db_.must_one(positions_.find(moves, false), "reading positions", by);
    positions_of::each(found, [&](std::size_t i, detail::stored_position const& p) {
      if (p.fits(moves[i])) outcomes_[i] = outcome::applied;
    });
  }
};

inline postgres_offset_store postgres_offsets::open(postgres_offsets const& self, context const& c) {
  return {self, c};
}

}}  // namespace sluice::v0
