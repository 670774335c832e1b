/// \file testing/simulation/record_log.hpp  A simulated topic: its partitions' logs, and what becomes of each record.
#pragma once
#include <sluice/testing/simulation/world.hpp>

#include <limits>
#include <optional>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// A record, for ever: also when it has gone from its log. Its value is its number, so no two are alike.
struct produced_record {
  std::int64_t at = 0;
  std::int32_t partition = 0;
  std::int32_t log_life = 0;
  std::uint32_t id = 0;
  char key[2] = "a";
  char value[12] = "";
  std::int64_t stamp_ms = 0;
  bool visible = true;       ///< not aborted
  bool waived = false;       ///< need not be read: it stands where another one stood, or a seek has gone over it
  std::uint32_t poison = 0;  ///< how often its handler will throw
  // what has become of it
  std::uint32_t aside = 0;      ///< times that it was recorded as skipped
  std::uint32_t started = 0;    ///< handlers that were called with it
  std::uint32_t handled = 0;    ///< handlers that were done with it
  std::uint32_t committed = 0;  ///< effects in committed transactions
  bool late = false;            ///< handled under an incarnation that a rewind had ended
  std::uint32_t excuses = 0;    ///< of its partition, when it was handled last
};

/// Offsets from `low` up to `high`; some of them hold no record: control records, aborted ones, compacted ones.
struct partition_log {
  std::int64_t low = 0, high = 0;
  std::int64_t highest = 0;  ///< where records have stood since the last rewind ends here
  std::int64_t stable = std::numeric_limits<std::int64_t>::max();  ///< of the first open transaction
  std::int64_t held_until = 0;        ///< where that transaction's records end: what stands behind them is in none
  std::int32_t epoch = 0;             ///< of its leader
  std::int64_t leaderless_until = 0;  ///< until then it is not known who that is
  bool leader_unmet = false;          ///< and nobody has asked for it
  bool stuck_unmet = false;           ///< it stays open for long, and no reader has come to it yet
  list<std::uint32_t> entries{};      ///< numbers of records, by offset
  std::int32_t life = 0;
  std::uint32_t changes = 0;  ///< retention, truncation, recreation, compaction

  std::int64_t end() const { return std::min(high, stable); }
};

class topic {
  world& world_;
  list<produced_record> records_{};
  int left_ = 0;

 public:
  static constexpr char const* name = "t";
  static constexpr std::size_t most = 4096;
  list<partition_log> logs{};

  explicit topic(world& w) : world_(w) { records_.reserve(most); }

  /// `empty`: what is in it will be placed there.
  void reset(bool empty = false) {
    records_.clear();
    logs.clear();
    logs.resize(static_cast<std::size_t>(world_.plan.partitions));
    left_ = 0;
    if (empty) return;
    left_ = world_.plan.records;
    for (auto& l : logs)
      if (world_.luck.one_in(3)) l.low = l.high = l.highest = world_.luck.between(1, 30);
    for (auto n = world_.luck.between(0, left_); n > 0 && left_ > 0; --n) produce();
  }
  bool all_produced() const {
    for (auto const& l : logs)
      if (l.stable <= l.high) return false;
    return left_ == 0;
  }
  partition_log& log(int p) { return logs[static_cast<std::size_t>(p)]; }
  partition_log const& log(int p) const { return logs[static_cast<std::size_t>(p)]; }
  produced_record& record(std::uint32_t id) { return records_[id]; }
  produced_record const& record(std::uint32_t id) const { return records_[id]; }
  list<produced_record> const& records() const { return records_; }
  int partitions() const { return static_cast<int>(logs.size()); }

  /// The first entry at or behind `at`.
  std::size_t entry_at(int p, std::int64_t at) const {
    auto const& e = log(p).entries;
    return static_cast<std::size_t>(
        std::lower_bound(e.begin(), e.end(), at, [&](auto id, std::int64_t x) { return record(id).at < x; }) -
        e.begin());
  }
  /// How many records a reader of committed ones finds from `from` up to `until`.
  std::size_t visible(int p, std::int64_t from, std::int64_t until) const {
    std::size_t n = 0;
    for (auto i = entry_at(p, from); i < log(p).entries.size() && record(log(p).entries[i]).at < until; ++i)
      n += record(log(p).entries[i]).visible;
    return n;
  }
  /// Is there something to be read from here on? A log that grew again to where its reader stands looks to it as before.
  bool is_unread(int p, std::int64_t from) const {
    auto const& l = log(p);
    for (auto i = entry_at(p, from); i < l.entries.size(); ++i)
      if (auto const& r = record(l.entries[i]); r.visible && !r.waived && r.at < l.end()) return true;
    return false;
  }
  /// The first offset at or behind which nothing visible stands.
  std::int64_t last_visible_end(int p) const {
    auto const& l = log(p);
    for (auto i = l.entries.size(); i-- > 0;)
      if (record(l.entries[i]).visible && record(l.entries[i]).at < l.end()) return record(l.entries[i]).at + 1;
    return l.low;
  }

  /// Some records to one partition, now and then a transaction's, now and then with a hole.
  void produce() {
    auto const p = static_cast<int>(world_.luck.below(static_cast<std::uint32_t>(partitions())));
    auto& l = log(p);
    bool const open = l.stable <= l.high;
    if (!open && world_.luck.one_in(8)) {
      l.stable = l.high;
      l.held_until = std::numeric_limits<std::int64_t>::max();
      end_transaction_at(p, world_.now + world_.luck.between(1, 400) * ms);
    }
    for (auto n = world_.luck.between(1, 3); n > 0 && left_ > 0 && records_.size() < most; --n) {
      --left_;
      append(p);
      if (world_.luck.one_in(10)) l.high += world_.luck.between(1, 3);  // compacted, or control records
    }
    l.highest = std::max(l.highest, l.high);
    world_.note("produced", p, l.low, l.high);
    world_.news();
  }
  /// Is it in its log?
  bool stands(produced_record const& r) const {
    auto const i = entry_at(r.partition, r.at);
    return i < log(r.partition).entries.size() && log(r.partition).entries[i] == r.id;
  }
  /// A rewind: what stands there, and what will, is to be handled as if it never had been.
  void begins_anew(int p, std::int64_t from) {
    auto& l = log(p);
    l.highest = std::max(from, l.high);
    for (auto i = entry_at(p, from); i < l.entries.size(); ++i) {
      auto& r = record(l.entries[i]);
      r.aside = r.started = r.handled = r.committed = 0;
      r.waived = false;
    }
  }
  /// What grows again below `reached` may be taken for what stood there; behind that nobody has been.
  void is_new_from(int p, std::int64_t reached) {
    auto& l = log(p);
    l.highest = std::max(l.high, std::min(l.highest, reached));
  }
  /// They need not be read.
  void waive(int p, std::int64_t from, std::int64_t until) {
    auto const& e = log(p).entries;
    for (auto i = entry_at(p, from); i < e.size() && record(e[i]).at < until; ++i) record(e[i]).waived = true;
  }
  bool wants_more() const { return left_ > 0; }
  void produce_more(int n) { left_ += n; }

  void end_transaction(int p) {
    auto& l = log(p);
    if (l.stable > l.high) return;
    bool const aborted = world_.luck.one_in(2);
    if (aborted)
      for (auto i = entry_at(p, l.stable); i < l.entries.size(); ++i)
        if (auto& r = record(l.entries[i]); r.at < l.held_until) r.visible = false;
    l.stable = std::numeric_limits<std::int64_t>::max();
    l.stuck_unmet = false;
    l.highest = std::max(l.highest, ++l.high);  // the marker
    world_.note(aborted ? "aborted" : "committed", p, l.low, l.high);
    world_.news();
  }

  /// Somebody else's transaction, of one record; others send behind it, in none. False: there is one already.
  bool hold(int p, std::int64_t until) {
    auto& l = log(p);
    if (l.stable <= l.high || records_.size() + 4 > most) return false;
    l.stable = l.high;
    append(p);
    l.held_until = l.high;
    for (auto n = world_.luck.between(1, 3); n > 0; --n) append(p);
    l.highest = std::max(l.highest, l.high);
    l.stuck_unmet = true;
    world_.note("held", p, l.stable, l.high);
    end_transaction_at(p, until);
    return true;
  }
  /// A reader has come to where it must wait. True: for a transaction that stays open, and it is the first to do so.
  bool meets_held(int p) {
    auto& l = log(p);
    return l.stable <= l.high && std::exchange(l.stuck_unmet, false);
  }

  /// Nothing is lost: the one that follows has all that was acknowledged.
  void change_leader(int p, std::int64_t until) {
    auto& l = log(p);
    ++l.epoch;
    l.leaderless_until = until;
    l.leader_unmet = true;
    world_.note("another leader", p, l.epoch, until / ms);
  }
  /// To be asked by who wants something of it: the first one to whom nobody answers makes it count as a fault.
  bool has_leader(int p) {
    auto& l = log(p);
    if (world_.now >= l.leaderless_until) return true;
    if (std::exchange(l.leader_unmet, false)) world_.hits(fault::new_leader);
    return false;
  }

  void retain_from(int p, std::int64_t low) {
    auto& l = log(p);
    if (low <= l.low || low > l.end()) return;
    l.entries.erase(l.entries.begin(), l.entries.begin() + static_cast<std::ptrdiff_t>(entry_at(p, low)));
    l.low = low;
    ++l.changes;
    world_.note("retention", p, l.low, l.high);
  }
  /// An unclean leader: the end is cut off, and grows again with other records.
  void truncate(int p, std::int64_t high) {
    auto& l = log(p);
    if (high < l.low || high >= l.high || l.stable <= l.high) return;
    l.entries.resize(entry_at(p, high));
    l.high = high;
    ++l.epoch;
    ++l.life;
    ++l.changes;
    world_.note("truncated", p, l.low, l.high);
    world_.news();
  }
  /// Of each key the last record stays, but for what stands from `until` on, and for aborted ones. Answers up to where records have gone.
  std::int64_t compact(int p, std::int64_t until = std::numeric_limits<std::int64_t>::max()) {
    auto& l = log(p);
    auto const end = entry_at(p, std::min(until, l.end()));
    std::int64_t gone = 0;
    list<std::uint32_t> kept;
    for (std::size_t i = 0; i < l.entries.size(); ++i) {
      auto const& r = record(l.entries[i]);
      auto const replaces = [&](auto later) { return record(later).visible && record(later).key[0] == r.key[0]; };
      if (i < end && (!r.visible || std::any_of(l.entries.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                                l.entries.begin() + static_cast<std::ptrdiff_t>(end), replaces)))
        gone = r.at + 1;
      else
        kept.push_back(r.id);
    }
    if (gone == 0) return 0;
    l.entries = std::move(kept);
    ++l.changes;
    world_.note("compacted", p, l.low, gone);
    return gone;
  }
  /// So many records at the end, of one key; in a transaction that is committed or aborted where that is said.
  void append(int p, int n, char key, bool aborted = false) {
    for (int i = 0; i < n; ++i) {
      append(p);
      auto& r = records_.back();
      r.key[0] = key;
      r.visible = !aborted;
    }
    if (aborted) ++log(p).high;  // the marker
    log(p).highest = std::max(log(p).highest, log(p).high);
    world_.news();
  }
  /// One that stands nowhere yet, for sources of a program's own; nothing where there is no room for more.
  std::optional<std::uint32_t> make() {
    if (records_.size() == most) return {};
    auto& r = records_.emplace_back();
    r.at = -1;
    r.id = static_cast<std::uint32_t>(records_.size() - 1);
    std::snprintf(r.value, sizeof r.value, "%u", r.id);
    return r.id;
  }
  /// At the end of a partition.
  void place(int p, std::uint32_t id) {
    auto& l = log(p);
    auto& r = record(id);
    r.partition = p;
    r.at = l.high++;
    l.highest = l.high;
    l.entries.push_back(id);
    world_.news();
  }
  void recreate(int p) {
    auto& l = log(p);
    l.entries.clear();
    l.low = l.high = l.epoch = 0;
    l.stable = std::numeric_limits<std::int64_t>::max();
    ++l.life;
    ++l.changes;
    world_.note("recreated", p, l.low, l.high);
    world_.news();
  }
  void add_partition() {
    logs.emplace_back();
    world_.note("added", partitions() - 1);
  }

 private:
  void end_transaction_at(int p, std::int64_t at) {
    world_.later(
        at, [](void* self, std::int64_t which) { static_cast<topic*>(self)->end_transaction(static_cast<int>(which)); },
        this, p);
  }
  void append(int p) {
    auto& l = log(p);
    auto& r = records_.emplace_back();
    r.at = l.high++;
    r.partition = p;
    r.log_life = l.life;
    r.id = static_cast<std::uint32_t>(records_.size() - 1);
    r.key[0] = static_cast<char>('a' + world_.luck.below(6));
    r.stamp_ms = world_.wall_ms();
    r.waived = r.at < l.highest;
    std::snprintf(r.value, sizeof r.value, "%u", r.id);
    l.entries.push_back(r.id);
  }
};

}}}}  // namespace sluice::v0::testing::simulated
