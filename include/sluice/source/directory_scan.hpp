/// \file source/directory_scan.hpp  Looks through a directory for files that are new and whole, and gives each its place in the numbering.
#pragma once
#include <sluice/source/directory_journal.hpp>

#include <sys/inotify.h>
#include <sys/stat.h>

#include <map>
#include <set>
#include <tuple>

namespace sluice { inline namespace v0 { namespace detail {

using what_a_file_is = std::tuple<std::uint64_t, std::uint64_t, std::int64_t>;

/// Not its device: a file system may have another number after a restart of the machine.
inline what_a_file_is identity(seen_file const& f) { return {f.inode, f.size, f.modified_ns}; }
inline bool same(seen_file const& a, seen_file const& b) { return identity(a) == identity(b); }
inline seen_file identity(std::string const& name, struct stat const& s) {
  return {0,
          static_cast<std::uint64_t>(s.st_dev),
          static_cast<std::uint64_t>(s.st_ino),
          static_cast<std::uint64_t>(s.st_size),
          std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec,
          name};
}

class directory_scan {
  struct looked_at {
    seen_file file{};
    time_point since{};  // unchanged
  };
  std::string path_, suffix_;
  std::chrono::milliseconds settle_;
  std::chrono::seconds remember_;
  unique_fd folder_{}, watch_{};
  std::optional<dev_t> first_device_{};
  bool is_elsewhere_ = false;
  std::map<std::string, looked_at> waiting_{};
  std::set<std::string> renamed_in_{}, told_{};
  std::vector<std::string> to_tell_{};

 public:
  directory_scan(std::string path, std::string suffix, std::chrono::milliseconds settle, std::chrono::seconds remember)
      : path_(std::move(path)), suffix_(std::move(suffix)), settle_(settle), remember_(remember) {}

  unique_fd const& folder() const { return folder_; }
  /// 0 or an errno. Follows the path anew, since the directory may be another one by now.
  int open() {
    unique_fd now{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!now) return errno;
    struct stat s{};
    if (::fstat(now.get(), &s) != 0) return errno;
    if (!first_device_) first_device_ = s.st_dev;
    is_elsewhere_ = s.st_dev != *first_device_;
    folder_ = std::move(now);
    if (!watch_) watch_ = unique_fd{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (watch_) ::inotify_add_watch(watch_.get(), path_.c_str(), IN_MOVED_TO | IN_ONLYDIR);
    return 0;
  }

  /// It lies on another file system than at first: perhaps what held the files is not mounted.
  bool is_elsewhere() const { return is_elsewhere_; }

  /// Adds new files to `s`, drops those that need not be remembered. True: it has changed, and is to be kept.
  bool look(time_point now, journal_state& s, std::uint64_t stored) {
    std::vector<std::string> names;
    posix_files files;
    int e = open();
    hear_of_renames();  // first: what is renamed in after this look is heard of at the next one
    if (!e) e = files.list(folder_, names);
    if (e) {
      tell_once("gone", "the directory can't be read: " + errno_text(e) + "; looked at again");
      return false;
    }
    tell_again("gone");
    auto const wall = std::chrono::system_clock::now().time_since_epoch();
    auto const ns = [&](auto ago) { return std::chrono::duration_cast<std::chrono::nanoseconds>(wall - ago).count(); };
    auto fresh = fresh_among(names, s, now, ns(remember_), ns(settle_));
    std::sort(fresh.begin(), fresh.end(), [](auto const& a, auto const& b) {
      return std::tie(a.modified_ns, a.name) < std::tie(b.modified_ns, b.name);
    });
    bool const forgot = forget(s, stored, ns(remember_));
    for (auto& f : fresh) {
      f.first = s.end;
      s.end += f.size;
      s.files.push_back(f);
    }
    return forgot || !fresh.empty();
  }

  void tell(std::string text) { to_tell_.push_back(path_ + "/" + std::move(text)); }
  void tell_once(std::string const& key, std::string text) {
    if (told_.size() > 10'000) told_.clear();
    if (told_.insert(key).second) tell(std::move(text));
  }
  void tell_again(std::string const& key) { told_.erase(key); }
  std::vector<std::string> take_told() { return std::exchange(to_tell_, {}); }

 private:
  void hear_of_renames() {
    alignas(inotify_event) char room[4096];
    for (ssize_t n = 0; watch_ && (n = ::read(watch_.get(), room, sizeof room)) > 0;)
      for (char const* p = room; p < room + n;) {
        auto const* e = reinterpret_cast<inotify_event const*>(p);
        if (e->len != 0 && renamed_in_.size() < 100'000) renamed_in_.insert(e->name);
        p += sizeof(inotify_event) + e->len;
      }
  }

  std::vector<seen_file> fresh_among(std::vector<std::string> const& names, journal_state const& s, time_point now,
                                     std::int64_t oldest, std::int64_t settled) {
    std::map<std::string, seen_file const*> by_name;
    std::set<what_a_file_is> seen;
    for (auto const& f : s.files) {
      by_name[f.name] = &f;
      seen.insert(identity(f));
    }
    std::map<std::string, looked_at> waiting;
    std::vector<seen_file> fresh;
    std::size_t too_old = 0;
    for (auto const& name : names) {
      struct stat is{};
      if (name.starts_with('.') || !name.ends_with(suffix_)) continue;
      if (::fstatat(folder_.get(), name.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(is.st_mode)) continue;
      auto const one = identity(name, is);
      if (seen.contains(identity(one))) continue;
      if (auto const k = by_name.find(name); k != by_name.end() && k->second->inode == one.inode) {
        tell_once(name + "/" + std::to_string(one.modified_ns) + "/" + std::to_string(one.size),
                  name +
                      " was changed after it was seen: what was changed is not read; write each file once, under a "
                      "name of its own");
        continue;
      }
      if (one.modified_ns < oldest || one.modified_ns <= s.forgotten_ns) {
        ++too_old;
        continue;
      }
      auto const before = waiting_.find(name);
      bool const as_before = before != waiting_.end() && same(before->second.file, one);
      auto const since = as_before ? before->second.since : now;
      if (renamed_in_.contains(name) || now - since >= settle_ || one.modified_ns <= settled) {
        fresh.push_back(one);
        seen.insert(identity(one));
      } else {
        waiting[name] = {one, since};
      }
    }
    waiting_ = std::move(waiting);
    std::erase_if(renamed_in_, [&](auto const& name) { return !waiting_.contains(name); });
    if (too_old != 0)
      tell_once("old",
                std::to_string(too_old) + " files are older than .remember: they were read long ago, or are left out");
    return fresh;
  }

  /// Files that are read and stored, and too old to be taken for new ones.
  static bool forget(journal_state& s, std::uint64_t stored, std::int64_t oldest) {
    auto const old = std::erase_if(s.files, [&](auto const& f) {
      bool const goes = f.end() <= stored && f.modified_ns < oldest;
      if (goes) s.forgotten_ns = std::max(s.forgotten_ns, f.modified_ns);
      return goes;
    });
    if (old != 0) s.low = s.files.empty() ? stored : std::min(stored, s.files.front().first);
    return old != 0;
  }
};

}}}  // namespace sluice::v0::detail
