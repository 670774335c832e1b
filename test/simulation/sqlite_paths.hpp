/// \file simulation/sqlite_paths.hpp  What the library itself asks of the file system about a simulated database; other paths are the system's own.
#pragma once
#include "sqlite_vfs.hpp"

#ifdef SLUICE_SIMULATION_THREADS
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cstdarg>

namespace simulated_consumers {

/// f(files, folder, name), for a path on the simulated disk: an error number, or 0.
template <class F>
std::optional<int> on_simulated_disk(char const* path, F f) {
  auto const name = st::simulated::world_of_thread() ? sqlite_disk::name_in(path) : std::nullopt;
  if (!name) return {};
  disk_files files{&disk_of_sqlite->files};
  disk_files::handle folder;
  files.open_directory(".", folder);
  int const e = f(files, folder, *name);
  return e ? (errno = e, -1) : 0;
}
inline int whether_it_is_there(disk_files& files, disk_files::handle const& folder, std::string const& name) {
  disk_files::handle it;
  if (name.empty()) return 0;
  auto& w = disk_of_sqlite->files.w;
  w.ends(w.begins(call::lock));
  return files.open_directory(folder, name, it);
}

}  // namespace simulated_consumers

extern "C" {
int access(char const* path, int mode) noexcept {
  namespace sim = simulated_consumers;
  if (auto const e = sim::on_simulated_disk(path, sim::whether_it_is_there)) return *e;
  static auto* const real = sluice::testing::simulated::next_in_libraries<int(char const*, int)>("access");
  return real(path, mode);
}
/// Only to make files, which nobody writes to by that descriptor.
int open(char const* path, int flags, ...) {
  namespace sim = simulated_consumers;
  mode_t mode = 0;
  if (flags & (O_CREAT | O_TMPFILE)) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  auto const e = sim::on_simulated_disk(path, [](auto& files, auto const& folder, std::string const& name) {
    sim::disk_files::handle made;
    return files.create(folder, name, made);
  });
  if (e) return *e ? *e : ::eventfd(0, 0);
  static auto* const real = sluice::testing::simulated::next_in_libraries<int(char const*, int, ...)>("open");
  return real(path, flags, mode);
}
int link(char const* from, char const* to) noexcept {
  namespace sim = simulated_consumers;
  auto const e = sim::on_simulated_disk(from, [to](auto& files, auto const& folder, std::string const& name) {
    return files.link(folder, name, sim::sqlite_disk::name_in(to).value_or(""));
  });
  if (e) return *e;
  static auto* const real = sluice::testing::simulated::next_in_libraries<int(char const*, char const*)>("link");
  return real(from, to);
}
int unlink(char const* path) noexcept {
  namespace sim = simulated_consumers;
  auto const e = sim::on_simulated_disk(
      path, [](auto& files, auto const& folder, std::string const& name) { return files.remove(folder, name); });
  if (e) return *e;
  static auto* const real = sluice::testing::simulated::next_in_libraries<int(char const*)>("unlink");
  return real(path);
}
int stat(char const* path, struct stat* out) noexcept {
  namespace sim = simulated_consumers;
  if (auto const e = sim::on_simulated_disk(path, sim::whether_it_is_there)) {
    *out = {};
    out->st_mode = S_IFREG | 0600;
    return *e;
  }
  static auto* const real = sluice::testing::simulated::next_in_libraries<int(char const*, struct stat*)>("stat");
  return real(path, out);
}
/// A local file system.
int statfs(char const* path, struct statfs* out) noexcept {
  namespace sim = simulated_consumers;
  if (auto const e = sim::on_simulated_disk(path, sim::whether_it_is_there)) {
    *out = {};
    return *e;
  }
  static auto* const real = sluice::testing::simulated::next_in_libraries<int(char const*, struct statfs*)>("statfs");
  return real(path, out);
}
}
#endif
