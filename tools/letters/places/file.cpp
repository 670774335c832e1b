// file:PATH, what dead_letter_file wrote. What has gone back is told by PATH.returned, beside it.
#include <sluice/detail/files.hpp>
#include <sluice/detail/sha256.hpp>

#include <algorithm>
#include <thread>

#include "../json.hpp"
#include "../place.hpp"
#include "../progress.hpp"

namespace letters_tool { namespace {

using sl::detail::posix_files;

class file final : public place {
  static constexpr std::size_t lines_of_a_page = 1000, bytes_of_a_page = 8 << 20;

  std::string path_, folder_, name_;
  bool all_, changes_;
  std::chrono::milliseconds timeout_;
  posix_files files_{};
  posix_files::handle letters_{};
  progress done_{};
  std::uint64_t end_ = 0;                         // behind the last whole line, when begin() was called
  std::vector<std::uint64_t> again_{};            // lines that were left, still to be looked at, the last one first
  std::uint64_t at_ = 0;                          // the next line to be looked at behind them
  std::uint64_t number_ = 0, counted_until_ = 0;  // of the lines before counted_until_
  std::vector<std::uint64_t> page_{};             // where its lines begin
  std::string read_{};                            // from read_at_ on
  std::uint64_t read_at_ = 0;

  [[noreturn]] void fail(std::string const& what) const { throw failure{name() + ": " + what}; }
  void check(int code, char const* doing) const {
    if (code) fail(std::string{doing} + ": " + sl::detail::errno_text(code));
  }
  std::string progress_path() const { return path_ + ".returned"; }

  /// The line that begins there, without its line feed.
  std::string line(std::uint64_t at) {
    std::string out;
    for (;;) {
      if (at < read_at_ || at >= read_at_ + read_.size()) {
        check(files_.read(letters_, at, 1 << 20, read_), "reading");
        read_at_ = at;
        if (read_.empty()) fail("it has become shorter while it was read");
      }
      auto const rest = std::string_view{read_}.substr(static_cast<std::size_t>(at - read_at_));
      auto const feed = rest.find('\n');
      out += rest.substr(0, feed);
      if (feed != rest.npos) return out;
      at += rest.size();
    }
  }
  std::uint64_t number_of(std::uint64_t at) {
    if (at < counted_until_) number_ = counted_until_ = 0;
    while (counted_until_ < at) {
      counted_until_ += line(counted_until_).size() + 1;
      ++number_;
    }
    return number_ + 1;
  }

  /// Behind the last whole line. While a consumer writes, what it has written may yet be taken back.
  std::uint64_t whole_lines() {
    auto const give_up = std::chrono::steady_clock::now() + timeout_;
    while (::flock(letters_.get(), LOCK_SH | LOCK_NB) != 0) {
      if (std::chrono::steady_clock::now() >= give_up) fail("another process holds it");
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    std::uint64_t size = 0;
    int e = files_.size(letters_, size);
    std::string piece;
    auto end = size;
    for (bool there = false; !e && !there && end > 0;) {
      auto const from = end - std::min<std::uint64_t>(end, 65'536);
      e = files_.read(letters_, from, static_cast<std::size_t>(end - from), piece);
      auto const feed = piece.rfind('\n');
      there = feed != piece.npos;
      end = there ? from + feed + 1 : from;
    }
    ::flock(letters_.get(), LOCK_UN);
    check(e, "reading");
    return end;
  }

  /// One process puts back: locks of this kind and those of the consumers that write don't see each other.
  void lock() {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(letters_.get(), F_OFD_SETLK, &whole) != 0)
      fail(errno == EAGAIN || errno == EACCES ? "another sluice-letters puts them back now"
                                              : "locking: " + sl::detail::errno_text(errno));
  }

  void load() {
    done_ = {};
    auto const first = end_ > 0 ? sl::detail::sha256(line(0)) : std::string{};
    posix_files::handle in;
    int const e = posix_files::opened(::open(progress_path().c_str(), O_RDONLY | O_CLOEXEC), in);
    if (e == ENOENT) {
      done_.first_line = first;
      return;
    }
    std::uint64_t size = 0;
    std::string text;
    check(e ? e : files_.size(in, size), "opening PATH.returned");
    check(files_.read(in, 0, static_cast<std::size_t>(size), text), "reading PATH.returned");
    try {
      done_ = progress_of(text, progress_path());
    } catch (failure const& why) { fail(why.what()); }
    bool const empty = done_.next == 0 && done_.left.empty();
    if (!empty && (done_.first_line != first || done_.next > end_))
      fail(progress_path() +
           " is about another file than the one that is here now. Was the file moved away, cut or begun "
           "anew? Then remove " +
           progress_path() + ", and all letters of this one go back");
    done_.first_line = first;
  }
  /// Whole, or as it was before.
  void save() {
    auto const text = text_of(done_);
    posix_files::handle folder, to;
    auto const slash = path_.rfind('/');
    auto const name = path_.substr(slash == path_.npos ? 0 : slash + 1) + ".returned", fresh = name + ".new";
    int e = files_.open_directory(slash == path_.npos ? "." : path_.substr(0, slash + 1), folder);
    if (!e) files_.remove(folder, fresh);
    if (!e) e = files_.create(folder, fresh, to);
    if (!e) e = files_.write(to, text, 0);
    if (!e) e = files_.sync(to);
    if (!e && ::renameat(folder.get(), fresh.c_str(), folder.get(), name.c_str()) != 0) e = errno;
    if (!e) e = files_.sync(folder);
    check(e, "letters have gone back, and that can't be written down, so they go again: writing PATH.returned");
  }

 public:
  explicit file(place_words const& w) : path_(w.place), all_(w.all), changes_(w.changes), timeout_(w.timeout) {
    if (path_.empty()) throw failure{"file: needs a path, as in file:/var/lib/billing/letters"};
    auto const e = posix_files::opened(::open(path_.c_str(), (changes_ ? O_RDWR : O_RDONLY) | O_CLOEXEC), letters_);
    check(e, "opening");
    if (changes_) lock();
  }
  std::string name() const override { return "file:" + path_; }

  void begin() override {
    read_.clear();
    number_ = counted_until_ = 0;
    end_ = whole_lines();
    load();
    again_.assign(done_.left.rbegin(), done_.left.rend());
    at_ = done_.next;
    if (all_) again_.clear(), at_ = 0;
  }

  std::vector<found> next() override {
    std::vector<found> page;
    page_.clear();
    std::size_t bytes = 0;
    while (page.size() < lines_of_a_page && bytes < bytes_of_a_page && (!again_.empty() || at_ < end_)) {
      auto at = at_;
      if (!again_.empty()) {
        at = again_.back();
        again_.pop_back();
      }
      auto const text = line(at);
      if (at == at_) at_ += text.size() + 1;
      bytes += text.size();
      page_.push_back(at);
      page.push_back(letter_of_line(text, "line " + std::to_string(number_of(at))));
    }
    return page;
  }

  std::vector<std::string> gone(std::vector<bool> const& which) override {
    auto const before = done_;
    for (std::size_t i = 0; i < which.size(); ++i)
      if (which[i])
        done_.left.erase(page_[i]);
      else
        done_.left.insert(page_[i]);
    done_.next = at_;
    if (before.next != done_.next || before.left != done_.left) save();
    return {};
  }
};

registered const mine{
    {.word = "file",
     .form = "file:PATH",
     .help = "what dead_letter_file wrote; PATH.returned, beside it, says what has gone back",
     .takes = {},
     .open = [](place_words const& w) -> std::unique_ptr<place> { return std::make_unique<file>(w); }}};

}}  // namespace letters_tool
