/// \file output/files.hpp  Records as text files named by their offset range: an output that repetition can't harm.
///
/// A range lies in DIRECTORY/TOPIC/PARTITION/INCARNATION-FROM/UNTIL.txt, numbers padded, so that `cat DIRECTORY/orders/3/*/*`
/// gives the records of orders/3 in order. The folder comes into being whole, by a rename that fails where its name is
/// taken. Two files never overlap: who finds offsets that are there leaves them out, and who finds the name taken looks
/// again. So a batch that comes again, cut otherwise, or late from a consumer that was thought dead, adds what is
/// missing and nothing else.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/detail/crash_point.hpp>
#include <sluice/detail/file_names.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/made_folders.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace sluice { inline namespace v0 {

/// The value and a line feed.
struct value_lines {
  void operator()(record const& r, std::string& out) const {
    out += r.text();
    out += '\n';
  }
};

/// One file of an output, and where it lies.
struct range_file {
  std::int64_t incarnation = 0;
  offset from{};
  offset until{};
  std::string path{};
};

namespace detail {

inline std::string padded(std::int64_t n) { return padded(static_cast<std::uint64_t>(n)); }

template <class Of>
std::vector<std::string> range_folders(Of const& of) {
  auto folders = folder_names(of.topic);
  folders.push_back(std::to_string(of.partition));
  return folders;
}

template <class Of>
std::string range_path(std::string path, Of const& of) {
  for (auto const& name : range_folders(of)) path += "/" + name;
  return path;
}

/// (incarnation, from) of a folder's name.
inline std::optional<std::pair<std::int64_t, offset>> range_start(std::string_view name) {
  if (name.size() != 41 || name[20] != '-') return {};
  auto const incarnation = padded_number(name.substr(0, 20)), from = padded_number(name.substr(21));
  if (!incarnation || !from) return {};
  return std::pair{static_cast<std::int64_t>(*incarnation), offset{static_cast<std::int64_t>(*from)}};
}

/// The one file in the folder `name`, whose name begins with the end of the range. 0 or an errno.
template <class Files>
int range_end(Files& files, typename Files::handle const& in, std::string const& name, offset& until,
              std::string& file) {
  typename Files::handle folder;
  std::vector<std::string> names;
  if (int const e = files.open_directory(in, name, folder)) return e;
  if (int const e = files.list(folder, names)) return e;
  auto const end = names.size() == 1 ? padded_number(std::string_view{names[0]}.substr(0, 20)) : std::nullopt;
  if (!end) return EBADMSG;
  until = offset{static_cast<std::int64_t>(*end)};
  file = names[0];
  return 0;
}

}  // namespace detail

/// A handler for the `idempotent` delivery. `format(record, std::string& out)` appends a record's text to `out`; where it has
/// begin(std::string& out) and end(std::string& out), these are called for each file. Files are
/// on the disk before the handler returns: three syncs for each partition in the batch; the text of a batch is held in
/// memory. One thread.
///
///     sl::files_by_range out{"/var/lib/orders", [](sl::record const& r, std::string& line) { … }, ".csv"};
///     consumer.run(stop, out);
///
/// `directory` must be there. A seek back makes records come again under a new incarnation, in files of their own.
/// Throws error(bad_configuration) at construction; store_error (full, unavailable, damaged) later, never taken for the
/// record's fault. After a failed sync of a folder every further batch is refused: what is on the disk then, nobody knows.
template <class Format = value_lines, class Files = detail::posix_files>
class files_by_range {
  struct known_files {
    std::int64_t incarnation = -1;
    offset next{-1};                                         // behind what was handled here
    detail::late<std::map<offset, offset>, Files> ranges{};  // from -> until
  };

  std::string path_;
  Format format_;
  std::string suffix_;
  [[no_unique_address]] Files files_;
  typename Files::handle root_{};
  detail::made_folders<Files> folders_{};
  std::map<topic_partition, known_files> known_{};
  bool broken_ = false;
  std::string text_{};

  void check(int code, char const* doing) const {
    if (code) detail::throw_file_error(code, doing, path_);
  }

  void remove_folder(typename Files::handle const& in, std::string const& name) {
    if constexpr (requires { files_.remove_tree(in, name); }) {
      files_.remove_tree(in, name);  // nobody holds a lock: it must not get its name half empty
    } else {
      typename Files::handle folder;
      std::vector<std::string> names;
      if (files_.open_directory(in, name, folder) || files_.list(folder, names)) return;
      for (auto const& file : names) files_.remove(folder, file);
      files_.remove_directory(in, name);
    }
  }

  void sync_names(typename Files::handle const& folder) {
    broken_ = true;
    check(files_.sync(folder), "sync a folder");
    broken_ = false;
  }

  static constexpr bool confirms = requires(Files& f, typename Files::handle const& h) { f.confirm(h, std::string{}); };

  /// What is there from `from` on, and the file before that: durable. What another one has just named, or we without an answer, can
  /// be seen before it is; and what is seen on a server may be lost, and named otherwise, before it is looked into.
  void look(typename Files::handle const& folder, topic_partition const& of, known_files& known, offset from) {
    std::vector<std::string> names;
    known.next = offset{-1};  // where this throws, nothing is known
    check(files_.list(folder, names), "list files");
    known.ranges.clear();
    std::optional<offset> first;
    detail::late<std::vector<std::pair<offset, std::string>>, Files> starts;
    for (auto const& name : names) {
      typename Files::handle temporary;
      if (name.starts_with("temporary.") && files_.open_directory(folder, name, temporary) == 0 &&
          files_.lock(temporary))
        remove_folder(folder, name);
      auto const start = detail::range_start(name);
      if (!start || start->first != known.incarnation) continue;
      if (start->second <= from && (!first || *first < start->second)) first = start->second;
      starts.emplace_back(start->second, name);
    }
    for (auto const& [start, name] : starts) {
      if (first && start < *first) continue;
      offset until;
      std::string file;
      if constexpr (confirms) check(files_.confirm(folder, name), "make a folder durable");
      int const e = detail::range_end(files_, folder, name, until, file);
      if (e == EBADMSG || (!e && until <= start))
        throw store_error{errc::store_damaged,
                          detail::range_path(path_, of) + "/" + name +
                              " must hold one file, named by the end of its range; mend or remove it"};
      check(e, "look into a folder");
      known.ranges[start] = until;
    }
    if (!confirms &&
        std::any_of(known.ranges.begin(), known.ranges.end(), [&](auto const& one) { return one.second > from; }))
      sync_names(folder);
    known.next = from;
  }

  /// False: the name is taken.
  bool publish(typename Files::handle const& folder, std::int64_t incarnation, offset from, offset until) {
    auto const temporary = "temporary." + detail::hex16(detail::random_bits());
    typename Files::handle inside, file;
    check(files_.make_directory(folder, temporary), "make a folder");
    try {
      int e = files_.open_directory(folder, temporary, inside);
      if (!e) files_.lock(inside);
      if (!e) e = files_.create(inside, detail::padded(until.value()) + suffix_, file);
      if (e != ENOENT) {  // otherwise someone took it for a dead one's
        check(e, "make a file");
        check(files_.write(file, text_, 0), "write a file");
        check(files_.sync(file), "sync a file");
        check(files_.sync(inside), "sync a folder");
        SLUICE_CRASH_POINT("range written");
        e = files_.publish_directory(folder, temporary,
                                     detail::padded(incarnation) + "-" + detail::padded(from.value()));
      }
      SLUICE_CRASH_POINT("range named");
      if (e != EEXIST && e != ENOENT) check(e, "name a folder");
      if (e) return remove_folder(folder, temporary), false;
    } catch (...) {
      remove_folder(folder, temporary);
      throw;
    }
    sync_names(folder);
    return true;
  }

  void keep(detail::late<batch, Files> const& records, offset_range const& range) {
    try {
      keep(records, range, folders_.open(files_, root_, detail::range_folders(range.of), path_));
    } catch (...) {
      folders_.forget();
      throw;
    }
  }
  void keep(detail::late<batch, Files> const& records, offset_range const& range,
            typename Files::handle const& folder) {
    auto& known = known_[range.of];
    // Only who goes on from where they were knows what is there: meanwhile another one may have been the owner.
    if (known.incarnation != range.incarnation || known.next != range.from) {
      known = {.incarnation = range.incarnation};
      look(folder, range.of, known, range.from);
    }
    std::erase_if(known.ranges, [&](auto const& one) { return one.second <= range.from; });
    auto next = records.begin();
    unsigned races = 0;
    for (auto from = range.from; from < range.until;) {
      auto const behind = known.ranges.upper_bound(from);
      if (behind != known.ranges.begin())
        if (auto const before = std::prev(behind); before->second > from) {
          from = before->second;
          continue;
        }
      auto const until = behind == known.ranges.end() ? range.until : std::min(range.until, behind->first);
      text_.clear();
      while (next != records.end() && (*next).offset() < from) ++next;
      if constexpr (requires { format_.begin(text_); }) format_.begin(text_);
      for (auto r = next; r != records.end() && (*r).offset() < until; ++r) format_(*r, text_);
      if constexpr (requires { format_.end(text_); }) format_.end(text_);
      if (publish(folder, range.incarnation, from, until)) {
        known.ranges[from] = until;
        from = until;
      } else if (++races > 100) {
        throw store_error{errc::store_unavailable, "another process keeps taking names in " + path_};
      } else {
        look(folder, range.of, known, from);
      }
    }
    known.next = range.until;
  }

 public:
  using idempotent_output = void;

  explicit files_by_range(std::string directory, Format format = {}, std::string suffix = ".txt", Files files = {})
      : path_(std::move(directory)), format_(std::move(format)), suffix_(std::move(suffix)), files_(std::move(files)) {
    if (suffix_.size() > 50 || suffix_.find('/') != suffix_.npos || suffix_.find('\0') != suffix_.npos)
      throw error{errc::bad_configuration,
                  "files_by_range: the suffix '" + suffix_ + "' must be at most 50 bytes without '/'"};
    if (int const e = files_.open_directory(path_, root_))
      throw error{errc::bad_configuration, "files_by_range: can't open the folder '" + path_ + "' (" +
                                               detail::errno_text(e) + "); name one that is there"};
  }

  void operator()(batch const& records) {
    if (broken_)
      throw store_error{errc::store_unavailable, "a sync failed in " + path_ + " before; check the disk, start again"};
    detail::late<batch, Files> const& all = records;
    for (auto const part : all.partitions()) keep(part, *part.ranges().begin());
  }
};

namespace detail {

/// Opens directory/TOPIC/PARTITION; ENOENT where nothing was ever written.
template <class Files>
int open_ranges(Files& files, std::string const& directory, topic_partition const& of, typename Files::handle& out) {
  int e = files.open_directory(directory, out);
  for (auto const& name : range_folders(of)) {
    typename Files::handle inner;
    if (!e) e = files.open_directory(out, name, inner);
    out = std::move(inner);
  }
  return e;
}

template <class Files>
std::vector<range_file> list_files(Files files, std::string const& directory, topic_partition const& of) {
  auto const path = range_path(directory, of);
  typename Files::handle folder;
  std::vector<std::string> names;
  int e = open_ranges(files, directory, of, folder);
  if (!e) e = files.list(folder, names);
  if (e == ENOENT) return {};
  if (e) throw_file_error(e, "list files", path);
  std::sort(names.begin(), names.end());
  std::vector<range_file> all;
  for (auto const& name : names) {
    auto const start = range_start(name);
    if (!start) continue;
    range_file one{start->first, start->second, {}, {}};
    e = range_end(files, folder, name, one.until, one.path);
    one.path.insert(0, "/").insert(0, name).insert(0, "/").insert(0, path);
    if (e && e != EBADMSG) throw_file_error(e, "look into a folder", path);
    if (e || (!all.empty() && all.back().incarnation == one.incarnation && one.from < all.back().until))
      throw store_error{errc::store_damaged, one.path + " is not what files_by_range makes; mend or remove it"};
    all.push_back(std::move(one));
  }
  return all;
}

template <class Files>
void read_file(Files& files, std::string const& directory, topic_partition const& of, range_file const& one,
               std::string& text) {
  typename Files::handle partition, folder, file;
  std::uint64_t size = 0;
  int e = open_ranges(files, directory, of, partition);
  if (!e) e = files.open_directory(partition, padded(one.incarnation) + "-" + padded(one.from.value()), folder);
  if (!e) e = files.open_to_read(folder, one.path.substr(one.path.rfind('/') + 1), file);
  if (!e) e = files.size(file, size);
  if (!e) e = files.read(file, 0, static_cast<std::size_t>(size), text);
  if (e) throw_file_error(e, "read a file", one.path);
}

template <class Files>
std::string read_files(Files files, std::string const& directory, topic_partition const& of) {
  std::string all, text;
  for (auto const& one : list_files(files, directory, of)) {
    read_file(files, directory, of, one, text);
    all += text;
  }
  return all;
}

}  // namespace detail

/// The files of a partition, by incarnation and offset. Throws store_error(store_damaged) where two overlap.
template <class Files = detail::posix_files>
std::vector<range_file> list_files(std::string const& directory, topic_partition const& of, Files files = {}) {
  return detail::list_files(std::move(files), directory, of);
}

/// Their text, joined.
template <class Files = detail::posix_files>
std::string read_files(std::string const& directory, topic_partition const& of, Files files = {}) {
  return detail::read_files(std::move(files), directory, of);
}

}}  // namespace sluice::v0
