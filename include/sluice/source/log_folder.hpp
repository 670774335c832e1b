/// \file source/log_folder.hpp  A write-ahead log as a folder of segments: opened and checked, appended to by groups, trimmed.
///
/// segment.NUMBER holds the records from NUMBER on, up to where the next segment begins. A new one has its header and its
/// name on the disk before a record is written into it. After a sync that failed nobody knows what of its file is on the disk:
/// it is appended to no more, and the next segment begins behind the last record that was synced. Nor does the next process
/// know, which still reads it: what no mark says to be on the disk is written once more before it counts.
///
/// Segments before a gap were removed, and are there again since the disk forgot it; they are left out. Where it is the one
/// in the gap that was lost, the position lies before low(), which is an error of the position.
#pragma once
#include <sluice/detail/kept_text.hpp>
#include <sluice/detail/own_folder.hpp>
#include <sluice/source/log_format.hpp>

#include <algorithm>
#include <deque>
#include <mutex>

namespace sluice { inline namespace v0 { namespace detail {

struct log_segment {
  std::uint64_t first = 0, end = 0;  ///< records
  std::uint64_t bytes = 0;           ///< up to the last one, on the disk
};

inline std::string log_segment_name(std::uint64_t first) { return "segment." + padded(first); }

/// open() first; append, trim on one thread, the rest on any.
template <class Files>
class log_folder {
  static constexpr std::size_t chunk = 1 << 20, at_once = 128 << 10;

  Files files_;
  std::string path_;
  own_folder<Files> folder_{};
  kept_text<Files> note_{"note"};
  log_id id_{};
  mutable std::mutex guard_{};
  std::deque<log_segment> segments_{};  // guarded
  typename Files::handle active_{};
  std::vector<std::uint64_t> left_out_{};
  bool broken_ = true;           // nothing may be appended to the last segment
  bool removal_synced_ = false;  // of the segment before the first one

  void check(int code, char const* doing) const {
    if (code) throw_file_error(code, doing, path_);
  }
  [[noreturn]] void damaged(std::string const& name, std::uint64_t at, std::string const& what) const {
    throw store_error(errc::store_damaged,
                      path_ + "/" + name + " is damaged at byte " + std::to_string(at) + ": " + what +
                          "; put the folder back from a backup, or move it away to begin a new log, "
                          "which loses what it holds");
  }

 public:
  log_folder(Files files, std::string path) : files_(std::move(files)), path_(std::move(path)) {}
  log_folder(log_folder const&) = delete;
  log_folder& operator=(log_folder const&) = delete;

  log_id const& id() const { return id_; }
  std::string const& path() const { return path_; }
  Files& files() { return files_; }

  /// Locks the folder, checks all that is in it, cuts a torn end. Throws error(bad_configuration), store_error
  /// (store_damaged, store_newer, store_unavailable: another process has it).
  void open() {
    folder_.open(files_, path_, "write_ahead_log.folder");
    std::vector<std::string> names;
    check(files_.list(folder_.handle(), names), "list the files");
    std::vector<std::uint64_t> firsts;
    for (auto const& name : names)
      if (name.starts_with("segment."))
        if (auto const n = padded_number(std::string_view{name}.substr(8))) firsts.push_back(*n);
    std::sort(firsts.begin(), firsts.end());
    std::deque<log_segment> found;
    for (std::size_t i = 0; i < firsts.size(); ++i) {
      bool const last = i + 1 == firsts.size();
      auto const s = checked(firsts[i], last ? std::nullopt : std::optional{firsts[i + 1]}, i == 0);
      if (s) found.push_back(*s);
      if (s && !last && s->end < firsts[i + 1])
        for (; !found.empty(); found.pop_front()) left_out_.push_back(found.front().first);
    }
    if (found.empty() && !left_out_.empty())
      damaged(log_segment_name(firsts.back()), 0, "it holds nothing, and there is none before it");
    if (found.empty()) id_ = {random_bits(), random_bits()};
    std::lock_guard const lock{guard_};
    segments_ = std::move(found);
  }

  /// Writes records that number from end() on, a group that append_frame made and that gets its mark here, and returns when
  /// they are on the disk. Throws store_error: none of them is visible, and the same may be tried again.
  void append(std::string& group, std::uint64_t count, std::uint64_t segment_bytes) {
    log_segment last;
    {
      std::lock_guard const lock{guard_};
      if (!segments_.empty()) last = segments_.back();
    }
    if (broken_ || last.bytes >= segment_bytes) last = begin_segment(last);
    auto const mark = log_mark(id_, last.bytes, base_of(group));
    std::copy(mark.begin(), mark.end(), group.begin());  // bytes alone: others look at its size meanwhile
    int e = write(group, last.bytes);
    if (e) {
      if (files_.truncate(active_, last.bytes)) broken_ = true;
      check(e, "write a segment");
    }
    if ((e = sync_data())) {
      broken_ = true;
      check(e, "sync a segment");
    }
    std::lock_guard const lock{guard_};
    segments_.back().bytes += group.size();
    segments_.back().end += count;
  }

  /// Removes segments all of whose records lie before the one before `stored`, which stays to be compared; one after the other,
  /// so that after a loss of power none stands there again without those behind it. False: one could not be removed now.
  bool trim(std::uint64_t stored) {
    std::erase_if(left_out_, [&](auto first) {
      return first < stored && files_.remove(folder_.handle(), log_segment_name(first)) == 0;
    });
    for (;;) {
      log_segment oldest;
      {
        std::lock_guard const lock{guard_};
        if (segments_.size() < 2 || segments_[1].first >= stored) return true;
        oldest = segments_.front();
      }
      if (!removal_synced_ && files_.sync(folder_.handle())) return false;
      removal_synced_ = true;
      int const e = files_.remove(folder_.handle(), log_segment_name(oldest.first));
      if (e && e != ENOENT) return false;
      removal_synced_ = false;
      std::lock_guard const lock{guard_};
      segments_.pop_front();
    }
  }
  /// A text of the receiver's beside the segments, if it has one.
  std::optional<std::string> note() {
    auto const text = note_.load(files_, folder_.handle(), path_);
    if (!text) return {};
    auto const whole = unsealed(*text);
    if (!whole)
      throw store_error(errc::store_damaged, path_ + "/" + note_.name() + " is damaged; put it back from a backup");
    return std::string{*whole};
  }
  void keep_note(std::string text) { note_.keep(files_, folder_.handle(), path_, sealed(std::move(text))); }

  bool can_trim(std::uint64_t stored) const {
    std::lock_guard const lock{guard_};
    return segments_.size() > 1 && segments_[1].first < stored;
  }

  std::uint64_t low() const {
    std::lock_guard const lock{guard_};
    return segments_.empty() ? 0 : segments_.front().first;
  }
  std::uint64_t end() const {
    std::lock_guard const lock{guard_};
    return segments_.empty() ? 0 : segments_.back().end;
  }
  std::uint64_t bytes() const {
    std::lock_guard const lock{guard_};
    std::uint64_t sum = 0;
    for (auto const& s : segments_) sum += s.bytes;
    return sum;
  }
  /// Where record `n` is, or will be next.
  std::optional<log_segment> segment_of(std::uint64_t n) const {
    std::lock_guard const lock{guard_};
    for (auto s = segments_.rbegin(); s != segments_.rend(); ++s)
      if (s->first <= n) return n < s->end ? std::optional{*s} : std::nullopt;
    return {};
  }
  void open_segment(std::uint64_t first, typename Files::handle& out) {
    check(files_.open_to_read(folder_.handle(), log_segment_name(first), out), "open a segment");
  }
  void read(typename Files::handle const& from, std::uint64_t at, std::size_t count, std::string& out) {
    check(files_.read(from, at, count, out), "read a segment");
  }
  [[noreturn]] void is_damaged(std::uint64_t first, std::uint64_t at, std::uint64_t number) const {
    damaged(log_segment_name(first), at, "no record " + std::to_string(number));
  }

 private:
  /// The beginning of a large group is on its way to the disk while the rest is copied; and some disks are several times
  /// faster with it in pieces.
  int write(std::string_view group, std::uint64_t at) {
    if constexpr (requires { files_.begin_sync(active_, at, at_once); })
      for (; group.size() > at_once; group.remove_prefix(at_once), at += at_once) {
        if (int const e = files_.write(active_, group.substr(0, at_once), at)) return e;
        files_.begin_sync(active_, at, at_once);
      }
    return files_.write(active_, group, at);
  }
  int sync_data() {
    if constexpr (requires { files_.sync_data(active_); })
      return files_.sync_data(active_);
    else
      return files_.sync(active_);
  }

  /// Checks the segment, whose records end where the next one begins. None: it never came to hold a record.
  std::optional<log_segment> checked(std::uint64_t first, std::optional<std::uint64_t> next, bool is_first) {
    auto const name = log_segment_name(first);
    typename Files::handle file;
    std::uint64_t size = 0;
    std::string text;
    check(files_.open_to_read(folder_.handle(), name, file), "open a segment");
    check(files_.size(file, size), "measure a segment");
    check(files_.read(file, 0, log_header_size, text), "read a segment");
    auto const header = read_log_header(text);
    if (!header && is_newer_log(text) && text[7] != '\0')  // a zero is what a loss of power leaves
      throw store_error(errc::store_newer,
                        path_ + "/" + name + " was written by a later version of the library: use that one");
    if (!header && !next && size <= log_header_size) return never_begun(name);
    if (!header || header->first != first || (!is_first && header->id != id_))
      damaged(name, 0, "its header is not what this log writes");
    id_ = header->id;

    log_segment s{first, first, log_header_size};
    std::uint64_t last_mark = 0;
    std::size_t in_text = 0;
    text.clear();
    while (!next || s.end < *next) {
      auto const piece = look_at(std::string_view{text}.substr(in_text), s.end, id_, s.bytes);
      if (piece.what == log_piece::record || piece.what == log_piece::mark) {
        if (piece.what == log_piece::record)
          ++s.end;
        else
          last_mark = s.bytes;
        in_text += piece.size;
        s.bytes += piece.size;
        continue;
      }
      if (piece.what == log_piece::cut && s.bytes + piece.size <= size) {
        in_text = 0;
        check(files_.read(file, s.bytes, std::max(chunk, piece.size), text), "read a segment");
        if (text.size() >= piece.size) continue;
      }
      if (next && s.bytes < size)
        damaged(name, s.bytes,
                "record " + std::to_string(s.end) + " can't be read, and the next segment begins at " +
                    std::to_string(*next));
      break;
    }
    if (!next && s.bytes < size) must_be_torn(name, file, s, size);
    if (!next && size == log_header_size) return never_begun(name);
    if (!next) adopt(name, s, last_mark, file);
    return s;
  }

  /// What lies behind the last good record was never synced, unless a mark behind it says so.
  void must_be_torn(std::string const& name, typename Files::handle const& file, log_segment const& s,
                    std::uint64_t size) {
    std::string text;
    for (auto at = s.bytes; at < size;) {
      check(files_.read(file, at, chunk + log_mark_size, text), "read a segment");
      for (auto k = text.find(log_mark_begin); k != text.npos; k = text.find(log_mark_begin, k + 1))
        if (at + k != s.bytes && is_log_mark(std::string_view{text}.substr(k), id_, at + k))
          damaged(name, s.bytes,
                  "record " + std::to_string(s.end) + " can't be read, and others were written behind it");
      if (text.size() <= chunk) break;
      at += chunk;
    }
  }

  std::nullopt_t never_begun(std::string const& name) {
    check(files_.remove(folder_.handle(), name), "remove a segment that was never begun");
    return std::nullopt;
  }

  /// The last segment is appended to, from its last good record on. Up to its last mark it is on the disk. What follows was
  /// perhaps left by a sync that failed: then no other sync would write it.
  void adopt(std::string const& name, log_segment const& s, std::uint64_t last_mark,
             typename Files::handle const& file) {
    std::string text;
    check(files_.read(file, last_mark, static_cast<std::size_t>(s.bytes - last_mark), text), "read a segment");
    check(files_.open_to_write(folder_.handle(), name, active_), "open a segment");
    check(files_.truncate(active_, s.bytes), "cut the torn end of a segment");
    check(files_.write(active_, text, last_mark), "write a segment");
    check(files_.sync(active_), "sync a segment");
    check(files_.sync(folder_.handle()), "sync the folder");
    broken_ = false;
  }

  log_segment begin_segment(log_segment const& last) {
    log_segment const fresh{last.end, last.end, log_header_size};
    auto const name = log_segment_name(fresh.first);
    typename Files::handle file;
    bool replaces = false;
    {
      std::lock_guard const lock{guard_};
      replaces = !segments_.empty() && segments_.back().first == fresh.first;
    }
    int e = files_.create(folder_.handle(), name, file);
    if (e == EEXIST) {  // begun before, and no record of it was ever synced
      check(files_.remove(folder_.handle(), name), "remove a segment that was never begun");
      e = files_.create(folder_.handle(), name, file);
    }
    if (!e) e = files_.write(file, to_bytes({id_, fresh.first}), 0);
    if (!e) e = files_.sync(file);
    if (!e) e = files_.sync(folder_.handle());
    check(e, "begin a segment");
    active_ = std::move(file);
    broken_ = false;
    std::lock_guard const lock{guard_};
    if (replaces) segments_.pop_back();
    segments_.push_back(fresh);
    return fresh;
  }
};

}}}  // namespace sluice::v0::detail
