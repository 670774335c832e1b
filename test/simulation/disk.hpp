/// \file simulation/disk.hpp  A disk of simulated processes: calls fail or stop half way, and what was not synced may be lost.
///
/// Models what detail/files.hpp asks for, as far as a write-ahead log and a folder of numbered files do. A loss of power leaves of each write, truncation and change of
/// a folder that was not synced nothing, all, a part, or zeros in its place, each by itself. After a sync of a file that failed what it was about may
/// be on the disk or not, and no later sync writes it. A bit that flips does so where a later group was synced.
#pragma once
#include <sluice/testing/simulation.hpp>

#include <cerrno>
#include <deque>
#include <map>
#include <string>

namespace simulated_consumers {
namespace st = sluice::testing;
using st::call;
using st::fault;

/// While it lives, memory is taken that outlives the process.
struct outside {
  st::simulated::arena* mine = std::exchange(st::simulated::arena_in_use, nullptr);
  outside() = default;
  outside(outside const&) = delete;
  outside& operator=(outside const&) = delete;
  ~outside() { st::simulated::arena_in_use = mine; }
};

struct disk {
  struct write {
    std::uint64_t at;
    std::string bytes;
    bool cuts;  // it is a truncation
  };
  struct change {
    std::string name;
    int to;  // -1: it was removed
  };
  struct node {
    bool folder = false;
    bool gone = false;  // a folder that was removed: nothing is made in it any more
    std::string data{}, durable{};
    std::deque<write> writes{};  // since the last sync
    std::map<std::string, int> names{}, durable_names{};
    std::deque<change> changes{};
    std::uint64_t synced = 0, covered = 0;  // bytes; of these, before what was synced later
    int locked_by = -1;
    std::int32_t in_life = 0;
  };
  /// Sees what is done with segments; nothing it says of them is the library's. And after which steps the disk has other names.
  struct watcher {
    virtual void synced(std::string const&, std::string const&) {}
    virtual void removed(std::string const&, std::string const&) {}
    virtual void grown(std::uint64_t) {}  ///< bytes of all segments together
    virtual void renamed(bool /*power_lost*/) {}

   protected:
    ~watcher() = default;
  };

  st::simulated::world& w;
  watcher& seen;
  std::deque<node> nodes{};
  int flipped = -1;  // a node
  std::uint64_t flipped_at = 0;
  char flipped_by = 0;        // 0: what stands from there on is gone
  std::uint64_t read_by = 0;  // processes, as bits, that have read what flipped, and said nothing yet
  std::uint64_t met_by = 0;   // those that have met it, and may tell of it after others have
  std::uint32_t failures = 0, losses = 0;

  disk(st::simulated::world& world, watcher& by) : w(world), seen(by) {}
  void reset() {
    nodes.clear();
    nodes.push_back({.folder = true});
    heal();
    read_by = met_by = 0;
    failures = losses = 0;
  }
  void heal() { flipped = -1; }
  std::uint64_t me() const { return std::uint64_t{1} << w.current(); }

  node& at(int n) { return nodes[static_cast<std::size_t>(n)]; }
  /// The folder "log" in the root.
  node* log() {
    auto const it = at(0).names.find("log");
    return it == at(0).names.end() ? nullptr : &at(it->second);
  }
  static bool is_segment(std::string const& name) { return name.starts_with("segment."); }
  std::pair<std::uint64_t, std::size_t> segments() {
    std::pair<std::uint64_t, std::size_t> sum{};
    if (auto const* const l = log())
      for (auto const& [name, n] : l->names)
        if (is_segment(name)) sum.first += at(n).data.size(), ++sum.second;
    return sum;
  }

  static void apply(std::string& to, write const& x) {
    if (x.cuts) return to.resize(x.at);
    if (to.size() < x.at + x.bytes.size()) to.resize(x.at + x.bytes.size());
    to.replace(x.at, x.bytes.size(), x.bytes);
  }
  /// Zeros come where the file has grown; what stood there before is old or new.
  void survive(std::string& to, write x) {
    auto const kept = w.luck.below(static_cast<std::uint32_t>(x.bytes.size()) + 1);
    auto const old = to.substr(std::min<std::size_t>(x.at, to.size()), x.bytes.size());
    switch (w.luck.below(x.cuts ? 2 : 5)) {
      case 0:
        return;
      case 2:
        x.bytes.resize(kept);
        break;
      case 3:
        x.bytes = old + std::string(x.bytes.size() - old.size(), '\0');
        break;
      case 4:
        std::fill_n(x.bytes.begin(), kept, '\0');
        std::copy_n(old.begin(), std::min<std::size_t>(kept, old.size()), x.bytes.begin());
        break;
      default:
        break;
    }
    apply(to, x);
  }
  static void put(std::map<std::string, int>& names, change const& c) {
    if (c.to < 0)
      names.erase(c.name);
    else
      names[c.name] = c.to;
  }
  /// What of it has come to the disk?
  void perhaps(node& n) {
    for (auto const& x : n.writes) survive(n.durable, x);
    for (auto const& c : n.changes)
      if (w.luck.one_in(2)) put(n.durable_names, c);
    n.writes.clear();
    n.changes.clear();
  }
  void lose_power() {
    ++losses;
    for (auto& n : nodes) {
      perhaps(n);
      n.data = n.durable;
      n.names = n.durable_names;
      n.locked_by = -1;
      n.gone = false;
      n.synced = n.covered = std::min<std::uint64_t>(n.covered, n.data.size());
    }
    seen.renamed(true);
  }
  void sync_names(int n) {
    for (auto const& c : at(n).changes) put(at(n).durable_names, c);
    at(n).changes.clear();
  }
  /// Somewhere where it is no torn end: another group was synced behind it, or a segment. False: there is no such place.
  bool flip(std::uint64_t where) {
    auto* const l = log();
    if (!l || flipped >= 0) return false;
    std::deque<std::pair<int, std::uint64_t>> places;
    std::uint64_t all = 0;
    bool newer = false;  // one that holds something
    for (auto i = l->names.rbegin(); i != l->names.rend(); ++i) {
      if (!is_segment(i->first)) continue;
      auto const& n = at(i->second);
      auto const size = std::min<std::uint64_t>(newer ? n.synced : n.covered, n.data.size());
      newer |= n.covered > 0;
      if (size > 0) places.emplace_back(i->second, size), all += size;
    }
    if (all == 0) return false;
    where %= all;
    for (auto const& [n, size] : places) {
      if (where < size) {
        flipped = n;
        flipped_at = where;
        flipped_by = static_cast<char>(1 << w.luck.below(8));
        return true;
      }
      where -= size;
    }
    return false;
  }
  /// What is read of it, from `at` on.
  void harm(std::uint64_t at, std::string& read) {
    auto const end = at + read.size(), place = std::max(flipped_at, at) - at;
    if (flipped_by == 0 ? end < flipped_at : flipped_at < at || end <= flipped_at) return;
    read_by |= me();
    met_by |= me();
    if (flipped_by == 0)
      read.resize(std::min<std::size_t>(read.size(), place));
    else
      read[place] = static_cast<char>(read[place] ^ flipped_by);
  }
  bool is_held(node const& n) const {
    return n.locked_by >= 0 && !w.is_dead(n.locked_by) && w.life_of(n.locked_by) == n.in_life;
  }
};

class disk_files {
  disk* d_;

  struct error_of {
    fault f;
    operator int() const { return f == fault::unavailable ? EIO : f == fault::full ? ENOSPC : 0; }
  };
  /// f(): what it does outside of the process.
  template <class F>
  int does(call c, F f, std::int64_t a = 0, std::int64_t b = 0) {
    auto const wrong = d_->w.begins(c, -1, a, b);
    int e = error_of{wrong};
    if (!e) {
      outside const o;
      e = f();
    } else {
      ++d_->failures;
    }
    d_->w.ends(wrong);
    return e;
  }

 public:
  class handle {
    friend disk_files;
    disk* of_ = nullptr;
    int n_ = -1;
    bool locked_ = false;

   public:
    handle() = default;
    handle(disk* of, int n) : of_(of), n_(n) {}
    handle(handle&& other) noexcept
        : of_(other.of_), n_(std::exchange(other.n_, -1)), locked_(std::exchange(other.locked_, false)) {}
    handle& operator=(handle&& other) noexcept {
      std::swap(of_, other.of_);
      std::swap(n_, other.n_);
      std::swap(locked_, other.locked_);
      return *this;
    }
    handle(handle const&) = delete;
    handle& operator=(handle const&) = delete;
    explicit operator bool() const { return n_ >= 0; }
    int node() const { return n_; }
    ~handle() {
      if (locked_) of_->at(n_).locked_by = -1;
    }
  };

  explicit disk_files(disk* d) : d_(d) {}

  int open_directory(std::string const& path, handle& out) {
    if (path == ".") return out = {d_, 0}, 0;
    return open_directory({d_, 0}, path, out);
  }
  int open_directory(handle const& in, std::string const& name, handle& out) {
    auto const i = d_->at(in.n_).names.find(name);
    if (i == d_->at(in.n_).names.end()) return ENOENT;
    out = {d_, i->second};
    return 0;
  }
  int make_directory(handle const& in, std::string const& name) { return make(in, name, true, nullptr); }
  int list(handle const& in, std::vector<std::string>& out) {
    int const e = does(call::look, [] { return 0; });
    out.clear();
    for (auto const& [name, n] : d_->at(in.n_).names) out.push_back(name);
    return e;
  }
  int create(handle const& in, std::string const& name, handle& out) { return make(in, name, false, &out); }
  int open_to_write(handle const& in, std::string const& name, handle& out) { return open_to_read(in, name, out); }
  int open_to_read(handle const& in, std::string const& name, handle& out) {
    int const e = does(call::look, [] { return 0; });
    return e ? e : open_directory(in, name, out);
  }
  /// At a place by chance it is half done: there a kill finds it, or the end of the room.
  int write(handle const& to, std::string_view text, std::uint64_t at) {
    auto const first = d_->w.luck.below(static_cast<std::uint32_t>(text.size()) + 1);
    int const e =
        does(call::put, [&] { return put(to, text.substr(0, first), at); }, static_cast<std::int64_t>(at), first);
    if (e || first == text.size()) return e;
    return does(
        call::put, [&] { return put(to, text.substr(first), at + first); }, static_cast<std::int64_t>(at + first),
        static_cast<std::int64_t>(text.size() - first));
  }
  int read(handle const& from, std::uint64_t at, std::size_t count, std::string& out) {
    int const e = does(call::look, [] { return 0; }, static_cast<std::int64_t>(at));
    auto const& data = d_->at(from.n_).data;
    out.clear();
    if (at < data.size()) out.assign(data, at, count);
    if (!e && d_->flipped == from.n_) d_->harm(at, out);
    return e;
  }
  int size(handle const& of, std::uint64_t& out) {
    out = d_->at(of.n_).data.size();
    if (d_->flipped == of.n_ && d_->flipped_by == 0 && d_->flipped_at < out) {
      out = d_->flipped_at;
      d_->met_by |= d_->me();
    }
    return 0;
  }
  int truncate(handle const& of, std::uint64_t size) {
    return does(
        call::change,
        [&] {
          auto& n = d_->at(of.n_);
          if (n.data.size() == size) return 0;
          n.writes.push_back({size, {}, true});
          disk::apply(n.data, n.writes.back());
          return 0;
        },
        static_cast<std::int64_t>(size));
  }
  int sync(handle const& of) {
    auto const f = d_->w.begins(call::sync, -1, of.n_);
    {
      outside const o;
      auto& n = d_->at(of.n_);
      if (f == fault::unavailable) {
        ++d_->failures;
        if (!n.folder) d_->perhaps(n);
      } else {
        for (auto const& x : n.writes) disk::apply(n.durable, x);
        n.writes.clear();
        d_->sync_names(of.n_);
        if (!n.folder)
          synced(of.n_);
        else
          d_->seen.renamed(false);
      }
    }
    d_->w.ends(f);
    return error_of{f};
  }
  int publish(handle const& in, std::string const& from, std::string const& to) {
    return does(call::change, [&] {
      auto& names = d_->at(in.n_).names;
      auto const i = names.find(from);
      if (i == names.end()) return ENOENT;
      if (names.contains(to)) return EEXIST;
      int const what = i->second;
      changed(in, {from, -1});
      changed(in, {to, what});
      return 0;
    });
  }
  int link(handle const& in, std::string const& from, std::string const& to) {
    return does(call::change, [&] {
      auto const& names = d_->at(in.n_).names;
      auto const i = names.find(from);
      if (i == names.end()) return ENOENT;
      if (names.contains(to)) return EEXIST;
      changed(in, {to, i->second});
      return 0;
    });
  }
  int remove(handle const& in, std::string const& name) {
    return does(call::change, [&] {
      auto const& names = d_->at(in.n_).names;
      auto const i = names.find(name);
      if (i == names.end()) return ENOENT;
      if (disk::is_segment(name)) d_->seen.removed(name, d_->at(i->second).data);
      changed(in, {name, -1});
      return 0;
    });
  }
  int remove_directory(handle const& in, std::string const& name) {
    return does(call::change, [&] {
      auto const i = d_->at(in.n_).names.find(name);
      if (i == d_->at(in.n_).names.end()) return ENOENT;
      if (!d_->at(i->second).names.empty()) return ENOTEMPTY;
      d_->at(i->second).gone = true;
      changed(in, {name, -1});
      return 0;
    });
  }
  int native(handle const&) const { return -1; }
  bool share(handle const&) { return true; }  // beside nobody who locks it
  bool lock(handle& of) {
    auto& n = d_->at(of.n_);
    if (d_->is_held(n)) return false;
    n.locked_by = d_->w.current();
    n.in_life = d_->w.life();
    return of.locked_ = true;
  }

 private:
  int make(handle const& in, std::string const& name, bool folder, handle* out) {
    return does(call::change, [&] {
      if (d_->at(in.n_).gone) return ENOENT;
      if (d_->at(in.n_).names.contains(name)) return EEXIST;
      d_->nodes.push_back({.folder = folder});
      auto const n = static_cast<int>(d_->nodes.size()) - 1;
      changed(in, {name, n});
      if (out) *out = {d_, n};
      return 0;
    });
  }
  void changed(handle const& in, disk::change c) {
    auto& n = d_->at(in.n_);
    disk::put(n.names, c);
    n.changes.push_back(std::move(c));
  }
  int put(handle const& to, std::string_view text, std::uint64_t at) {
    auto& n = d_->at(to.n_);
    n.writes.push_back({at, std::string{text}, false});
    disk::apply(n.data, n.writes.back());
    d_->seen.grown(d_->segments().first);
    return 0;
  }
  void synced(int which) {
    auto& n = d_->at(which);
    if (n.data.size() > n.synced && n.synced > 0) n.covered = n.synced;
    n.synced = n.data.size();
    n.covered = std::min(n.covered, n.synced);
    if (auto const* const l = d_->log())
      for (auto const& [name, at] : l->names)
        if (at == which && disk::is_segment(name)) return d_->seen.synced(name, n.data);
  }
};

}  // namespace simulated_consumers
