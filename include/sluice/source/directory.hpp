/// \file source/directory.hpp  New files of a directory, each once, line by line.
#pragma once
#include <sluice/source/directory_journal.hpp>
#include <sluice/source/local_source.hpp>
#include <sluice/source/record_image.hpp>

#include <sys/inotify.h>
#include <sys/stat.h>

#include <map>
#include <set>
#include <tuple>

namespace sluice { inline namespace v0 {

template <class Late>
class directory_log;

/// A file that was seen and not read to its end is gone, or another one than it was.
enum class lost_file {
  stop,  ///< step() throws error(position_missing)
  skip   ///< what was not read of it is left out, told
};

/// Each line of each file is a record, without its line feed. A file is read once, when it has not changed for `settle`, or
/// at once when it was renamed into the directory while the consumer ran: that is how to hand files over (write elsewhere
/// on the same file system, then rename). Names that begin with a dot are left out, and so are folders, links, and what does
/// not end with `suffix`.
///
/// What a file is, is told by its device, inode, size and time of change. A change after it was seen is told, and the file is
/// not read again. Files that are older than `remember` when they are seen first are left out; those that were read and are
/// older, or gone, are forgotten: so what is kept stays small. It is kept in `journal`, a folder for this consumer alone.
///
/// The offset of a line is the sum of the sizes of all files before its own, and its first byte's place in that one.
struct directory_source {
  using slot = source_slot;
  using must_be_configured = void;
  using runtime = local_source<directory_log<void>>;
  static constexpr bool has_group = false;
  static constexpr bool assigned_by_hand = true;

  std::string directory{};
  std::string group{};    ///< the name under which positions are kept
  std::string journal{};  ///< empty: `.sluice.GROUP` in the directory
  std::string topic = "files";
  std::string suffix{};
  std::chrono::milliseconds settle{2000};
  std::chrono::milliseconds scan_every{500};
  std::chrono::seconds remember{std::chrono::hours{24 * 7}};
  std::size_t max_record = 1 << 20;  ///< bytes of a line; a longer one is left out, told
  lost_file on_lost_file = lost_file::stop;
  std::optional<start_at> start{};  ///< latest: what is there at the group's first start is left out
  out_of_range on_out_of_range = out_of_range::stop;
  position_error on_position_error = position_error::stop;
  read_until until{};

  /// Throws error(bad_configuration).
  template <class Context>
  static detail::late<runtime, Context> open(directory_source const& self, Context const&);
};

template <class Late>
class directory_log {
  struct looked_at {
    detail::seen_file file{};
    time_point since{};  // unchanged
  };
  using files = detail::posix_files;

  directory_source config_;
  detail::directory_journal<files> journal_{};
  std::vector<topic_partition> of_;
  detail::unique_fd folder_{}, watch_{};
  time_point next_scan_{};
  std::map<std::string, looked_at> waiting_{};
  std::set<std::string> renamed_in_{}, told_{};
  std::vector<std::string> to_tell_{};
  bool told_of_old_ = false;

  // The file that is being read, and the piece of it that is in memory.
  std::optional<detail::seen_file> reading_{};
  detail::unique_fd file_{};
  std::string piece_{};
  std::uint64_t piece_at_ = 0;  // offset of piece_[0]
  bool in_long_line_ = false;
  std::uint64_t stored_ = 0;

  static constexpr std::size_t chunk = 256 << 10;

 public:
  static constexpr bool numbers_anew = false;

  directory_log(detail::bell&, directory_source config) : config_(std::move(config)), of_{{config_.topic, 0}} {}
  directory_log(directory_log const&) = delete;
  directory_log& operator=(directory_log const&) = delete;

  void open(time_point) {
    folder_ = detail::unique_fd{::open(config_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder_)
      throw error(errc::bad_configuration, "directory_source.directory: can't open '" + config_.directory + "' (" +
                                               detail::errno_text(errno) + "); name a folder that is there");
    journal_.open(config_.journal.empty() ? config_.directory + "/.sluice." + detail::file_name(config_.group)
                                          : config_.journal);
    watch_ = detail::unique_fd{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (watch_) ::inotify_add_watch(watch_.get(), config_.directory.c_str(), IN_MOVED_TO | IN_ONLYDIR);
    stored_ = journal_.state.low;
    scan(std::chrono::steady_clock::now());
  }
  bool close(time_point) { return true; }
  std::vector<topic_partition> const& partitions() const { return of_; }
  client::watermarks ends(std::size_t) const {
    return {as_offset(journal_.state.low), as_offset(journal_.state.end), true};
  }
  std::int32_t mark() const { return static_cast<std::int32_t>(journal_.state.id[0] & 0x7FFFFFFF); }
  bool ended(std::size_t) const { return false; }
  std::optional<time_point> next_due() const { return next_scan_; }
  detail::message_access const* access() const { return &detail::image_access; }

  void tend(source_owner& owner, time_point now) {
    if (now >= next_scan_) scan(now);
    for (auto const& text : std::exchange(to_tell_, {})) owner.troubled(errc::client_failed, text);
  }
  void stored(std::size_t, offset until) { stored_ = static_cast<std::uint64_t>(until.value()); }

  /// A line is compared by what the journal says of its file, which is in the mark and the offset already.
  std::optional<fingerprint> print_at(std::size_t, offset) const { return {}; }

  offset take(std::size_t, offset from, offset until, std::size_t want, std::size_t max_bytes, intake& in) {
    auto at = static_cast<std::uint64_t>(from.value());
    auto const behind = static_cast<std::uint64_t>(until.value());
    detail::block_ptr block;
    std::vector<std::pair<std::size_t, std::uint64_t>> lines;  // in the block, offset
    while (lines.size() < want && in.bytes < max_bytes && at < behind && at < journal_.state.end) {
      if (!block) {
        block.reset(new detail::record_block);
        block->data.reserve(chunk);
      }
      std::string_view line;
      std::uint64_t next = 0;
      found what = nothing;
      try {
        what = next_line(at, line, next);
      } catch (error const&) {
        if (lines.empty()) throw;  // otherwise next time, behind the good lines
      }
      if (what == nothing) break;
      if (what == a_line) {
        received const r{.value = line, .timestamp = modified(*reading_)};
        auto const place = block->data.size() + detail::record_block::head;
        block->data.resize(place + detail::image_size(r));
        detail::write_image(r, block->data.data() + place);
        lines.emplace_back(place, at);
        in.bytes += line.size();
      }
      at = next;
    }
    // Only now: the block's memory has moved while it grew.
    auto const room = in.messages.room_for(lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i)
      room[i] = block->lend(lines[i].first, static_cast<std::int64_t>(lines[i].second));
    in.messages.keep(lines.size());
    return as_offset(at);
  }
  void give_back(std::span<detail::message const> messages) {
    for (auto const& m : messages) detail::record_block::give_back(m);
  }

 private:
  enum found { nothing, a_line, passed_by };
  static offset as_offset(std::uint64_t n) { return offset{static_cast<std::int64_t>(n)}; }
  static wall_time modified(detail::seen_file const& f) {
    return wall_time{std::chrono::milliseconds{f.modified_ns / 1'000'000}};
  }
  void tell(std::string text) { to_tell_.push_back(config_.directory + "/" + std::move(text)); }
  void tell_once(std::string const& key, std::string text) {
    if (told_.size() > 10'000) told_.clear();
    if (told_.insert(key).second) tell(std::move(text));
  }

  static detail::seen_file identity(std::string const& name, struct stat const& s) {
    return {0,
            static_cast<std::uint64_t>(s.st_dev),
            static_cast<std::uint64_t>(s.st_ino),
            static_cast<std::uint64_t>(s.st_size),
            std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec,
            name};
  }
  using what_it_is = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::int64_t>;
  static what_it_is identity(detail::seen_file const& f) { return {f.device, f.inode, f.size, f.modified_ns}; }
  static bool same(detail::seen_file const& a, detail::seen_file const& b) { return identity(a) == identity(b); }

  // ---- seeing

  void hear_of_renames() {
    alignas(inotify_event) char room[4096];
    for (ssize_t n = 0; watch_ && (n = ::read(watch_.get(), room, sizeof room)) > 0;)
      for (char const* p = room; p < room + n;) {
        auto const* e = reinterpret_cast<inotify_event const*>(p);
        if (e->len != 0 && renamed_in_.size() < 100'000) renamed_in_.insert(e->name);
        p += sizeof(inotify_event) + e->len;
      }
  }

  void scan(time_point now) {
    next_scan_ = now + config_.scan_every;
    hear_of_renames();
    std::vector<std::string> names;
    files own;
    detail::unique_fd again{::open(config_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    int const e = again ? own.list(again, names) : errno;
    if (e) return tell_once("gone", "the directory can't be read: " + detail::errno_text(e) + "; looked at again");
    told_.erase("gone");
    std::swap(folder_, again);
    std::map<std::string, detail::seen_file const*> by_name;
    std::set<what_it_is> seen;
    for (auto const& f : journal_.state.files) {
      by_name[f.name] = &f;
      seen.insert(identity(f));
    }
    std::map<std::string, looked_at> waiting;
    std::vector<detail::seen_file> fresh;
    std::size_t too_old = 0;
    auto const wall = std::chrono::system_clock::now().time_since_epoch();
    auto const oldest = std::chrono::duration_cast<std::chrono::nanoseconds>(wall - config_.remember).count();
    auto const settled = std::chrono::duration_cast<std::chrono::nanoseconds>(wall - config_.settle).count();
    for (auto const& name : names) {
      struct stat s{};
      if (name.starts_with('.') || !name.ends_with(config_.suffix)) continue;
      if (::fstatat(folder_.get(), name.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(s.st_mode)) continue;
      auto const one = identity(name, s);
      if (seen.contains(identity(one))) continue;
      if (auto const k = by_name.find(name);
          k != by_name.end() && k->second->inode == one.inode && k->second->device == one.device) {
        tell_once(
            name + std::to_string(one.modified_ns) + "/" + std::to_string(one.size),
            name +
                " was changed after it was seen: what was changed is not read; write each file once, under a name of "
                "its own");
        continue;
      }
      if (one.modified_ns < oldest) {
        ++too_old;
        continue;
      }
      auto const before = waiting_.find(name);
      auto& now_waiting = waiting[name];
      now_waiting = before != waiting_.end() && same(before->second.file, one) ? before->second : looked_at{one, now};
      if (renamed_in_.contains(name) || now - now_waiting.since >= config_.settle || one.modified_ns <= settled)
        fresh.push_back(one);
    }
    waiting_ = std::move(waiting);
    std::erase_if(renamed_in_, [&](auto const& name) { return !waiting_.contains(name); });
    if (too_old != 0 && !std::exchange(told_of_old_, true))
      tell(std::to_string(too_old) + " files are older than .remember: they were read long ago, or are left out");
    bool const pruned = forget(oldest);
    if (fresh.empty() && !pruned) return;
    std::sort(fresh.begin(), fresh.end(), [](auto const& a, auto const& b) {
      return std::tie(a.modified_ns, a.name) < std::tie(b.modified_ns, b.name);
    });
    auto const kept = journal_.state;
    for (auto& f : fresh) {
      f.first = journal_.state.end;
      journal_.state.end += f.size;
      journal_.state.files.push_back(f);
    }
    try {
      journal_.keep();
    } catch (store_error const& e2) {
      journal_.state = kept;
      return tell_once("journal", std::string{"the journal can't be kept: "} + e2.what());
    }
    told_.erase("journal");
    for (auto const& f : fresh) {
      waiting_.erase(f.name);
      renamed_in_.erase(f.name);
    }
  }

  /// Of the files that are read and stored, those that are too old to be taken for new ones. True: there were some.
  bool forget(std::int64_t oldest) {
    auto& s = journal_.state;
    auto const old =
        std::erase_if(s.files, [&](auto const& f) { return f.end() <= stored_ && f.modified_ns < oldest; });
    if (old != 0) s.low = s.files.empty() ? stored_ : std::min(stored_, s.files.front().first);
    return old != 0;
  }

  // ---- reading

  /// The line that begins at `at`, or what has to be passed by.
  found next_line(std::uint64_t at, std::string_view& line, std::uint64_t& next) {
    if (!open_file(at, next)) return next > at ? passed_by : nothing;
    auto const& f = *reading_;
    for (;;) {
      auto const in_piece = static_cast<std::size_t>(at - piece_at_);
      auto const feed = in_piece <= piece_.size() ? piece_.find('\n', in_piece) : piece_.npos;
      bool const to_end = piece_at_ + piece_.size() == f.end();
      if (feed != piece_.npos || to_end) {
        auto const end = feed == piece_.npos ? piece_.size() : feed;
        line = std::string_view{piece_}.substr(in_piece, end - in_piece);
        next = piece_at_ + end + (feed == piece_.npos ? 0 : 1);
        if (std::exchange(in_long_line_, false)) return passed_by;
        if (line.size() <= config_.max_record) {
          if (line.ends_with('\r')) line.remove_suffix(1);
          return a_line;
        }
        tell_long(f, at);
        return passed_by;
      }
      if (piece_.size() - in_piece > config_.max_record) {
        if (!std::exchange(in_long_line_, true)) tell_long(f, at);
        next = piece_at_ + piece_.size();
        return passed_by;
      }
      if (!read_on(at)) {
        next = f.end();
        return lost(f, at, "it is not what it was when it was seen"), passed_by;
      }
    }
  }
  void tell_long(detail::seen_file const& f, std::uint64_t at) {
    tell(f.name + ": the line at byte " + std::to_string(at - f.first) + " is longer than .max_record, " +
         std::to_string(config_.max_record) + " bytes, and is left out");
  }

  /// Opens the file that `at` lies in. False: there is none, or it was lost and `next` is behind it.
  bool open_file(std::uint64_t at, std::uint64_t& next) {
    next = at;
    if (reading_ && at >= reading_->first && at < reading_->end() && at >= piece_at_ && at <= piece_at_ + piece_.size())
      return true;
    in_long_line_ = false;
    auto const& all = journal_.state.files;
    auto const f = std::find_if(all.begin(), all.end(), [&](auto const& one) { return at < one.end(); });
    if (f == all.end()) return false;
    if (f->first > at) {
      next = f->first;  // those in between were read and are forgotten
      return false;
    }
    if (!reading_ || !same(*reading_, *f)) {
      reading_.reset();
      file_ = detail::unique_fd{::openat(folder_.get(), f->name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
      if (!file_) file_ = under_another_name(*f);
      if (!file_ || !is_unchanged(*f)) {
        lost(*f, at, file_ ? "it was changed" : "it is gone");
        next = f->end();
        return false;
      }
      reading_ = *f;
    }
    piece_.clear();
    piece_at_ = at;
    return true;
  }
  bool is_unchanged(detail::seen_file const& f) const {
    struct stat s{};
    return ::fstat(file_.get(), &s) == 0 && same(f, identity(f.name, s));
  }
  detail::unique_fd under_another_name(detail::seen_file const& f) const {
    std::vector<std::string> names;
    files own;
    own.list(folder_, names);
    for (auto const& name : names) {
      struct stat s{};
      if (::fstatat(folder_.get(), name.c_str(), &s, AT_SYMLINK_NOFOLLOW) == 0 && same(f, identity(name, s)))
        return detail::unique_fd{::openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    }
    return {};
  }

  /// More of the file behind piece_, of which what lies before `at` is dropped. False: it isn't there, or not the same.
  bool read_on(std::uint64_t at) {
    auto const& f = *reading_;
    piece_.erase(0, static_cast<std::size_t>(at - piece_at_));
    piece_at_ = at;
    auto const from = piece_at_ + piece_.size() - f.first;
    std::string more;
    files own;
    auto const want = static_cast<std::size_t>(std::min<std::uint64_t>(chunk, f.size - from));
    if (own.read(file_, from, want, more) != 0 || more.size() < want || !is_unchanged(f)) return false;
    piece_ += more;
    return true;
  }

  /// Throws, or tells; then it is passed by.
  void lost(detail::seen_file const f, std::uint64_t at, std::string const& why) {
    reading_.reset();
    auto const text = f.name + ": " + why + ", and " + std::to_string(f.end() - at) + " of its " +
                      std::to_string(f.size) + " bytes were not read";
    if (config_.on_lost_file == lost_file::stop)
      throw error(errc::position_missing, config_.directory + "/" + text +
                                              "; put it back as it was, or choose directory_source{.on_lost_file = "
                                              "lost_file::skip}");
    tell(text + "; they are left out");
  }
};

template <class Context>
detail::late<directory_source::runtime, Context> directory_source::open(directory_source const& self, Context const&) {
  if (self.directory.empty() || self.scan_every.count() <= 0 || self.settle.count() < 0 || self.remember.count() <= 0 ||
      self.max_record == 0)
    throw error(errc::bad_configuration,
                "directory_source: .directory must name a folder, .scan_every, .remember and .max_record be above 0, "
                ".settle not "
                "negative");
  return detail::late<runtime, Context>{
      local_plan{self.start.value_or(start_at::earliest), self.on_out_of_range, self.on_position_error, self.until},
      self};
}

}}  // namespace sluice::v0
