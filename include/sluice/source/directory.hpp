/// \file source/directory.hpp  New files of a directory, each once, line by line.
#pragma once
#include <sluice/source/directory_scan.hpp>
#include <sluice/source/local_source.hpp>
#include <sluice/source/record_image.hpp>

namespace sluice { inline namespace v0 {

template <class Late>
class directory_log;

/// A file that was seen and not read to its end is gone, or another one than it was. Where that can't be told, or a read fails
/// (no descriptor is left, a right is missing, the disk fails, its file system is not mounted), step() throws
/// store_error(store_unavailable) under either of them, and the next one tries it again.
enum class lost_file {
  stop,  ///< step() throws error(position_missing)
  skip   ///< what was not read of it is left out, told
};

/// Each line of each file is a record, without its line feed. A file is read once, when it has not changed for `settle`, or
/// at once when it was renamed into the directory while the consumer ran: that is how to hand files over (write elsewhere
/// on the same file system, then rename). Names that begin with a dot are left out, and so are folders, links, and what does
/// not end with `suffix`.
///
/// What a file is, is told by its inode, size and time of change: two names of one file are one file. A change after it was
/// seen is told, and the file is not read again; renamed only, it is still itself. Renamed and then changed it is a new file,
/// and is read whole: it can't be told from one that got the inode of a file that was removed, and that must not be left out.
/// So leave alone what was handed over. Files that are older than `remember` when they are seen first are left out; those that
/// were read and are older are forgotten, and what is no newer than one of them is left out too: so what is kept stays small.
/// It is kept in `journal`, a folder for this consumer alone.
///
/// The offset of a line is the sum of the sizes of all files before its own, and its first byte's place in that one. An
/// offset within a line stands for the line behind it.
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
  using files = detail::posix_files;

  directory_source config_;
  detail::directory_journal<files> journal_{};
  std::vector<topic_partition> of_;
  detail::directory_scan scan_{config_.directory, config_.suffix, config_.settle, config_.remember};
  time_point next_scan_{};

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
    if (int const e = scan_.open())
      throw error(errc::bad_configuration, "directory_source.directory: can't open '" + config_.directory + "' (" +
                                               detail::errno_text(e) + "); name a folder that is there");
    journal_.open(config_.journal.empty() ? config_.directory + "/.sluice." + detail::file_name(config_.group)
                                          : config_.journal);
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
    for (auto const& text : scan_.take_told()) owner.troubled(errc::client_failed, text);
  }
  void stored(std::size_t, offset until) { stored_ = static_cast<std::uint64_t>(until.value()); }

  /// A line is compared by what the journal says of its file, which is in the mark and the offset already.
  std::optional<fingerprint> print_at(std::size_t, offset) const { return {}; }

  offset take(std::size_t, offset from, offset until, std::size_t want, std::size_t max_bytes, intake& in) {
    auto at = static_cast<std::uint64_t>(from.value());
    auto const behind = static_cast<std::uint64_t>(until.value());
    detail::block_ptr block;
    std::vector<std::pair<std::size_t, std::uint64_t>> lines;  // in the block, offset
    auto const has_room = [&] { return !block || block->data.size() < detail::most_image; };
    while (lines.size() < want && in.bytes < max_bytes && has_room() && at < behind && at < journal_.state.end) {
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
        if (lines.empty() && as_offset(at) == from) throw;  // otherwise next time, behind what is done with
      }
      if (what == nothing) break;
      if (what == a_line) {
        received const r{.value = line, .timestamp = modified(*reading_)};
        lines.emplace_back(block->add(r), at);
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
  void scan(time_point now) {
    next_scan_ = now + config_.scan_every;
    auto changed = journal_.state;
    if (!scan_.look(now, changed, stored_)) return;
    std::swap(journal_.state, changed);
    try {
      journal_.keep();
      scan_.tell_again("journal");
    } catch (store_error const& e) {
      journal_.state = std::move(changed);
      scan_.tell_once("journal", std::string{"the journal can't be kept: "} + e.what());
    }
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
    scan_.tell(f.name + ": the line at byte " + std::to_string(at - f.first) + " is longer than .max_record, " +
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
    if (!reading_ || reading_->first != f->first || !detail::same(*reading_, *f)) {
      reading_.reset();
      file_ = find(*f);
      if (!file_) {
        next = f->end();
        return lost(*f, at, "it is gone, or was changed"), false;
      }
      reading_ = *f;
    }
    piece_.clear();
    piece_at_ = at;
    in_long_line_ = is_within_a_line(at);
    return true;
  }
  /// Then what is left of it is passed by: it was too long, or somebody sought there.
  bool is_within_a_line(std::uint64_t at) {
    auto const byte = at - reading_->first;
    if (byte == 0) return false;
    std::string before;
    if (int const e = files{}.read(file_, byte - 1, 1, before)) cant_read(reading_->name, e);
    return before != "\n";
  }
  bool is_unchanged(detail::unique_fd const& file, detail::seen_file const& f) {
    struct stat s{};
    if (int const e = files::done(::fstat(file.get(), &s))) cant_read(f.name, e);
    return detail::same(f, detail::identity(f.name, s));
  }
  /// Under its name or another one. None: it is not there as it was seen. Throws store_error: that can't be told.
  detail::unique_fd find(detail::seen_file const& f) {
    if (auto file = open_as(f.name, f)) return file;
    std::vector<std::string> names;
    files own;
    if (int const e = own.list(scan_.folder(), names)) cant_read(f.name, e);
    for (auto const& name : names)
      if (auto file = open_as(name, f)) return file;
    if (scan_.is_elsewhere())
      throw store_error(errc::store_unavailable,
                        "can't read " + f.name + " in " + config_.directory +
                            ": that is on another file system now; mount the one that has the file, or start again");
    return {};
  }
  detail::unique_fd open_as(std::string const& name, detail::seen_file const& f) {
    struct stat s{};
    int const e = files::done(::fstatat(scan_.folder().get(), name.c_str(), &s, AT_SYMLINK_NOFOLLOW));
    if (e && e != ENOENT) cant_read(name, e);
    if (e || !detail::same(f, detail::identity(name, s))) return {};
    detail::unique_fd file;
    if (int const why = files{}.open_to_read(scan_.folder(), name, file)) cant_read(name, why);
    return is_unchanged(file, f) ? std::move(file) : detail::unique_fd{};
  }
  /// The next try opens it anew.
  [[noreturn]] void cant_read(std::string const& name, int code) {
    auto const doing = "read " + name;
    reading_.reset();
    detail::throw_file_error(code, doing, config_.directory);
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
    if (int const e = own.read(file_, from, want, more)) cant_read(f.name, e);
    if (more.size() < want || !is_unchanged(file_, f)) return false;
    piece_ += more;
    return true;
  }

  /// Throws, or tells; then it is passed by.
  void lost(detail::seen_file const& f, std::uint64_t at, std::string const& why) {
    auto const text = f.name + ": " + why + ", and " + std::to_string(f.end() - at) + " of its " +
                      std::to_string(f.size) + " bytes were not read";
    reading_.reset();
    if (config_.on_lost_file == lost_file::stop)
      throw error(errc::position_missing, config_.directory + "/" + text +
                                              "; put it back as it was, or choose directory_source{.on_lost_file = "
                                              "lost_file::skip}");
    scan_.tell(text + "; they are left out");
  }
};

template <class Context>
detail::late<directory_source::runtime, Context> directory_source::open(directory_source const& self, Context const&) {
  if (self.directory.empty() || self.scan_every.count() <= 0 || self.settle.count() < 0 || self.remember.count() <= 0 ||
      self.max_record == 0 || self.max_record >= detail::most_image)
    throw error(errc::bad_configuration,
                "directory_source: .directory must name a folder, .scan_every, .remember and .max_record be above 0, "
                ".settle not negative, and .max_record below 1 GiB");
  return detail::late<runtime, Context>{
      local_plan{self.start.value_or(start_at::earliest), self.on_out_of_range, self.on_position_error, self.until},
      self};
}

}}  // namespace sluice::v0
