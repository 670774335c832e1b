/// \file offset_store/sqlite.hpp  Offsets in an SQLite file, and the handler's results in the same transaction.
#pragma once
#include <sluice/offset_store/claim_answers.hpp>
#include <sluice/offset_store/sqlite_claiming.hpp>
#include <sluice/offset_store/sqlite_letters.hpp>
#include <sluice/offset_store/sqlite_positions.hpp>
#include <sluice/offset_store/sqlite_transaction.hpp>

namespace sluice { inline namespace v0 {

/// Goes with every delivery; with `transactional` the handler gets a sqlite_transaction on this file. One advance, of
/// all partitions, is one commit with one fsync (write-ahead log, synchronous = full).
///
/// The file belongs to one host: network file systems are refused. Several consumers may share it, on that host; each
/// waits for the others' transactions, and a stopped process that holds the lock makes them answer "busy".
struct sqlite_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using transaction = sqlite_transaction;
  using runtime = sqlite_offset_store;
  static constexpr bool records_skips = true;
  static constexpr bool keeps_tables = true;
  static constexpr bool is_local = true;

  std::string path{};                            ///< created, readable for its owner only, where it isn't
  std::string table = "sluice_offsets";          ///< others beside it: _topics, _rewinds, _meta, _skipped, _state
  std::chrono::milliseconds lock_timeout{5000};  ///< how long another's transaction is waited for
  bool mirror = true;                            ///< progress is shown in the source's group too, best effort

  /// Throws error(bad_configuration), store_error(store_unavailable, store_damaged, store_newer).
  static runtime open(sqlite_offsets const& self, context const& c);
};

class sqlite_offset_store {
  sqlite_offsets config_;
  std::function<void(int, std::string_view)> log_;
  detail::sqlite::connection db_;
  std::string id_;
  std::unique_ptr<detail::sqlite::positions> positions_{};
  detail::sqlite::letters letters_{};
  sqlite_transaction tx_{db_};
  std::string group_{};
  std::vector<outcome> outcomes_{};
  std::vector<char> fresh_{};     // which moves this transaction changed
  bool in_transaction_ = false;   // the handler's
  bool all_applied_ = false;      // of the handler's transaction, so far
  bool was_transaction_ = false;  // what settle is about: the last that could have ended unknown
  bool doubtful_ = false;         // after a commit of unknown outcome, until the file was reopened

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr auto fencing = sluice::fencing::compare_and_set;
  using transaction = sqlite_transaction;

  sqlite_offset_store(sqlite_offsets const& config, context const& c)
      : config_(checked(config)), log_(c.log), db_("sqlite_offsets", config.path, config.lock_timeout) {
    id_ = detail::sqlite::prepare_file(db_, config_.table);
    positions_ = std::make_unique<detail::sqlite::positions>(db_, config_.table);
    letters_.prepare(db_, skipped());
  }
  sqlite_offset_store(sqlite_offset_store const&) = delete;
  sqlite_offset_store& operator=(sqlite_offset_store const&) = delete;
  ~sqlite_offset_store() { close(); }

  std::optional<std::string> local_id() const { return id_; }
  bool mirror() const { return config_.mirror; }

  std::vector<claimed> claim(std::string const& group, std::vector<topic_partition> const& set, start_resolver& resolve,
                             time_point by) {
    return answer(set, by, [&](std::vector<claimed>& answers) {
      select(group);
      for (auto const& of : set) letters_.forget(of);
      detail::sqlite::claiming c{*positions_, answers};
      for (;;) {
        c.ask(resolve, by);
        db_.begin(by);
        if (c.store()) return db_.commit();
        db_.rollback();
      }
    });
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    was_transaction_ = false;
    outcomes_.assign(moves.size(), outcome::refused);
    if (moves.empty()) return outcomes_;
    return store(moves, by, [&] {
      for (std::size_t i = 0; i < moves.size(); ++i) {
        fresh_[i] = positions_->advance(moves[i]);
        if (fresh_[i] || positions_->was_applied(moves[i])) outcomes_[i] = outcome::applied;
        if (fresh_[i] && !letters_.empty()) letters_.write_waiting(group_, moves[i].of);
      }
    });
  }

  /// After advance: the same again. After a transaction: whether it is there, made final by a commit behind it.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) try {
    if (!was_transaction_) return advance(moves, by);
    outcomes_.assign(moves.size(), outcome::refused);
    return store(moves, by, [&] {
      for (std::size_t i = 0; i < moves.size(); ++i) {
        if (positions_->was_applied(moves[i])) outcomes_[i] = outcome::applied;
        fresh_[i] = true;
      }
      positions_->mark();
    });
  } catch (store_error const& e) {
    recover(e);
    outcomes_.assign(moves.size(), outcome::unknown);
    return outcomes_;
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    auto const set = detail::partitions_of(rewinds);
    for (auto const& of : set) letters_.forget(of);  // what it was set aside for comes again
    return answer(set, by, [&](std::vector<claimed>& answers) {
      db_.begin(by);
      for (std::size_t i = 0; i < rewinds.size(); ++i) {
        auto const p = positions_->find(rewinds[i].of);
        if (!p || !p->owned || p->mine != rewinds[i].mine) {
          answers[i].why = detail::claimed_by_another(rewinds[i].of);
          continue;
        }
        detail::sqlite::fill(answers[i], positions_->rewind(rewinds[i], *p), claimed::stored);
      }
      db_.commit();
    });
  }

  /// Best effort: what is not released is claimed all the same.
  void release(std::vector<claimed> const& claims, time_point by) {
    if (claims.empty()) return;
    for (auto const& c : claims) letters_.forget(c.of);
    try {
      ready();
      db_.begin(by);
      for (auto const& c : claims) positions_->release(c.of, c.mine);
      db_.commit();
    } catch (error const& e) {
      recover(e);
      if (log_) log_(5, e.what());
    }
  }

  // ---- transactions

  transaction& begin(std::span<move const>, time_point by) {
    rollback(tx_);
    db_.wait_until(by);
    ready();
    db_.begin(by);
    tx_.states_.clear();
    in_transaction_ = true;
    all_applied_ = false;
    db_.handlers_turn = true;
    return tx_;
  }

  /// Refused too where it was applied before: then the results are there as well, and must not come twice.
  std::span<outcome const> advance(transaction&, std::span<move const> moves, time_point) {
    back_from_handler();
    outcomes_.assign(moves.size(), outcome::refused);
    must_be_open();
    all_applied_ = true;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      if (positions_->advance(moves[i]))
        outcomes_[i] = outcome::applied;
      else
        all_applied_ = false;
    }
    return outcomes_;
  }

  /// Refused, and rolled back, where a move of it was. Throws store_error where the transaction had ended before: by
  /// "on conflict rollback", or a failure of the disk.
  outcome commit(transaction&, time_point by) {
    back_from_handler();
    must_be_open();
    if (!all_applied_) {
      rollback(tx_);
      return outcome::refused;
    }
    was_transaction_ = true;
    in_transaction_ = false;
    db_.wait_until(by);
    try {
      db_.commit();
    } catch (detail::sqlite::commit_unknown const&) {
      abandon();
      return outcome::unknown;
    }
    return outcome::applied;
  }

  void rollback(transaction&) noexcept {
    back_from_handler();
    in_transaction_ = false;
    db_.rollback();
  }

  // ---- records set aside

  /// Sees to it that `table` is there for set_aside. Not within a transaction. Throws error(bad_configuration) for a name
  /// that SQL can't take, or a table of another shape.
  void prepare_table(std::string const& table) {
    detail::sqlite::check_sql_name("dead_letter_table.table", table);
    ready();
    letters_.prepare(db_, table);
  }
  void set_aside(std::string const& table, dead_letter const& letter) {
    auto const& into = table.empty() ? skipped() : table;
    if (!in_transaction_) return letters_.keep(into, letter);
    detail::sqlite::library_turn const ours{db_};
    letters_.write(group_, into, letter);
  }

 private:
  static sqlite_offsets checked(sqlite_offsets c) {
    detail::sqlite::check_sql_name("sqlite_offsets.table", c.table);
    return c;
  }
  std::string skipped() const { return config_.table + "_skipped"; }
  void select(std::string const& group) {
    group_ = group;
    positions_->of_group(group);
    tx_.home_ = {"\"" + config_.table + "_state\"", "\"" + config_.table + "_topics\"", group};
  }

  /// Answers for each of `set`, busy or failed where the database can't be had.
  template <class F>
  std::vector<claimed> answer(std::vector<topic_partition> const& set, time_point by, F ask) {
    auto answers = detail::all_alike(set);
    if (set.empty()) return answers;
    try {
      db_.wait_until(by);
      ready();
      ask(answers);
    } catch (detail::sqlite::locked const& e) {
      recover(e);
      return detail::all_alike(set, claimed::busy, e.what());
    } catch (detail::sqlite::commit_unknown const& e) {
      recover(e);
      return detail::all_alike(set, claimed::failed, e.what());
    } catch (...) {
      db_.rollback();
      throw;
    }
    return answers;
  }

  /// One transaction of the store's own around `change`. Letters whose advance is answered for good are forgotten.
  template <class F>
  std::span<outcome const> store(std::span<move const> moves, time_point by, F change) {
    fresh_.assign(moves.size(), false);
    try {
      db_.wait_until(by);
      ready();
      db_.begin(by);
      change();
      if (std::find(fresh_.begin(), fresh_.end(), true) == fresh_.end())
        db_.rollback();
      else
        db_.commit();
    } catch (detail::sqlite::commit_unknown const&) {
      abandon();
      for (std::size_t i = 0; i < moves.size(); ++i)
        if (fresh_[i]) outcomes_[i] = outcome::unknown;
    } catch (...) {
      db_.rollback();
      throw;
    }
    for (std::size_t i = 0; i < moves.size() && !letters_.empty(); ++i)
      if (outcomes_[i] != outcome::unknown) letters_.forget(moves[i].of);
    return outcomes_;
  }

  void must_be_open() {
    if (in_transaction_ && db_.in_transaction()) return;
    in_transaction_ = false;
    throw store_error(errc::bad_statement,
                      "sqlite_offsets: " + config_.path +
                          ": the handler's transaction has ended before its commit: nothing of it is kept");
  }
  void back_from_handler() {
    db_.handlers_turn = false;
    tx_.return_all();
    tx_.forget_savepoint();
  }

  void close() {
    tx_.finalize();
    positions_.reset();
    letters_.close();
    db_.close();
  }
  void abandon() {
    doubtful_ = true;
    tx_.finalize();
  }
  void recover(error const& e) {
    db_.rollback();
    if (dynamic_cast<detail::sqlite::commit_unknown const*>(&e)) abandon();
  }
  /// After a commit of unknown outcome: a new connection, behind a checkpoint.
  void ready() {
    if (!doubtful_) return;
    positions_.reset();
    letters_.close();
    db_.reopen();
    positions_ = std::make_unique<detail::sqlite::positions>(db_, config_.table);
    select(group_);
    letters_.reopen(db_);
    doubtful_ = false;
  }
};

inline sqlite_offset_store sqlite_offsets::open(sqlite_offsets const& self, context const& c) { return {self, c}; }

}}  // namespace sluice::v0
