/// \file detail/files.hpp  The few operations on files that durable stores are made of, each with its errno.
///
/// Stores and outputs are templates over these, so that a test can put a file system of its own in their place, lose
/// what was not synced, and fail any call. Every function answers 0 or an errno. Nothing here follows a symbolic link
/// below the folder that was opened by its path.
#pragma once
#include <sluice/error.hpp>
#include <sluice/record.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dirent.h>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

class unique_fd {
  int fd_ = -1;

 public:
  unique_fd() = default;
  explicit unique_fd(int fd) : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  unique_fd(unique_fd const&) = delete;
  unique_fd& operator=(unique_fd const&) = delete;
  ~unique_fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }
};

inline std::string errno_text(int code) { return std::error_code(code, std::generic_category()).message(); }

/// No space, in one of its disguises.
inline bool is_full(int code) { return code == ENOSPC || code == EDQUOT || code == EFBIG; }

inline std::uint64_t random_bits() {
  std::uint64_t bits = 0;
  while (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) {}
  return bits;
}

inline std::string hex16(std::uint64_t bits) {
  std::string out(16, '0');
  for (std::size_t i = 16; i-- > 0; bits >>= 4) out[i] = "0123456789abcdef"[bits & 15];
  return out;
}

/// The machine's own file system.
struct posix_files {
  using handle = unique_fd;

  static int opened(int fd, handle& out) {
    if (fd < 0) return errno;
    out = handle{fd};
    return 0;
  }
  static int done(int result) { return result < 0 ? errno : 0; }

  int open_directory(std::string const& path, handle& out) {
    return opened(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), out);
  }
  int open_directory(handle const& in, std::string const& name, handle& out) {
    return opened(::openat(in.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), out);
  }
  int make_directory(handle const& in, std::string const& name) {
    return done(::mkdirat(in.get(), name.c_str(), 0700));
  }
  /// The names in a folder. Linux holds the folder's lock for each read of 32 KiB, so a small folder is seen at one
  /// moment, whatever others do to it.
  template <class Names>
  int list(handle const& in, Names& out) {
    out.clear();
    handle again;
    if (int const e = opened(::openat(in.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), again)) return e;
    struct open_folder {
      DIR* at;
      ~open_folder() {
        if (at) ::closedir(at);
      }
    } const folder{::fdopendir(again.get())};
    if (!folder.at) return errno;
    again.release();
    for (errno = 0; auto const* entry = ::readdir(folder.at); errno = 0) {
      std::string_view const name = entry->d_name;
      if (name != "." && name != "..") out.emplace_back(name);
    }
    return errno;
  }
  /// A new file, mode 0600; EEXIST where the name is taken.
  int create(handle const& in, std::string const& name, handle& out) {
    return opened(::openat(in.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), out);
  }
  int open_to_write(handle const& in, std::string const& name, handle& out) {
    return opened(::openat(in.get(), name.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC), out);
  }
  /// To be read and written; made, mode 0600, where it isn't there.
  int open_or_make(std::string const& path, handle& out) {
    return opened(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), out);
  }
  int open_to_read(handle const& in, std::string const& name, handle& out) {
    return opened(::openat(in.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC), out);
  }
  int write(handle const& to, std::string_view text, std::uint64_t at) {
    while (!text.empty()) {
      auto const n = ::pwrite(to.get(), text.data(), text.size(), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno;
      text.remove_prefix(static_cast<std::size_t>(n));
      at += static_cast<std::uint64_t>(n);
    }
    return 0;
  }
  /// Up to `count` bytes from `at`; fewer at the end of the file.
  int read(handle const& from, std::uint64_t at, std::size_t count, std::string& out) {
    out.resize(count);
    std::size_t got = 0;
    while (got < count) {
      auto const n = ::pread(from.get(), out.data() + got, count - got, static_cast<off_t>(at + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno;
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    out.resize(got);
    return 0;
  }
  /// EINVAL for what is no ordinary file.
  int size(handle const& of, std::uint64_t& out) {
    struct stat s{};
    if (::fstat(of.get(), &s) < 0) return errno;
    out = static_cast<std::uint64_t>(s.st_size);
    return S_ISREG(s.st_mode) ? 0 : EINVAL;
  }
  int truncate(handle const& of, std::uint64_t size) { return done(::ftruncate(of.get(), static_cast<off_t>(size))); }
  /// A file's bytes and length, or a folder's names, are on the disk. After a failure nobody knows which are.
  int sync(handle const& of) { return done(::fsync(of.get())); }
  /// A file's bytes, and of its length what is needed to read them.
  int sync_data(handle const& of) { return done(::fdatasync(of.get())); }
  /// The kernel writes these bytes from now on, so that a sync will have less to do; what fails, fails there.
  void begin_sync(handle const& of, std::uint64_t at, std::size_t count) {
    (void)::sync_file_range(of.get(), static_cast<off_t>(at), static_cast<off_t>(count), SYNC_FILE_RANGE_WRITE);
  }
  /// Gives a file or folder its final name; EEXIST where that is taken, never replaces.
  int publish(handle const& in, std::string const& from, std::string const& to) {
    if (::renameat2(in.get(), from.c_str(), in.get(), to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    if (::linkat(in.get(), from.c_str(), in.get(), to.c_str(), 0) < 0) return errno;
    ::unlinkat(in.get(), from.c_str(), 0);
    return 0;
  }
  /// The same for a folder that holds something: no file system replaces one by a rename.
  int publish_directory(handle const& in, std::string const& from, std::string const& to) {
    int const e = done(::renameat(in.get(), from.c_str(), in.get(), to.c_str()));
    return e == ENOTEMPTY ? EEXIST : e;
  }
  int remove(handle const& in, std::string const& name) { return done(::unlinkat(in.get(), name.c_str(), 0)); }
  int remove_directory(handle const& in, std::string const& name) {
    return done(::unlinkat(in.get(), name.c_str(), AT_REMOVEDIR));
  }
  /// True where no living process holds the file; then we do, until it is closed.
  bool lock(handle const& of) { return ::flock(of.get(), LOCK_EX | LOCK_NB) == 0; }
  void unlock(handle const& of) { ::flock(of.get(), LOCK_UN); }
  /// The same beside others who share it.
  bool share(handle const& of) { return ::flock(of.get(), LOCK_SH | LOCK_NB) == 0; }
  int native(handle const& of) const { return of.get(); }
};

}}}  // namespace sluice::v0::detail
