/// \file simulation/sqlite_copy.hpp  A copy of a database's files in memory, which SQLite opens without any fault: what a loss of power would leave.
#pragma once
#include <sluice/error.hpp>

#include "sqlite_vfs.hpp"

#ifdef SLUICE_SIMULATION_THREADS
namespace simulated_consumers {

/// Files by their names, and the memory that processes share.
struct database_files {
  std::map<std::string, std::string> by_name{};
  sqlite_locks::memory shared{};
  friend bool operator==(database_files const&, database_files const&) = default;
};

class copy_vfs {
  inline static thread_local database_files* served_ = nullptr;
  struct at_work : sqlite3_file {
    std::string* bytes;
  };
  static std::string& of(sqlite3_file* f) { return *static_cast<at_work*>(f)->bytes; }

  static int open(sqlite3_vfs*, char const* name, sqlite3_file* f, int flags, int* out) {
    f->pMethods = nullptr;
    if (!name || (!(flags & SQLITE_OPEN_CREATE) && !served_->by_name.contains(name))) return SQLITE_CANTOPEN;
    new (f) at_work{{}, &served_->by_name[name]};
    f->pMethods = methods();
    if (out) *out = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs*, char const* name, int) {
    return served_->by_name.erase(name) > 0 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
  }
  static int access(sqlite3_vfs*, char const* name, int, int* out) {
    auto const at = served_->by_name.find(name);
    *out = at != served_->by_name.end() && !at->second.empty();
    return SQLITE_OK;
  }
  static int close(sqlite3_file*) { return SQLITE_OK; }
  static int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
    auto const size = static_cast<std::size_t>(n);
    auto const found = static_cast<std::size_t>(at) < of(f).size()
                           ? of(f).copy(static_cast<char*>(to), size, static_cast<std::size_t>(at))
                           : 0;
    std::memset(static_cast<char*>(to) + found, 0, size - found);
    return found == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* f, void const* from, int n, sqlite3_int64 at) {
    auto const begin = static_cast<std::size_t>(at), size = static_cast<std::size_t>(n);
    if (of(f).size() < begin + size) of(f).resize(begin + size);
    of(f).replace(begin, size, static_cast<char const*>(from), size);
    return SQLITE_OK;
  }
  static int truncate(sqlite3_file* f, sqlite3_int64 to) {
    return of(f).resize(static_cast<std::size_t>(to)), SQLITE_OK;
  }
  static int file_size(sqlite3_file* f, sqlite3_int64* out) {
    return *out = static_cast<sqlite3_int64>(of(f).size()), SQLITE_OK;
  }
  static int done(sqlite3_file*, int) { return SQLITE_OK; }
  static int none(sqlite3_file*, int* out) { return *out = 0, SQLITE_OK; }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int nothing(sqlite3_file*) { return 0; }
  static int map(sqlite3_file*, int which, int, int make, void volatile** out) {
    auto const at = static_cast<std::size_t>(which);
    while (make && served_->shared.size() <= at) served_->shared.emplace_back();
    *out = at < served_->shared.size() ? served_->shared[at].data() : nullptr;
    return SQLITE_OK;
  }
  static int lock(sqlite3_file*, int, int, int) { return SQLITE_OK; }
  static void barrier(sqlite3_file*) {}
  static sqlite3_io_methods const* methods() {
    static sqlite3_io_methods const all{2,    close,   read, write,   truncate, done,    file_size,
                                        done, done,    none, control, nothing,  nothing, map,
                                        lock, barrier, done, nullptr, nullptr};
    return &all;
  }

 public:
  static constexpr char const* called = "copies";
  static void serve(database_files* files) { served_ = files; }
  /// Behind sqlite_system::install().
  static void install() {
    auto system = *sqlite3_vfs_find(nullptr);
    static sqlite3_vfs mine;
    mine = system;
    mine.zName = called;
    mine.szOsFile = sizeof(at_work);
    mine.xOpen = open;
    mine.xDelete = remove;
    mine.xAccess = access;
    sqlite3_vfs_register(&mine, 0);
  }
};

/// A connection to such a copy, which may change it (a log is played back). Throws std::runtime_error.
class database_copy {
  database_files files_;
  sqlite3* db_ = nullptr;

 public:
  database_copy(database_files files, char const* path) : files_(std::move(files)) {
    copy_vfs::serve(&files_);
    auto const flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(path, &db_, flags, copy_vfs::called) != SQLITE_OK) fail("can't be opened");
    sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  database_copy(database_copy const&) = delete;
  database_copy& operator=(database_copy const&) = delete;
  ~database_copy() { sqlite3_close(db_); }

  database_files const& files() const { return files_; }
  /// read(statement) for each row.
  template <class Read>
  void each(char const* sql, Read read) {
    sqlite3_stmt* s = nullptr;
    if (sqlite3_prepare_v2(db_, sql, -1, &s, nullptr) != SQLITE_OK) fail(sql);
    for (int rc; (rc = sqlite3_step(s)) != SQLITE_DONE;) {
      if (rc != SQLITE_ROW) {
        auto const why = std::string{sqlite3_errmsg(db_)};
        sqlite3_finalize(s);
        throw std::runtime_error(std::string{sql} + ": " + why);
      }
      read(s);
    }
    sqlite3_finalize(s);
  }
  void run(char const* sql) {
    each(sql, [](sqlite3_stmt*) {});
  }
  std::string text(char const* sql) {
    std::string found;
    each(sql, [&](sqlite3_stmt* s) {
      if (auto const* const t = sqlite3_column_text(s, 0)) found = reinterpret_cast<char const*>(t);
    });
    return found;
  }
  bool has(std::string const& table) {
    return text(("select 1 from sqlite_schema where name = '" + table + "'").c_str()) == "1";
  }

 private:
  [[noreturn]] void fail(char const* doing) {
    std::string const why = sqlite3_errmsg(db_);
    sqlite3_close(db_);
    db_ = nullptr;
    throw std::runtime_error(std::string{doing} + ": " + why);
  }
};

}  // namespace simulated_consumers
#endif
