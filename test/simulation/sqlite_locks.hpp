/// \file simulation/sqlite_locks.hpp  Locks on a simulated database, and the memory that its processes share: what a killed process had goes with it.
#pragma once
#include <sqlite3.h>

#include "disk.hpp"

namespace simulated_consumers {

/// One open file of a process.
struct opener {
  int process = -1;
  std::int32_t life = 0;
  std::uint32_t number = 0;
  friend bool operator==(opener const&, opener const&) = default;
};

/// Of one file. As the system does it: nobody's death is waited for, and shared memory stays until nobody has it any more.
class sqlite_locks {
 public:
  using memory = std::deque<std::array<char, 32768>>;

 private:
  struct lock {
    opener of;
    int level;
    bool reserved;  // on the way to a log that is to be played back nobody is
  };
  struct place {
    opener of;
    bool alone;
  };
  std::deque<lock> locks_{};
  std::array<std::deque<place>, SQLITE_SHM_NLOCK> places_{};
  std::deque<opener> mapped_{};
  memory memory_{};

  void bury(st::simulated::world const& w) {
    auto const gone = [&](opener const& o) { return w.is_dead(o.process) || w.life_of(o.process) != o.life; };
    std::erase_if(locks_, [&](lock const& l) { return gone(l.of); });
    for (auto& p : places_) std::erase_if(p, [&](place const& l) { return gone(l.of); });
    std::erase_if(mapped_, gone);
  }
  lock& of(opener const& me) {
    auto const mine = std::find_if(locks_.begin(), locks_.end(), [&](lock const& l) { return l.of == me; });
    return mine != locks_.end() ? *mine : locks_.emplace_back(lock{me, SQLITE_LOCK_NONE, false});
  }
  template <class Is>
  bool any_other(opener const& me, Is is) const {
    return std::any_of(locks_.begin(), locks_.end(), [&](lock const& l) { return l.of != me && is(l); });
  }

 public:
  /// The level that `me` has then.
  int take(st::simulated::world const& w, opener const& me, int level) {
    bury(w);
    auto& mine = of(me);
    if (level <= mine.level) return mine.level;
    bool const pending = any_other(me, [](lock const& l) { return l.level >= SQLITE_LOCK_PENDING; });
    if (level == SQLITE_LOCK_SHARED) {
      if (!pending) mine.level = level;
    } else if (level == SQLITE_LOCK_RESERVED) {
      if (!is_reserved(w)) mine.level = level, mine.reserved = true;
    } else if (!pending) {
      bool const read = any_other(me, [](lock const& l) { return l.level >= SQLITE_LOCK_SHARED; });
      mine.level = read ? SQLITE_LOCK_PENDING : level;
    }
    return mine.level;
  }
  void leave(opener const& me, int level) {
    of(me).level = level;
    of(me).reserved = false;
    if (level == SQLITE_LOCK_NONE) std::erase_if(locks_, [&](lock const& l) { return l.of == me; });
  }
  bool is_reserved(st::simulated::world const& w) {
    bury(w);
    return any_other({}, [](lock const& l) { return l.reserved; });
  }

  /// Null: it is not there, and is not to be made. Who comes when nobody has it finds it empty.
  char* map(st::simulated::world const& w, opener const& me, std::size_t which, bool make) {
    bury(w);
    if (mapped_.empty())
      for (auto& m : memory_) m.fill(0);
    if (std::find(mapped_.begin(), mapped_.end(), me) == mapped_.end()) mapped_.push_back(me);
    while (make && memory_.size() <= which) memory_.emplace_back();
    return which < memory_.size() ? memory_[which].data() : nullptr;
  }
  /// What the next one finds there. SQLite's header stands twice, and who dies between writing one and the other has committed nothing:
  /// somebody who has begun to read before goes on from the first one, and may write over what the second one tells of.
  memory shared(st::simulated::world const& w) {
    constexpr std::ptrdiff_t header = 48;  // WalIndexHdr of SQLite 3
    bury(w);
    auto found = mapped_.empty() ? memory{} : memory_;
    if (!found.empty()) std::copy_n(found[0].begin(), header, found[0].begin() + header);
    return found;
  }
  void unmap(opener const& me) {
    std::erase(mapped_, me);
    for (auto& p : places_) std::erase_if(p, [&](place const& l) { return l.of == me; });
  }
  bool take(st::simulated::world const& w, opener const& me, std::size_t from, std::size_t count, bool alone) {
    bury(w);
    for (auto i = from; i < from + count; ++i)
      for (auto const& l : places_[i])
        if (l.of != me && (alone || l.alone)) return false;
    leave(me, from, count);
    for (auto i = from; i < from + count; ++i) places_[i].push_back({me, alone});
    return true;
  }
  void leave(opener const& me, std::size_t from, std::size_t count) {
    for (auto i = from; i < from + count; ++i) std::erase_if(places_[i], [&](place const& l) { return l.of == me; });
  }
};

}  // namespace simulated_consumers
