/// \file simulation/sqlite_vfs.hpp  SQLite in simulated processes: its files lie on a disk that fails, its memory, time and chance are the simulation's.
///
/// The disk keeps what SQLite relies on (www.sqlite.org/atomiccommit.html, wal.html): a sync that succeeds, locks, and that a name is not
/// both removed and there. What stands beside a write stays as it was, which is what SQLite assumes on Unix
/// (www.sqlite.org/psow.html).
#pragma once
#include "sqlite_locks.hpp"

#ifdef SLUICE_SIMULATION_THREADS
#include <cstring>

namespace simulated_consumers {

/// The disk of the schedule that runs, with what processes share of each file, by its node.
struct sqlite_disk {
  static constexpr std::string_view folder = "/simulated/";

  disk files;
  std::map<int, sqlite_locks> locks{};
  std::uint32_t opened = 0;

  sqlite_disk(st::simulated::world& world, disk::watcher& by) : files(world, by) {}
  void reset() {
    files.reset();
    locks.clear();
    opened = 0;
  }
  /// A name in it, where the path leads there.
  static std::optional<std::string> name_in(char const* path) {
    if (!path || !std::string_view{path}.starts_with(folder)) return {};
    return std::string{std::string_view{path}.substr(folder.size())};
  }
};
inline thread_local sqlite_disk* disk_of_sqlite = nullptr;  // of the schedule that runs

class sqlite_file {
  struct at_work : sqlite3_file {
    disk_files::handle what;
    opener me;
    char const* name;  // of one that goes when it is closed; SQLite keeps it
    bool sync_folder;  // its name may be new
  };
  static at_work& of(sqlite3_file* f) { return *static_cast<at_work*>(f); }
  static disk_files files() { return disk_files{&disk_of_sqlite->files}; }
  static st::simulated::world& world() { return disk_of_sqlite->files.w; }
  static disk_files::handle folder() {
    disk_files::handle h;
    files().open_directory(".", h);
    return h;
  }
  static sqlite_locks& locks(sqlite3_file* f) { return disk_of_sqlite->locks[of(f).what.node()]; }
  /// Others may run here, and this process may die.
  template <class F>
  static auto shared(F f) {
    auto const wrong = world().begins(call::lock);
    auto const answer = [&] {
      outside const o;
      return f();
    }();
    world().ends(wrong);
    return answer;
  }

 public:
  static constexpr int bytes = sizeof(at_work);

  static int open(sqlite3_vfs*, char const* path, sqlite3_file* f, int flags, int* out) {
    f->pMethods = nullptr;
    auto const name = sqlite_disk::name_in(path);
    disk_files::handle h;
    if (!name) {
      outside const o;
      disk_of_sqlite->files.nodes.emplace_back();
      h = {&disk_of_sqlite->files, static_cast<int>(disk_of_sqlite->files.nodes.size()) - 1};
    } else {
      int e = files().open_to_write(folder(), *name, h);
      if (e == ENOENT && (flags & SQLITE_OPEN_CREATE)) {
        e = files().create(folder(), *name, h);
        if (e == EEXIST) e = files().open_to_write(folder(), *name, h);
      }
      if (e) return SQLITE_CANTOPEN;
    }
    auto const kinds = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    auto* const it = new (f) at_work{{}, std::move(h), {}, nullptr, (flags & SQLITE_OPEN_CREATE) && (flags & kinds)};
    it->me = {world().current(), world().life(), ++disk_of_sqlite->opened};
    if (flags & SQLITE_OPEN_DELETEONCLOSE) it->name = path;
    it->pMethods = methods();
    if (out) *out = flags;
    return SQLITE_OK;
  }

 private:
  static int close(sqlite3_file* f) {
    if (auto const name = sqlite_disk::name_in(of(f).name)) files().remove(folder(), *name);
    {
      outside const o;
      locks(f).unmap(of(f).me);
      locks(f).leave(of(f).me, SQLITE_LOCK_NONE);
    }
    of(f).~at_work();
    f->pMethods = nullptr;
    return SQLITE_OK;
  }
  static int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
    std::string found;
    auto const size = static_cast<std::size_t>(n);
    if (files().read(of(f).what, static_cast<std::uint64_t>(at), size, found)) return SQLITE_IOERR_READ;
    std::memcpy(to, found.data(), found.size());
    std::memset(static_cast<char*>(to) + found.size(), 0, size - found.size());
    return found.size() == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* f, void const* from, int n, sqlite3_int64 at) {
    std::string_view const text{static_cast<char const*>(from), static_cast<std::size_t>(n)};
    int const e = files().write(of(f).what, text, static_cast<std::uint64_t>(at));
    return e == ENOSPC ? SQLITE_FULL : e ? SQLITE_IOERR_WRITE : SQLITE_OK;
  }
  static int truncate(sqlite3_file* f, sqlite3_int64 to) {
    return files().truncate(of(f).what, static_cast<std::uint64_t>(to)) ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
  }
  /// As SQLite does it on Unix: a new log's name is made durable with what stands in it. There a failure of that goes unheard, so here it
  /// does not fail.
  static int sync(sqlite3_file* f, int) {
    if (files().sync(of(f).what)) return SQLITE_IOERR_FSYNC;
    if (std::exchange(of(f).sync_folder, false)) shared([] { return disk_of_sqlite->files.sync_names(0), 0; });
    return SQLITE_OK;
  }
  static int file_size(sqlite3_file* f, sqlite3_int64* out) {
    std::uint64_t size = 0;
    files().size(of(f).what, size);
    *out = static_cast<sqlite3_int64>(size);
    return SQLITE_OK;
  }

  static int lock(sqlite3_file* f, int level) {
    return shared([&] { return locks(f).take(world(), of(f).me, level) >= level ? SQLITE_OK : SQLITE_BUSY; });
  }
  static int unlock(sqlite3_file* f, int level) {
    return shared([&] { return locks(f).leave(of(f).me, level), SQLITE_OK; });
  }
  static int is_reserved(sqlite3_file* f, int* out) {
    return *out = shared([&] { return locks(f).is_reserved(world()); }), SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 512; }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int map(sqlite3_file* f, int which, int, int make, void volatile** out) {
    *out = shared([&] { return locks(f).map(world(), of(f).me, static_cast<std::size_t>(which), make != 0); });
    return SQLITE_OK;
  }
  static int lock_shared(sqlite3_file* f, int from, int count, int how) {
    return shared([&] {
      auto const a = static_cast<std::size_t>(from), n = static_cast<std::size_t>(count);
      if (how & SQLITE_SHM_UNLOCK) return locks(f).leave(of(f).me, a, n), SQLITE_OK;
      return locks(f).take(world(), of(f).me, a, n, (how & SQLITE_SHM_EXCLUSIVE) != 0) ? SQLITE_OK : SQLITE_BUSY;
    });
  }
  static void barrier(sqlite3_file*) {
    shared([] { return 0; });
  }
  static int unmap(sqlite3_file* f, int) {
    return shared([&] { return locks(f).unmap(of(f).me), SQLITE_OK; });
  }

  static sqlite3_io_methods const* methods() {
    static sqlite3_io_methods const all{
        2,      close,       read,    write,       truncate,        sync, file_size,   lock,
        unlock, is_reserved, control, sector_size, characteristics, map,  lock_shared, barrier,
        unmap,  nullptr,     nullptr};
    return &all;
  }
  friend class sqlite_system;
};

/// What SQLite asks of a system: registered as its own, once.
class sqlite_system {
  static int remove(sqlite3_vfs*, char const* path, int sync) {
    auto const name = sqlite_disk::name_in(path);
    if (!name) return SQLITE_IOERR_DELETE;
    int const e = sqlite_file::files().remove(sqlite_file::folder(), *name);
    if (e == ENOENT) return SQLITE_IOERR_DELETE_NOENT;
    if (e) return SQLITE_IOERR_DELETE;
    return sync && sqlite_file::files().sync(sqlite_file::folder()) ? SQLITE_IOERR_DIR_FSYNC : SQLITE_OK;
  }
  /// An empty file is none for SQLite on Unix.
  static int access(sqlite3_vfs*, char const* path, int what, int* out) {
    auto const name = sqlite_disk::name_in(path);
    *out = name && sqlite_file::shared([&] {
             auto& all = disk_of_sqlite->files;
             auto const at = all.at(0).names.find(*name);
             return at != all.at(0).names.end() && (what != SQLITE_ACCESS_EXISTS || !all.at(at->second).data.empty());
           });
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, char const* path, int room, char* out) {
    auto const n = std::strlen(path);
    if (n >= static_cast<std::size_t>(room)) return SQLITE_CANTOPEN;
    std::memcpy(out, path, n + 1);
    return SQLITE_OK;
  }
  static int chance(sqlite3_vfs*, int n, char* out) {
    for (int i = 0; i < n; ++i) out[i] = static_cast<char>(sqlite_file::world().bits.next());
    return n;
  }
  static int sleep(sqlite3_vfs*, int us) {
    auto& w = sqlite_file::world();
    auto const f = w.begins(call::rest);
    w.sleep_until(w.now + us);
    w.ends(f);
    return us;
  }
  static int time_ms(sqlite3_vfs*, sqlite3_int64* out) {
    *out = sqlite_file::world().wall_ms() + 210'866'760'000'000;  // since the Julian day 0
    return SQLITE_OK;
  }
  static int time(sqlite3_vfs* v, double* out) {
    sqlite3_int64 ms = 0;
    time_ms(v, &ms);
    *out = static_cast<double>(ms) / 86'400'000;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }

  // Of the process that runs: then a killed one leaves nothing. With its size before it, which SQLite wants to know.
  static constexpr std::size_t header = 16;
  static void* take(int n) noexcept {
    auto* const p = static_cast<char*>(operator new(static_cast<std::size_t>(n) + header, std::nothrow));
    if (!p) return nullptr;
    std::memcpy(p, &n, sizeof n);
    return p + header;
  }
  static int size_of(void* p) {
    int n = 0;
    if (p) std::memcpy(&n, static_cast<char*>(p) - header, sizeof n);
    return n;
  }
  static void give(void* p) {
    if (p) operator delete(static_cast<char*>(p) - header);
  }
  static void* resize(void* p, int n) {
    auto* const fresh = take(n);
    if (!fresh) return nullptr;
    std::memcpy(fresh, p, static_cast<std::size_t>(std::min(n, size_of(p))));
    give(p);
    return fresh;
  }
  static int round_up(int n) { return (n + 7) & ~7; }
  static int begin(void*) { return SQLITE_OK; }
  static void end(void*) {}

 public:
  /// Before SQLite is used for the first time. `on_open`: called with each connection.
  static void install(int (*on_open)(sqlite3*, char const**, sqlite3_api_routines const*)) {
    static sqlite3_mem_methods const memory{take, give, resize, size_of, round_up, begin, end, nullptr};
    static sqlite3_vfs system{2,
                              sqlite_file::bytes,
                              512,
                              nullptr,
                              "simulated",
                              nullptr,
                              sqlite_file::open,
                              remove,
                              access,
                              full_path,
                              nullptr,
                              nullptr,
                              nullptr,
                              nullptr,
                              chance,
                              sleep,
                              time,
                              last_error,
                              time_ms,
                              nullptr,
                              nullptr,
                              nullptr};
    auto const must = [](int rc) {
      if (rc != SQLITE_OK) throw std::runtime_error(std::string{"SQLite can't be simulated: "} + sqlite3_errstr(rc));
    };
    must(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD));  // its locks would be those of processes
    must(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0));
    must(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory));
    must(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0));
    must(sqlite3_initialize());
    must(sqlite3_vfs_register(&system, 1));
    must(sqlite3_auto_extension(reinterpret_cast<void (*)()>(on_open)));
  }
};

}  // namespace simulated_consumers
#endif
