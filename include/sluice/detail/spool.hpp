/// \file detail/spool.hpp  A file without a name: bytes on their way to a server, or what was fetched from one.
#pragma once
#include <sluice/detail/files.hpp>
#include <sluice/detail/made_folders.hpp>

#include <sys/mman.h>

#include <cstdlib>

namespace sluice { inline namespace v0 { namespace detail {

/// Lies in $TMPDIR, else /tmp, from the first byte on; what holds it ends, it is gone. Throws store_error(store_full,
/// store_unavailable).
class spool {
  unique_fd file_{};
  std::uint64_t size_ = 0;

  static std::string folder() {
    auto const* const set = std::getenv("TMPDIR");
    return set && *set ? set : "/tmp";
  }
  void open() {
    auto const in = folder();
    auto name = in + "/sluice.XXXXXX";
    file_ = unique_fd{::mkostemp(name.data(), O_CLOEXEC)};
    if (!file_) throw_file_error(errno, "make a file", in);
    ::unlink(name.c_str());
  }

 public:
  std::uint64_t size() const { return size_; }
  void write(std::string_view bytes, std::uint64_t at) {
    if (!file_) open();
    if (int const e = posix_files{}.write(file_, bytes, at)) throw_file_error(e, "write a file", folder());
    size_ = std::max(size_, at + bytes.size());
  }
  /// Up to `count` bytes from `at`, fewer at the end.
  void read(std::uint64_t at, std::size_t count, std::string& out) const {
    out.clear();
    if (!file_) return;
    if (int const e = posix_files{}.read(file_, at, count, out)) throw_file_error(e, "read a file", folder());
  }

  /// All of it, without a copy; nothing is written meanwhile.
  class view {
    void* at_ = nullptr;
    std::size_t size_ = 0;

   public:
    explicit view(spool const& of) : size_(static_cast<std::size_t>(of.size_)) {
      if (size_ == 0) return;
      at_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, of.file_.get(), 0);
      if (at_ == MAP_FAILED) throw_file_error(errno, "read a file", folder());
    }
    view(view const&) = delete;
    view& operator=(view const&) = delete;
    ~view() {
      if (at_) ::munmap(at_, size_);
    }
    std::string_view text() const { return {static_cast<char const*>(at_), size_}; }
  };
};

}}}  // namespace sluice::v0::detail
