/// \file detail/spool.hpp  A file without a name: bytes on their way to a server, or what was fetched from one.
#pragma once
#include <sluice/detail/files.hpp>
#include <sluice/detail/made_folders.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace sluice { inline namespace v0 { namespace detail {

/// Up to 256 KiB stay in memory; more lies in $TMPDIR, else /tmp, and is gone when what holds it ends. Throws
/// store_error(store_full, store_unavailable).
class spool {
  static constexpr std::size_t small = std::size_t{256} << 10;

  std::string text_{};  // without a file
  unique_fd file_{};
  std::uint64_t size_ = 0;

  static std::string folder() {
    auto const* const set = std::getenv("TMPDIR");
    return set && *set ? set : "/tmp";
  }
  static void check(int code, char const* doing) {
    if (code) throw_file_error(code, doing, folder());
  }
  void open() {
    auto name = folder() + "/sluice.XXXXXX";
    unique_fd file{::mkostemp(name.data(), O_CLOEXEC)};
    check(file ? 0 : errno, "make a file");
    ::unlink(name.c_str());
    check(posix_files{}.write(file, text_, 0), "write a file");
    file_ = std::move(file);
    text_ = {};
  }

 public:
  std::uint64_t size() const { return size_; }
  void write(std::string_view bytes, std::uint64_t at) {
    auto const end = at + bytes.size();
    size_ = std::max(size_, end);
    if (!file_ && end <= small) {
      text_.resize(std::max(text_.size(), static_cast<std::size_t>(end)));
      text_.replace(static_cast<std::size_t>(at), bytes.size(), bytes);
      return;
    }
    if (!file_) open();
    check(posix_files{}.write(file_, bytes, at), "write a file");
  }
  /// Up to `count` bytes from `at`, fewer at the end.
  void read(std::uint64_t at, std::size_t count, std::string& out) const {
    if (file_)
      check(posix_files{}.read(file_, at, count, out), "read a file");
    else
      out = at < text_.size() ? text_.substr(static_cast<std::size_t>(at), count) : "";
  }

  /// All of it, without a copy; nothing is written meanwhile.
  class view {
    std::string_view text_{};
    void* at_ = nullptr;

   public:
    explicit view(spool const& of) : text_(of.text_) {
      if (!of.file_) return;
      auto const size = static_cast<std::size_t>(of.size_);
      at_ = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, of.file_.get(), 0);
      if (at_ == MAP_FAILED) check(errno, "read a file");
      text_ = {static_cast<char const*>(at_), size};
    }
    view(view const&) = delete;
    view& operator=(view const&) = delete;
    ~view() {
      if (at_) ::munmap(at_, text_.size());
    }
    std::string_view text() const { return text_; }
  };
};

}}}  // namespace sluice::v0::detail
