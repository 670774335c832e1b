/// \file offset_store/mysql.hpp  Offsets in a MariaDB database, and the handler's results in the same transaction.
#pragma once
#include <sluice/offset_store/mysql_letters.hpp>
#include <sluice/offset_store/mysql_positions.hpp>
#include <sluice/offset_store/mysql_transaction.hpp>

namespace sluice { inline namespace v0 {

/// Goes with every delivery; with `transactional` the handler gets a mysql_transaction in this database. One advance, of
/// all partitions, is one round trip. Consumers on any hosts may share the tables.
///
/// MariaDB 10.6.18, 10.11.8, 11.4.2 or later; Oracle's MySQL is refused, since it does not free the locks of a process that
/// was stopped in a transaction. At every connect it must show that it is not read-only and durable:
/// innodb_flush_log_at_trx_commit 1, innodb_doublewrite, and with a binary log sync_binlog 1 and a binlog_format other than
/// STATEMENT. What is durable there is lost all the same by a fail-over to a replica that lags behind. The tables must be
/// InnoDB's. Each session sets its own isolation, strictness and time-outs.
///
/// No error text holds the password. Names that are looked up may take longer than connect_timeout.
struct mysql_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = mysql_transaction;
  using runtime = mysql_offset_store;
  static constexpr bool records_skips = true;
  static constexpr bool keeps_tables = true;

  std::string host = "localhost";  ///< a name, an address, or the path of a Unix socket
  int port = 3306;                 ///< not used with a Unix socket
  std::string user{};
  std::string password{};           ///< or, so that no source text holds it:
  std::string password_file{};      ///< a file that holds it, read at each connect
  std::string password_variable{};  ///< the name of an environment variable that holds it
  std::string database{};
  /// A file of certificates: the session must be encrypted then, and the server show one that they vouch for. Otherwise
  /// the client library's own defaults hold: Connector/C verifies what it can from 3.4 on, earlier ones don't encrypt.
  std::string tls_ca{};
  std::string table =
      "sluice_offsets";         ///< others beside it: _topics, _rewinds, _meta, _skipped, _state; at most 56 letters
  bool create = true;           ///< make the tables where they aren't; otherwise say what is to be run
  bool mirror = true;           ///< progress is shown in the source's group too, best effort
  bool assume_durable = false;  ///< take a server that says it may lose what was committed
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{30'000};  ///< of one statement, the handler's too
  std::chrono::seconds lock_timeout{5};                 ///< how long another's transaction is waited for
  /// How long a handler's transaction may lie idle: below the group's session time-out, so that a process that was
  /// stopped has let go of its locks when others go on without it.
  std::chrono::seconds idle_transaction_timeout{30};

  /// Throws error(bad_configuration), store_error(store_unavailable, store_damaged, store_newer, bad_configuration).
  static runtime open(mysql_offsets const& self, context const& c);
};

class mysql_offset_store {
  using positions = detail::mysql::positions;

  mysql_offsets config_;
  std::function<void(int, std::string_view)> log_;
  detail::mysql::connection db_;
  detail::mysql::tables tables_;
  positions positions_{db_, tables_};
  detail::mysql::letters letters_{};
  mysql_transaction tx_{db_};
  std::vector<outcome> outcomes_{};
  bool in_transaction_ = false;   // the handler's
  bool all_applied_ = false;      // of the handler's transaction, so far
  bool was_transaction_ = false;  // what settle is about: the last that could have ended unknown

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr auto fencing = sluice::fencing::compare_and_set;
  using transaction = mysql_transaction;

  mysql_offset_store(mysql_offsets const& config, context const& c)
      : config_(checked(config)),
        log_(c.log),
        db_(detail::mysql::options_of("mysql_offsets", config)),
        tables_(db_, config.table, config.create) {
    auto const by = std::chrono::steady_clock::now() + config.connect_timeout + config.statement_timeout;
    db_.ready(by);
    tables_.prepare(by);
    letters_.known(tables_.skipped());
  }
  mysql_offset_store(mysql_offset_store const&) = delete;
  mysql_offset_store& operator=(mysql_offset_store const&) = delete;

  /// Every host reaches it.
  std::optional<std::string> local_id() const { return std::nullopt; }
  bool mirror() const { return config_.mirror; }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    check_length("group", group);
    for (auto const& of : set) check_length("topic", of.topic);
    return detail::answered(db_, set, by, [&](std::vector<claimed>& answers) {
      ready(by);
      positions_.of_group(group);
      tx_.home_ = {tables_.with("_state"), tables_.with("_topics"), group};
      for (auto const& of : set) letters_.forget(of);
      detail::claiming{positions_, answers}.run(resolve, by);
    });
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    was_transaction_ = false;
    if (moves.empty()) return answers(0, outcome::refused);
    detail::until_no_conflict(db_, by, [&] {
      ready(by);
      answers(moves.size(), outcome::refused);
      try {
        advance_now(moves, by);
      } catch (detail::lost const& e) {
        told(e);
        answers(moves.size(), outcome::unknown);
      }
    });
    for (std::size_t i = 0; i < moves.size() && !letters_.empty(); ++i)
      if (outcomes_[i] != outcome::unknown) letters_.forget(moves[i].of);
    return outcomes_;
  }

  /// After advance: the same again. After a transaction: whether it is there. Its session is ended first where it lives, and
  /// locks on its rows are waited for, so the answer is final.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) try {
    if (!was_transaction_) return advance(moves, by);
    ready(by);
    answers(moves.size(), outcome::refused);
    auto const a = db_.must(positions_.find(moves, true), "reading positions", by);
    positions::each(a.all.back(), [&](std::size_t i, detail::stored_position const& p) {
      if (p.was_applied(moves[i])) outcomes_[i] = outcome::applied;
    });
    if (std::count(outcomes_.begin(), outcomes_.end(), outcome::applied) > 0) make_durable(moves, by);
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
      auto const done = db_.must(positions_.rewind(rewinds), "a rewind", by);
      positions::each(done.all.at(done.all.size() - 2), [&](std::size_t i, detail::stored_position const& p) {
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
      db_.must(positions_.release(claims), "a release", by);
    } catch (error const& e) { told(e); }
  }

  // ---- transactions

  transaction& begin(std::span<move const>, time_point by) {
    ready(by);
    if (std::exchange(tx_.state_is_wanted_, false)) tables_.prepare_state(by);
    db_.must("set transaction isolation level repeatable read; start transaction; savepoint sluice_begin", "begin", by);
    in_transaction_ = tx_.open_ = true;
    tx_.states_.clear();
    all_applied_ = tx_.savepoint_ = tx_.undone_ = false;
    return tx_;
  }

  /// Refused too where it was applied before: then the results are there as well, and must not come twice.
  std::span<outcome const> advance(transaction&, std::span<move const> moves, time_point by) {
    must_be_open();
    tx_.open_ = false;
    answers(moves.size(), outcome::refused);
    all_applied_ = moves.empty();
    if (moves.empty()) return outcomes_;
    auto const a = db_.ask(still_ours + ("savepoint sluice_begin; " + positions_.advance(moves)), by);
    if (a.failed.code == mysql_transaction::no_savepoint) tx_.has_ended();
    if (detail::mysql::is_conflict(a.failed.code)) {
      look_what_was_in_the_way(moves, by);
      return outcomes_;
    }
    if (!a.good()) db_.fail(a.failed, "an advance");
    all_applied_ = mark(a, 2, moves, false);
    return outcomes_;
  }

  /// Refused, and rolled back, where a move of it was, or another transaction was in the way.
  outcome commit(transaction&, time_point by) {
    if (!in_transaction_ || !all_applied_) {
      rollback(tx_);
      return outcome::refused;
    }
    was_transaction_ = true;
    in_transaction_ = false;
    try {
      auto const a = db_.ask(still_ours + std::string("commit"), by);
      if (a.good()) return outcome::applied;
      db_.rollback();
      if (a.failed.code == mysql_transaction::no_savepoint) tx_.has_ended();
      if (detail::mysql::is_conflict(a.failed.code)) return outcome::refused;
      db_.fail(a.failed, "commit");
    } catch (detail::lost const& e) {
      told(e);
      return outcome::unknown;
    }
  }

  void rollback(transaction&) noexcept {
    bool const handlers = std::exchange(in_transaction_, false);
    tx_.open_ = false;
    if (!handlers || !db_.in_transaction()) {
      db_.rollback();
      return;
    }
    try {
      auto const by = std::chrono::steady_clock::now() + std::chrono::seconds{1};
      bool const ended =
          !tx_.undone_ && db_.ask("release savepoint sluice_begin", by).failed.code == mysql_transaction::no_savepoint;
      if ((db_.rollback() || ended) && log_)
        log_(3, db_.at() +
                    "a transaction was rolled back, but not all of it: a table that is not InnoDB's was written, or a"
                    " procedure has committed");
    } catch (...) { db_.rollback(); }
  }

  // ---- records set aside

  /// Sees to it that `table` is there for set_aside. Not within a transaction. Throws error(bad_configuration) for a name
  /// that can't be used in SQL, or a table of another shape.
  void prepare_table(std::string const& table) {
    detail::mysql::check_name("dead_letter_table.table", table);
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
    letters_.write(db_, tables_, positions_.group(), detail::kept_letter::of_letter(into, letter), db_.own_limit());
  }

 private:
  static constexpr auto still_ours = "release savepoint sluice_begin; ";

  static mysql_offsets checked(mysql_offsets c) {
    detail::mysql::check_table("mysql_offsets.table", c.table);
    return c;
  }
  static void check_length(char const* what, std::string const& name) {
    if (name.size() > detail::mysql::longest_name || detail::as_utf8(name) != name)
      throw error(errc::bad_configuration, std::string("mysql_offsets: the ") + what + "'s name of " +
                                               std::to_string(name.size()) +
                                               " bytes must be UTF-8, and have at most 255");
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
  void must_be_open() {
    if (in_transaction_ && tx_.open_ && db_.in_transaction()) return;
    rollback(tx_);
    throw store_error(errc::store_unavailable,
                      db_.at() + "the session or its transaction has ended: nothing of it is kept");
  }

  void advance_now(std::span<move const> moves, time_point by) {
    bool const with_letters = !letters_.empty();
    auto const a = db_.must(positions::begin + positions_.advance(moves) + (with_letters ? "" : positions::commit),
                            "an advance", by);
    std::vector<char> fresh;
    mark(a, 1, moves, true, &fresh);
    if (with_letters) {
      for (std::size_t i = 0; i < moves.size(); ++i)
        if (fresh[i]) letters_.write_waiting(db_, tables_, positions_.group(), moves[i].of, by);
      db_.must("commit", "setting records aside", by);
    }
    bool before = false;
    for (std::size_t i = 0; i < moves.size(); ++i) before = before || (outcomes_[i] == outcome::applied && !fresh[i]);
    if (before) make_durable(moves, by);
  }
  /// Of moves that were there already. Throws lost.
  void make_durable(std::span<move const> moves, time_point by) {
    auto const a = db_.ask(positions_.touch(moves), by);
    if (!a.good()) db_.lose("an advance may not be on the disk yet: error " + std::to_string(a.failed.code));
  }
  /// What the answers behind the first `skip` tell of the moves; whether all were made now. `before`: one that was applied
  /// before is applied.
  bool mark(detail::mysql::answers const& a, std::size_t skip, std::span<move const> moves, bool before,
            std::vector<char>* fresh = nullptr) {
    std::uint64_t made = 0;
    if (fresh) fresh->assign(moves.size(), false);
    positions::each(a[skip + 1], [&](std::size_t i, detail::stored_position const& p) {
      bool const fits = p.fits(moves[i]);
      made += fits;
      if (fits && fresh) (*fresh)[i] = true;
      if (fits || (before && p.was_applied(moves[i]))) outcomes_[i] = outcome::applied;
    });
    if (a[skip + 2].changed() != made)
      throw detail::lost(errc::store_damaged, db_.at() + "an advance changed other rows than those that it had locked");
    return std::find(outcomes_.begin(), outcomes_.end(), outcome::refused) == outcomes_.end();
  }
  /// A position that the snapshot does not show as it is now: another claim, most likely.
  void look_what_was_in_the_way(std::span<move const> moves, time_point by) {
    tx_.undone_ = true;
    rollback(tx_);
    auto const a = db_.must(positions_.find(moves, false), "reading positions", by);
    positions::each(a.all.back(), [&](std::size_t i, detail::stored_position const& p) {
      if (p.fits(moves[i])) outcomes_[i] = outcome::applied;
    });
  }
};

inline mysql_offset_store mysql_offsets::open(mysql_offsets const& self, context const& c) { return {self, c}; }

}}  // namespace sluice::v0
