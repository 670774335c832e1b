/// \file sqlite_support.hpp  For the tests of what is kept in SQLite: a folder, a look into a file, a disk that fails.
#pragma once
#include <sluice/offset_store/sqlite.hpp>

#include <sqlite3.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "some_records.hpp"

/// A folder of its own for each test, gone afterwards.
struct folder {
  std::string path{};
  folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "sluice-sqlite-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    path = pattern;
  }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() { std::filesystem::remove_all(path); }
  std::string operator/(std::string const& name) const { return path + "/" + name; }
};

/// A plain connection, to look at a file or to get in the way.
class plain {
  sqlite3* db_ = nullptr;

 public:
  explicit plain(std::string const& file) {
    if (sqlite3_open(file.c_str(), &db_) != SQLITE_OK) throw std::runtime_error("can't open " + file);
    sqlite3_busy_timeout(db_, 5000);
  }
  plain(plain const&) = delete;
  plain& operator=(plain const&) = delete;
  ~plain() { sqlite3_close(db_); }

  /// All rows, columns between '|', null as "null".
  std::vector<std::string> rows(std::string const& sql) {
    std::vector<std::string> all;
    char* message = nullptr;
    auto const one = [](void* to, int n, char** values, char**) {
      std::string row;
      for (int i = 0; i < n; ++i) row += (i ? "|" : "") + std::string(values[i] ? values[i] : "null");
      static_cast<std::vector<std::string>*>(to)->push_back(row);
      return 0;
    };
    if (sqlite3_exec(db_, sql.c_str(), one, &all, &message) != SQLITE_OK) {
      std::string const what = message;
      sqlite3_free(message);
      throw std::runtime_error(what);
    }
    return all;
  }
};

inline std::vector<std::string> rows(std::string const& file, std::string const& sql) { return plain{file}.rows(sql); }

/// A disk that fails when told to, under every file that this program opens from now on.
class failing_disk {
  struct file : sqlite3_file {
    bool log = false;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    static sqlite3_file* of(sqlite3_file* f) { return static_cast<file*>(f)->real(); }
  };
  static inline sqlite3_vfs* below = nullptr;

  static int open(sqlite3_vfs*, char const* name, sqlite3_file* f, int flags, int* out) {
    auto* self = static_cast<file*>(f);
    self->pMethods = nullptr;
    self->log = (flags & SQLITE_OPEN_WAL) != 0;
    if (no_opens) return SQLITE_CANTOPEN;
    int const rc = below->xOpen(below, name, self->real(), flags, out);
    if (rc == SQLITE_OK) self->pMethods = &methods;
    return rc;
  }
  static int sync(sqlite3_file* f, int flags) {
    log_syncs += static_cast<file*>(f)->log;
    if (static_cast<file*>(f)->log && log_syncs_fail > 0) {
      --log_syncs_fail;
      return SQLITE_IOERR_FSYNC;
    }
    return of(f)->pMethods->xSync(of(f), flags);
  }
  static int write(sqlite3_file* f, void const* data, int n, sqlite3_int64 at) {
    if (full) return SQLITE_FULL;
    if (static_cast<file*>(f)->log) log_bytes += n;
    return of(f)->pMethods->xWrite(of(f), data, n, at);
  }
  static sqlite3_file* of(sqlite3_file* f) { return file::of(f); }

  static inline sqlite3_io_methods const methods{
      3,
      [](sqlite3_file* f) { return of(f)->pMethods->xClose(of(f)); },
      [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) { return of(f)->pMethods->xRead(of(f), to, n, at); },
      write,
      [](sqlite3_file* f, sqlite3_int64 n) { return of(f)->pMethods->xTruncate(of(f), n); },
      sync,
      [](sqlite3_file* f, sqlite3_int64* n) { return of(f)->pMethods->xFileSize(of(f), n); },
      [](sqlite3_file* f, int l) { return of(f)->pMethods->xLock(of(f), l); },
      [](sqlite3_file* f, int l) { return of(f)->pMethods->xUnlock(of(f), l); },
      [](sqlite3_file* f, int* r) { return of(f)->pMethods->xCheckReservedLock(of(f), r); },
      [](sqlite3_file* f, int op, void* arg) { return of(f)->pMethods->xFileControl(of(f), op, arg); },
      [](sqlite3_file* f) { return of(f)->pMethods->xSectorSize(of(f)); },
      [](sqlite3_file* f) { return of(f)->pMethods->xDeviceCharacteristics(of(f)); },
      [](sqlite3_file* f, int i, int n, int e, void volatile** p) {
        return of(f)->pMethods->xShmMap(of(f), i, n, e, p);
      },
      [](sqlite3_file* f, int o, int n, int flags) { return of(f)->pMethods->xShmLock(of(f), o, n, flags); },
      [](sqlite3_file* f) { of(f)->pMethods->xShmBarrier(of(f)); },
      [](sqlite3_file* f, int d) { return of(f)->pMethods->xShmUnmap(of(f), d); },
      [](sqlite3_file* f, sqlite3_int64 o, int n, void** p) { return of(f)->pMethods->xFetch(of(f), o, n, p); },
      [](sqlite3_file* f, sqlite3_int64 o, void* p) { return of(f)->pMethods->xUnfetch(of(f), o, p); }};

 public:
  static inline int log_syncs_fail = 0;            // how many of the next fsyncs of write-ahead logs fail
  static inline int log_syncs = 0, log_bytes = 0;  // so far
  static inline bool full = false;                 // no write has room
  static inline bool no_opens = false;             // as with too many open files

  failing_disk() {
    static sqlite3_vfs vfs;
    if (below) return;
    below = sqlite3_vfs_find(nullptr);
    vfs = *below;
    vfs.zName = "failing";
    vfs.pNext = nullptr;
    vfs.szOsFile = below->szOsFile + static_cast<int>(sizeof(file));
    vfs.xOpen = open;
    sqlite3_vfs_register(&vfs, 1);
  }
  failing_disk(failing_disk const&) = delete;
  failing_disk& operator=(failing_disk const&) = delete;
  ~failing_disk() {
    log_syncs_fail = 0;
    full = no_opens = false;
  }
};

/// A file of its own.
struct sqlite_fixture {
  using store = sl::sqlite_offset_store;
  static inline std::string const all_letters =
      "select grp, topic, partition, \"offset\", incarnation, timestamp, \"key\", value, headers, error, attempts, "
      "\"first\" "
      "from"
      " sluice_offsets_skipped order by partition";
  static inline std::string const letter_value = "value", letter_error = "br'oken", letter_shown = "value",
                                  error_shown = "br'oken";

  failing_disk disk{};
  folder in{};
  sl::sqlite_offsets config{.path = in / "billing.db"};

  std::unique_ptr<store> open() { return std::unique_ptr<store>{new store(sl::sqlite_offsets::open(config, {}))}; }
  void forget(std::string const& group, sl::topic_partition const& of) {
    look("delete from sluice_offsets where grp = '" + group + "' and topic = '" + of.topic +
         "' and partition = " + std::to_string(of.partition));
  }
  std::vector<std::string> causes() { return look("select cause from sluice_offsets_rewinds order by rowid"); }
  void write(sl::sqlite_transaction& tx, std::string const& text) {
    tx.execute("create table if not exists results (what text)");
    tx.execute("insert into results values (?)", text);
  }
  std::vector<std::string> results() {
    look("create table if not exists results (what text)");
    return look("select what from results order by 1");
  }
  std::vector<std::string> look(std::string const& sql) { return rows(config.path, sql); }
};
