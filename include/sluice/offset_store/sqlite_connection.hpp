/// \file offset_store/sqlite_connection.hpp  An SQLite file, opened so that a commit is durable, with deadlines and errors by what they mean.
#pragma once
#include <sluice/detail/crash_point.hpp>
#include <sluice/detail/network_file_system.hpp>
#include <sluice/detail/sql_text.hpp>
#include <sluice/error.hpp>
#include <sluice/offset.hpp>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace sluice { inline namespace v0 { namespace detail::sqlite {

/// Another process, or another connection, holds the lock: nothing was done.
class locked : public store_error {
 public:
  using store_error::store_error;
};

/// A commit whose fsync or write failed: it may be there, or come back with the next recovery.
class commit_unknown : public store_error {
 public:
  using store_error::store_error;
};

/// Checks what becomes part of an SQL text. `key` is the configuration's, for the error.
inline void check_sql_name(std::string_view key, std::string_view name) {
  auto const reserved = name.size() >= 7 && sqlite3_strnicmp(name.data(), "sqlite_", 7) == 0;
  if (is_sql_name(name) && !reserved) return;
  throw error(errc::bad_configuration,
              std::string(key) + " (" + std::to_string(name.size()) +
                  " bytes) can't be used in SQL: give 1 to 63 letters, digits and underscores, no digit first, and not"
                  " sqlite_ in front");
}

enum class access { write, read };

/// One connection, for one thread at a time. Its address must stay: SQLite's callbacks hold it.
class connection {
  std::string who_;   // the policy, for errors
  std::string path_;  // as the user gave it
  std::string file_;  // absolute, so that reopening doesn't depend on the current folder
  std::chrono::milliseconds lock_timeout_;
  access access_;
  sqlite3* db_ = nullptr;
  time_point by_{};
  bool log_in_doubt_ = true;

 public:
  /// While set, statements that begin or end transactions, or attach files, are refused.
  bool handlers_turn = false;

  /// Opens `path`; to write, creates it (mode 0600) where it isn't. Throws error(bad_configuration) for a path that can't be
  /// used, store_error for a file that can't be read.
  connection(std::string who, std::string path, std::chrono::milliseconds lock_timeout, access mode = access::write)
      : who_(std::move(who)), path_(std::move(path)), lock_timeout_(lock_timeout), access_(mode) {
    if (path_.empty() || path_ == ":memory:" || path_.starts_with("file:"))
      throw error(errc::bad_configuration, who_ +
                                               ".path must name a file, such as \"billing.db\": no URI, and nothing in"
                                               " memory, which would be forgotten");
    if (lock_timeout_.count() < 0) throw error(errc::bad_configuration, who_ + ".lock_timeout must not be negative");
    file_ = path_;
    if (file_[0] != '/') {
      char here[4096];
      if (!::getcwd(here, sizeof here)) bad_path("the current folder can't be told");
      file_ = std::string(here) + "/" + file_;
    }
    auto const folder = file_.substr(0, file_.rfind('/') + 1);
    if (::access(folder.c_str(), F_OK) != 0) bad_path("there is no such folder: create it first");
    if (auto const fs = network_file_system(folder); !fs.empty())
      bad_path("it lies on " + fs + ", where SQLite's locks can't be relied on: use a file on a local disk");
    if (access_ == access::write) create();
    open();
  }
  connection(connection const&) = delete;
  connection& operator=(connection const&) = delete;
  ~connection() { close(); }

  sqlite3* get() const { return db_; }
  std::string const& path() const { return path_; }
  std::string const& who() const { return who_; }

  /// Locks are waited for until then, but no longer than the policy's lock_timeout.
  void wait_until(time_point by) { by_ = std::min(by, std::chrono::steady_clock::now() + lock_timeout_); }
  void wait_as_configured() { wait_until(time_point::max()); }

  /// Write-ahead log and an fsync at every commit; checked, since SQLite answers without doing where it can't.
  void make_durable() {
    if (write_ahead_log() != "wal")
      throw error(errc::bad_configuration, who_ + ".path: no write-ahead log can be kept beside " + path_ +
                                               ": use a local disk that allows shared memory");
    run("pragma synchronous = full");
    if (text("pragma synchronous") != "2")
      throw error(errc::bad_configuration, who_ + ": SQLite does not accept synchronous = full for " + path_);
  }

  void close() { sqlite3_close_v2(std::exchange(db_, nullptr)); }

  /// After a commit of unknown outcome, with all statements finalised: the next transaction writes the log again. Throws
  /// store_error: what was configured did work, so what fails now may work later.
  void reopen() try {
    close();
    open();
    make_durable();
  } catch (store_error const&) { throw; } catch (error const& e) {
    throw store_error(errc::store_unavailable, e.what());
  }

  /// Runs one statement of the library's own.
  void run(std::string const& sql) { text(sql); }
  /// The same, answering the first column of the first row as text; empty where there is none.
  std::string text(std::string const& sql) {
    sqlite3_stmt* s = prepare(sql);
    auto const rc = sqlite3_step(s);
    auto const* found = rc == SQLITE_ROW ? sqlite3_column_text(s, 0) : nullptr;
    std::string answer(found ? reinterpret_cast<char const*>(found) : "");
    if (auto const end = sqlite3_finalize(s); end != SQLITE_OK) fail(end, sql);
    return answer;
  }
  sqlite3_stmt* prepare(std::string_view sql) {
    sqlite3_stmt* s = nullptr;
    check(sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &s, nullptr),
          sql);
    return s;
  }
  bool has_table(std::string const& name) {
    return text("select 1 from sqlite_schema where type = 'table' and name = '" + name + "'") == "1";
  }

  bool in_transaction() const { return db_ && sqlite3_get_autocommit(db_) == 0; }
  void begin(time_point by) {
    wait_until(by);
    run("begin immediate");
    if (!log_in_doubt_) return;
    try {
      write_log_again();
    } catch (...) {
      rollback();
      throw;
    }
  }
  /// Throws commit_unknown where it may have happened: then reopen() comes next. Any other error: rolled back.
  void commit() {
    sqlite3_stmt* s = prepare("commit");
    SLUICE_CRASH_POINT("sqlite commit");
    sqlite3_step(s);
    auto const rc = sqlite3_finalize(s);
    SLUICE_CRASH_POINT("sqlite committed");
    if (rc == SQLITE_OK) return;
    if ((rc & 0xFF) == SQLITE_IOERR) throw commit_unknown(errc::store_unavailable, said(rc, "commit"));
    auto const what = said(rc, "commit");
    rollback();
    fail(rc, what, true);
  }
  void rollback() noexcept {
    if (in_transaction()) sqlite3_exec(db_, "rollback", nullptr, nullptr, nullptr);
  }

  void check(int rc, std::string_view doing) {
    if (rc != SQLITE_OK) fail(rc, doing);
  }
  /// Whether it is the database that failed, not the statement.
  static bool is_of_the_store(int rc) {
    switch (rc & 0xFF) {
      case SQLITE_ERROR:
      case SQLITE_CONSTRAINT:
      case SQLITE_MISMATCH:
      case SQLITE_TOOBIG:
      case SQLITE_RANGE:
      case SQLITE_MISUSE:
      case SQLITE_AUTH:
      case SQLITE_LOCKED:
      case SQLITE_ABORT:
        return false;
      default:
        return true;
    }
  }
  [[noreturn]] void fail(int rc, std::string_view doing, bool said_already = false) {
    auto const what = said_already ? std::string(doing) : said(rc, doing);
    switch (rc & 0xFF) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        throw locked(errc::store_unavailable, what);
      case SQLITE_FULL:
        throw store_error(errc::store_full, what);
      case SQLITE_ERROR:
      case SQLITE_CONSTRAINT:
      case SQLITE_MISMATCH:
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        throw store_error(errc::store_damaged, what);
      default:
        throw store_error(errc::store_unavailable, what);
    }
  }

 private:
  [[noreturn]] void bad_path(std::string const& why) const {
    throw error(errc::bad_configuration, who_ + ".path = " + path_ + ": " + why);
  }
  std::string said(int rc, std::string_view doing) const {
    auto const file = who_ + ": " + path_;
    switch (rc & 0xFF) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return file + " is locked: another process holds the lock";
      case SQLITE_FULL:
        return file + ": no space left, or the file has reached its largest size";
      case SQLITE_NOTADB:
        return file + " is not an SQLite database, or is encrypted";
      case SQLITE_CORRUPT:
        return file + " is damaged: restore it from a backup";
      case SQLITE_ERROR:
        return file + ": a table of this name is not one that the library made (" + sqlite3_errmsg(db_) + ")";
      default:
        return file + ": " + sqlite3_errstr(rc) + " (" + std::to_string(rc) + ") at " + beginning_of(doing);
    }
  }

  /// What stands in the write-ahead log may be there because another process, which is gone, has failed to sync it: an fsync
  /// answers "done" for pages that the kernel has given up, and they are still read. Under the lock of a transaction nobody
  /// else writes it, and nothing is copied from it into the database before.
  void write_log_again() {
    sqlite3_file* log = nullptr;
    sqlite3_int64 size = 0;
    check(sqlite3_file_control(db_, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log)), "finding the log");
    if (log && log->pMethods) check(log->pMethods->xFileSize(log, &size), "the size of the log");
    std::string part;
    for (sqlite3_int64 at = 0; at < size; at += static_cast<sqlite3_int64>(part.size())) {
      part.resize(static_cast<std::size_t>(std::min<sqlite3_int64>(size - at, 1 << 16)));
      auto const n = static_cast<int>(part.size());
      check(log->pMethods->xRead(log, part.data(), n, at), "reading the log");
      check(log->pMethods->xWrite(log, part.data(), n, at), "writing the log again");
    }
    if (size > 0) check(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL), "a sync of the log");
    log_in_doubt_ = false;
    copy_log_on_close(true);
  }
  void copy_log_on_close(bool yes) { sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, yes ? 0 : 1, nullptr); }

  /// SQLite would make the file readable for all. Made under another name first: to close the file itself would drop the
  /// locks that this process holds on it through other connections.
  void create() {
    if (::access(file_.c_str(), F_OK) == 0) return;
    auto const fresh = file_ + ".new-" + hex(random_64());
    auto const make = [](std::string const& name) {
      auto const fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
      if (fd >= 0) ::close(fd);
      return fd >= 0;
    };
    if (!make(fresh)) bad_path("can't be created: " + std::generic_category().message(errno));
    if (::link(fresh.c_str(), file_.c_str()) != 0 && errno != EEXIST) make(file_);  // no links on this file system
    ::unlink(fresh.c_str());
  }
  void open() {
    bool const writes = access_ == access::write;
    auto const mode = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
    auto const rc = sqlite3_open_v2(file_.c_str(), &db_, mode, nullptr);
    if (rc != SQLITE_OK) {
      auto const why = std::string(sqlite3_errstr(rc));
      close();
      struct ::stat is{};
      if (::stat(file_.c_str(), &is) == 0 && S_ISDIR(is.st_mode)) bad_path("is a folder; name a file in it");
      bad_path(std::string("can't be opened for ") + (writes ? "writing: " : "reading: ") + why);
    }
    sqlite3_extended_result_codes(db_, 1);
    sqlite3_busy_handler(db_, on_busy, this);
    sqlite3_set_authorizer(db_, on_prepare, this);
    log_in_doubt_ = true;
    copy_log_on_close(false);
    wait_as_configured();
  }
  /// Two that change a new file's mode at once get in each other's way, and SQLite does not ask the busy handler then.
  std::string write_ahead_log() {
    for (int attempts = 0;; ++attempts) try {
        return text("pragma journal_mode = wal");
      } catch (locked const&) {
        if (!on_busy(this, attempts)) throw;
      }
  }
  static int on_busy(void* self, int attempts) {
    auto const left = static_cast<connection*>(self)->by_ - std::chrono::steady_clock::now();
    if (left <= left.zero()) return 0;
    auto const nap = std::chrono::microseconds{attempts < 10 ? 200 : 2000};
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, nap));
    return 1;
  }
  static int on_prepare(void* self, int action, char const* first, char const* second, char const*, char const*) {
    if (!static_cast<connection*>(self)->handlers_turn) return SQLITE_OK;
    auto const is = [](char const* word, char const* what) { return word && sqlite3_stricmp(word, what) == 0; };
    switch (action) {
      case SQLITE_TRANSACTION:
      case SQLITE_ATTACH:
      case SQLITE_DETACH:
        return SQLITE_DENY;
      case SQLITE_SAVEPOINT:
        return is(second, "sluice_record") ? SQLITE_DENY : SQLITE_OK;
      case SQLITE_PRAGMA:
        return second && (is(first, "journal_mode") || is(first, "synchronous") || is(first, "locking_mode"))
                   ? SQLITE_DENY
                   : SQLITE_OK;
      default:
        return SQLITE_OK;
    }
  }
};

/// Within the handler's transaction, while the library runs statements of its own.
class library_turn {
  connection& db_;
  bool before_;

 public:
  explicit library_turn(connection& db) : db_(db), before_(std::exchange(db.handlers_turn, false)) {}
  library_turn(library_turn const&) = delete;
  library_turn& operator=(library_turn const&) = delete;
  ~library_turn() { db_.handlers_turn = before_; }
};

}}}  // namespace sluice::v0::detail::sqlite
