/// \file on_failure/dead_letter_file.hpp  Dead letters as lines of JSON in a file, durable before anything is advanced.
#pragma once
#include <sluice/detail/crash_point.hpp>
#include <sluice/detail/files.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/letter_json.hpp>

#include <algorithm>
#include <string>
#include <thread>

namespace sluice { inline namespace v0 {

namespace detail {

/// Whether the path leads to this file, and not to another or none. Answers 0 or an errno.
inline int is_path_of(posix_files&, std::string const& path, unique_fd const& file, bool& out) {
  struct stat open{}, there{};
  if (::fstat(file.get(), &open) < 0) return errno;
  out = ::lstat(path.c_str(), &there) == 0;
  if (!out) return errno == ENOENT ? 0 : errno;
  out = open.st_dev == there.st_dev && open.st_ino == there.st_ino;
  return 0;
}

}  // namespace detail

/// One line for each record that could not be handled: topic, partition, offset, incarnation, timestamp (ms since 1970),
/// key and value (base64, or null), headers (`[["name","base64"],…]`, null for one without a value), error, attempts,
/// first (ms since 1970, when it failed for the first time). The same letter may come twice, after a crash or a failed
/// flush: topic, incarnation, partition and offset tell. `sluice-letters` puts them back.
///
/// The file is made where it isn't there, mode 0600, and never shrinks but for a last line that was cut short by a crash.
/// Several consumers may share it. It may be moved away or removed while they run, as by logrotate without copytruncate:
/// the next letter makes it anew; one that is being written meanwhile is in the file that was moved, or in both. With
/// file_offsets and transactional the letters go into the store's own text file of this name instead:
/// read_text(directory, path).
///
///     sl::stream_consumer consumer{sl::at_least_once{}, sl::zookeeper_offsets{…},
///                                  sl::dead_letter_file{.path = "/var/lib/app/dead.jsonl"}, sl::kafka{…}};
///
/// With `each` one record is set aside, else the whole batch. Where a letter can't be kept, step() throws
/// error(dead_letter_failed), and the record comes again: nothing is advanced over it.
struct dead_letter_file {
  using slot = on_failure_slot;
  using must_be_configured = void;
  static constexpr bool into_file = true;

  std::string path{};
  std::size_t max_bytes = std::size_t{1} << 30;  ///< a letter that would make the file longer is an error

  template <class Files>
  class basic_runtime;
  using runtime = basic_runtime<detail::posix_files>;
  template <class Context = context>
  static detail::late<runtime, Context> open(dead_letter_file const& self, Context const&);
};

template <class Files>
class dead_letter_file::basic_runtime {
  Files files_;
  std::string path_;
  std::size_t max_bytes_;
  typename Files::handle file_{};
  std::string waiting_{};
  bool tried_ = false;  // to write what is waiting

  [[noreturn]] void fail(std::string const& why) const {
    throw error{errc::dead_letter_failed, "no dead letter can be kept in '" + path_ + "': " + why};
  }
  void check(int code, char const* doing) const {
    if (code)
      fail(std::string{doing} + ": " + detail::errno_text(code) + (detail::is_full(code) ? "; make room there" : ""));
  }

  /// Makes it where it isn't there. Another one who made it may not have come to sync its name. Where that fails the name
  /// stays: the file may hold another's letters by now.
  int open() {
    typename Files::handle file, folder;
    std::uint64_t size = 0;
    int e = files_.open_or_make(path_, file);
    if (!e) e = files_.size(file, size);
    if (!e) e = files_.open_directory(path_.substr(0, path_.rfind('/') + 1), folder);
    if (!e) e = files_.sync(folder);
    if (!e) file_ = std::move(file);
    return e;
  }
  bool is_named() {
    bool named = false;
    check(is_path_of(files_, path_, file_, named), "looking for it");
    return named;
  }

  /// Where the next line begins: behind the last line feed. What lies behind it is half a line that a crash left.
  std::uint64_t whole_lines() {
    std::uint64_t size = 0;
    check(files_.size(file_, size), "measuring");
    std::string piece;
    for (auto end = size; end > 0;) {
      auto const from = end - std::min<std::uint64_t>(end, end == size ? 1 : 4096);
      check(files_.read(file_, from, static_cast<std::size_t>(end - from), piece), "reading");
      if (auto const feed = piece.rfind('\n'); feed != piece.npos) return from + feed + 1;
      end = from;
    }
    return 0;
  }

 public:
  /// Throws error(bad_configuration) where the file can't be made or opened.
  basic_runtime(std::string path, std::size_t max_bytes, Files files = {})
      : files_(std::move(files)), path_(std::move(path)), max_bytes_(max_bytes) {
    auto const refuse = [&](int code) {
      throw error{errc::bad_configuration, "dead_letter_file.path: can't write to '" + path_ + "' (" +
                                               detail::errno_text(code) + "); name a file in a folder that is there"};
    };
    if (path_.empty()) throw error{errc::bad_configuration, "dead_letter_file.path is empty; name a file"};
    if (path_[0] != '/') {  // the program may go to another folder
      char here[4096];
      if (!::getcwd(here, sizeof here)) refuse(errno);
      path_ = std::string(here) + "/" + path_;
    }
    if (int const e = open()) refuse(e);
    if (!files_.lock(file_)) return;  // another one writes, and cuts
    check(files_.truncate(file_, whole_lines()), "cutting half a line");
    files_.unlock(file_);
  }
  basic_runtime(basic_runtime const&) = delete;
  basic_runtime& operator=(basic_runtime const&) = delete;

  /// After a failed flush the batch is handled again, and its letters come anew; with at_most_once they are lost.
  void keep(dead_letter const& letter, time_point) {
    if (std::exchange(tried_, false)) waiting_.clear();
    waiting_ += detail::json_line(letter);
  }

  /// All that was kept is on the disk, in the file that the path leads to, or error(dead_letter_failed); then it waits for
  /// the next try, unless a letter comes before. Waits until `by` for another consumer that is writing.
  void flush(time_point by) {
    if (waiting_.empty()) return;
    tried_ = true;
    while (!append(by)) {
      check(open(), "opening it anew");
      if (std::chrono::steady_clock::now() >= by) fail("it is moved away again and again");
    }
    waiting_.clear();
  }

 private:
  /// False: the file was moved away or removed, maybe with what was written.
  bool append(time_point by) {
    while (!files_.lock(file_)) {
      if (std::chrono::steady_clock::now() >= by) fail("another process holds it");
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    struct unlock {
      basic_runtime& self;
      ~unlock() { self.files_.unlock(self.file_); }
    } const at_the_end{*this};
    if (!is_named()) return false;
    auto const end = whole_lines();
    if (waiting_.size() > max_bytes_ || end > max_bytes_ - waiting_.size())
      fail("it would be longer than max_bytes, " + std::to_string(max_bytes_) + "; move it away or allow more");
    check(files_.truncate(file_, end), "cutting half a line");
    int e = files_.write(file_, waiting_, end);
    SLUICE_CRASH_POINT("letters written");
    if (!e) e = files_.sync_data(file_);
    if (e) {
      files_.truncate(file_, end);
      check(e, "writing");
    }
    return is_named();
  }
};

template <class Context>
detail::late<dead_letter_file::runtime, Context> dead_letter_file::open(dead_letter_file const& self, Context const&) {
  return detail::late<runtime, Context>{self.path, self.max_bytes};
}

}}  // namespace sluice::v0
