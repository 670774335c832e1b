/// \file testing/simulation/witness.hpp  The promises of the deliveries as checks: each says in a sentence what was broken.
#pragma once
#include <sluice/testing/simulation/record_log.hpp>
#include <span>

namespace sluice { inline namespace v0 { namespace testing {

enum class promise : std::uint8_t { at_most_once, at_least_once, idempotent, transactional };
inline constexpr std::array<char const*, 4> promise_names{"at_most_once", "at_least_once", "idempotent",
                                                          "transactional"};

namespace simulated {

/// Sees everything that becomes durable and every call of a handler, in the order of the schedule. Named checks:
/// start, order, ownership, chain, silent jump, another log, incarnation, isolation, lost, handled twice, handled before
/// stored, doubled, effects, rewind, liveness. Others stand where they are seen: settle, contract (of stores and
/// clients), output, and what programs check by process::broken.
class witness {
  world& world_;
  topic& topic_;

  struct partition {
    bool there = false;
    std::int64_t next = 0;      ///< durable
    std::uint32_t excuses = 1;  ///< events since the beginning that allow a record to come twice
    std::int64_t incarnation = 0;
    std::int64_t consumed_until = -1;  ///< where the owner's last batch ended, and its last record
    std::uint32_t consumed = 0;
    bool rewound = false;  ///< a jump was recorded, so what is stored need not be what was handled
  };
  /// Of one process: what it was handed last, and (at_most_once) what it still has to handle.
  struct view {
    std::int32_t life = -1;
    std::int64_t from = -1, until = -1;
    bool fresh = true;          ///< no batch came since the claim
    bool unread = true;         ///< no record came since the claim
    std::uint32_t changes = 0;  ///< of the log, at the claim
    std::int64_t owed_from = 0, owed_until = 0;
    std::uint32_t excuses = 0;        ///< when it was stored
    std::uint32_t batch_excuses = 0;  ///< when the batch in hand began to be handled; 0: not by the owner
  };
  list<partition> partitions_{};
  list<view> views_{};

 public:
  promise kept = promise::at_least_once;

  witness(world& w, topic& t) : world_(w), topic_(t) {}

  void reset(promise p) {
    kept = p;
    partitions_.clear();
    partitions_.resize(static_cast<std::size_t>(topic_.partitions()));
    views_.clear();
    views_.resize(static_cast<std::size_t>(world_.plan.processes) * most_partitions);
  }
  static constexpr std::size_t most_partitions = 8;

  std::int64_t stored(int p) { return of(p).there ? of(p).next : -1; }

  /// Something that allows records of the partition to be handled again, or (at_most_once) to be lost.
  void excuse(int p) { ++of(p).excuses; }
  void excuse_all() {
    for (int p = 0; p < topic_.partitions(); ++p) excuse(p);
  }

  // ---- the store

  void began(int p, std::int64_t next, std::int64_t incarnation) {
    auto& one = of(p);
    if (one.there) return broken("chain", p, "the group's first position was stored twice");
    one.there = true;
    one.next = next;
    one.incarnation = incarnation;
  }
  /// A position has become durable; with it, in a transaction, the results of `effects`, and what was set `aside`.
  void moved(int p, std::int64_t from, std::int64_t until, std::int64_t incarnation, list<std::uint32_t> const* effects,
             std::span<std::uint32_t const> aside) {
    for (auto const id : aside)
      if (topic_.record(id).partition == p) ++topic_.record(id).aside;
    auto& one = of(p);
    if (from != one.next || until <= from)
      return broken("chain", p,
                    "stored " + std::to_string(from) + " to " + std::to_string(until) + " where " +
                        std::to_string(one.next) + " stood, and no rewind was recorded");
    if (incarnation != one.incarnation)
      return broken("incarnation", p,
                    "it changed from " + std::to_string(one.incarnation) + " to " + std::to_string(incarnation) +
                        " without a rewind");
    one.next = until;
    auto const& l = topic_.log(p);
    for (auto i = topic_.entry_at(p, from); i < l.entries.size(); ++i) {
      auto& r = topic_.record(l.entries[i]);
      if (r.at >= until) break;
      if (!r.visible || r.regrown) continue;
      if (kept == promise::transactional) {
        auto const n = (effects ? std::count(effects->begin(), effects->end(), r.id) : 0) +
                       std::count(aside.begin(), aside.end(), r.id);
        if (n != 1)
          return broken("effects", p,
                        which(r) + " has " + std::to_string(n) + " effects in the transaction that stores its offset");
      } else if (kept != promise::at_most_once && r.handled == 0 && r.aside == 0)
        return broken("lost", p, "stored up to " + std::to_string(until) + ", but " + which(r) + " was never handled");
    }
    if (effects)
      for (auto const id : *effects) {
        auto& r = topic_.record(id);
        if (r.partition != p) continue;
        if (r.at < from || r.at >= until)
          return broken("effects", p, which(r) + " has an effect in a transaction that does not store its offset");
        if (++r.committed > 1 && !one.rewound) return broken("doubled", p, which(r) + " has its effect twice");
      }
  }
  void rewound(int p, std::int64_t to, std::int64_t incarnation, std::string_view cause) {
    auto& one = of(p);
    if (cause != "seek" && topic_.log(p).changes == 0)
      return broken("rewind", p,
                    "the position was set to " + std::to_string(to) + " (" + std::string{cause} +
                        "), though nothing happened to the log");
    if (incarnation <= one.incarnation)
      return broken(
          "incarnation", p,
          "a rewind left it at " + std::to_string(incarnation) + ", where it was " + std::to_string(one.incarnation));
    one.next = to;
    one.incarnation = incarnation;
    one.consumed_until = -1;
    one.rewound = true;
    excuse(p);
    for (int i = 0; i < world_.plan.processes; ++i) begins_anew(at(i, p));
    auto const& l = topic_.log(p);
    for (auto i = topic_.entry_at(p, to); i < l.entries.size(); ++i) topic_.record(l.entries[i]).started = 0;
  }

  /// The same for a store that does not tell: what it has now, seen after each step.
  template <class Stored>
  void compare_with(Stored const& stored) {
    for (int p = 0; p < topic_.partitions(); ++p) {
      auto const at = stored(p);
      auto const& one = of(p);
      if (!at) continue;
      auto const next = at->next.value();
      if (!one.there)
        began(p, next, at->incarnation);
      else if (at->incarnation != one.incarnation)
        rewound(p, next, at->incarnation, "seek");
      else if (next != one.next)
        moved(p, one.next, next, at->incarnation, nullptr, {});
    }
  }

  // ---- processes

  /// A claim was answered; what comes next begins at the stored position.
  void claimed(int process, int p) {
    auto& v = at(process, p);
    begins_anew(v);
    v.changes = topic_.log(p).changes;
    excuse(p);
  }

  /// A handler is about to be called with these records of a partition.
  void handling(int process, int p, std::int64_t from, std::int64_t until, std::size_t records, std::uint32_t last,
                bool ours, bool current) {
    auto& v = at(process, p);
    auto& one = of(p);
    if (!ours) return broken("ownership", p, "a handler is called with records of a partition that was given up");
    if (!one.there) return broken("start", p, "records are handled before it is stored where the group starts");
    bool const log_as_it_was = topic_.log(p).changes == v.changes;
    if (v.unread && records > 0 && log_as_it_was && one.consumed_until == from) {
      auto const& before = topic_.record(one.consumed);
      auto const i = topic_.entry_at(p, before.at);
      auto const& l = topic_.log(p);
      if (i < l.entries.size() && topic_.record(l.entries[i]).at == before.at && l.entries[i] != before.id &&
          topic_.record(l.entries[i]).visible)
        return broken("another log", p,
                      "another record stands at " + std::to_string(before.at) +
                          " than was consumed there, and reading goes on as if it were the same");
    }
    if (log_as_it_was && topic_.visible(p, from, until) != records)
      return broken("order", p,
                    std::to_string(records) + " records are handed over for offsets " + std::to_string(from) + " to " +
                        std::to_string(until) + ", and " + std::to_string(topic_.visible(p, from, until)) +
                        " are there");
    if (!v.fresh && from != v.until && from != v.from)
      return broken("order", p,
                    "a batch from " + std::to_string(from) + " comes after one of " + std::to_string(v.from) + " to " +
                        std::to_string(v.until));
    if (kept == promise::at_most_once) {
      if (one.next < until && !one.rewound)
        return broken(
            "handled before stored", p,
            "offsets up to " + std::to_string(until) + " are handled, and " + std::to_string(one.next) + " is stored");
    } else if (current && one.next != from)
      return broken("silent jump", p,
                    "the owner is handed records from " + std::to_string(from) + ", and " + std::to_string(one.next) +
                        " is stored");
    v.fresh = false;
    if (records > 0) v.unread = false;
    v.batch_excuses = current ? one.excuses : 0;
    if (current && records > 0) one.consumed_until = until, one.consumed = last;
    v.from = from;
    v.until = until;
  }
  /// `incarnation`: of the batch. What was stored before a rewind may be handled late, beside what was rewound.
  void started(int process, produced_record& r, std::int64_t incarnation) {
    if (!r.visible) return broken("isolation", r.partition, which(r) + " was aborted, and is handed over");
    auto& one = of(r.partition);
    if (kept == promise::at_most_once && incarnation < one.incarnation) return;
    auto const batch = at(process, r.partition).batch_excuses;
    if (++r.started > 1) {
      if (kept == promise::at_most_once)
        return broken("handled twice", r.partition, which(r) + " is handled a second time");
      if (r.excuses == one.excuses && batch == one.excuses)
        return broken("handled twice", r.partition,
                      which(r) + " is handled again without a crash, a revocation, an unknown outcome or a retry");
    }
    r.excuses = batch;
  }
  void done(produced_record& r) { ++r.handled; }

  /// at_most_once: stored, and the process was told so: it owes the handling, unless something happens to it.
  void owes(int process, int p, std::int64_t from, std::int64_t until) {
    if (kept != promise::at_most_once) return;
    settle_debt(process, p);
    auto& v = at(process, p);
    v.owed_from = from;
    v.owed_until = until;
    v.excuses = of(p).excuses;
  }
  void settle_debt(int process, int p) {
    auto& v = at(process, p);
    auto const from = v.owed_from, until = std::exchange(v.owed_until, 0);
    if (until == 0 || v.excuses != of(p).excuses || topic_.log(p).changes != 0) return;
    auto const& l = topic_.log(p);
    for (auto i = topic_.entry_at(p, from); i < l.entries.size(); ++i) {
      auto const& r = topic_.record(l.entries[i]);
      if (r.at >= until) return;
      if (r.visible && r.started == 0)
        return broken("lost", p, which(r) + " was stored by its owner, who then let it go without a reason");
    }
  }

  bool at_end() {
    for (int p = 0; p < topic_.partitions(); ++p)
      if (!of(p).there || (of(p).next > topic_.log(p).high && topic_.log(p).changes == 0) ||
          topic_.is_unread(p, of(p).next))
        return false;
    return true;
  }
  /// Once all is read: every record has what it was promised.
  void all_read() {
    for (int p = 0; p < topic_.partitions(); ++p) {
      if (topic_.log(p).changes != 0) continue;
      for (auto const id : topic_.log(p).entries) {
        auto const& r = topic_.record(id);
        if (!r.visible || r.at >= of(p).next) continue;
        if (kept == promise::transactional && r.committed + r.aside != 1)
          return broken("effects", p, which(r) + " has " + std::to_string(r.committed) + " effects at the end");
        if ((kept == promise::at_least_once || kept == promise::idempotent) && r.handled == 0 && r.aside == 0)
          return broken("lost", p, which(r) + " was never handled");
      }
    }
  }
  /// Once all processes have ended.
  void all_ended() {
    for (int i = 0; i < world_.plan.processes; ++i)
      for (int p = 0; p < topic_.partitions(); ++p) settle_debt(i, p);
  }
  void too_long(char const* what) {
    std::string where;
    for (int p = 0; p < topic_.partitions(); ++p)
      where += " " + std::to_string(of(p).next) + " of " + std::to_string(topic_.last_visible_end(p));
    world_.violated("liveness", std::string{what} + "; stored:" + where);
  }

 private:
  partition& of(int p) {
    if (partitions_.size() <= static_cast<std::size_t>(p)) partitions_.resize(static_cast<std::size_t>(p) + 1);
    return partitions_[static_cast<std::size_t>(p)];
  }
  view& at(int process, int p) {
    auto& v = views_[static_cast<std::size_t>(process) * most_partitions + static_cast<std::size_t>(p)];
    if (v.life != world_.life_of(process)) v = {.life = world_.life_of(process)};
    return v;
  }
  static void begins_anew(view& v) { v.fresh = v.unread = true; }
  static std::string which(produced_record const& r) {
    return "record " + std::to_string(r.id) + " at " + std::to_string(r.at);
  }
  void broken(char const* name, int p, std::string const& how) {
    world_.violated(name, std::string{topic::name} + "/" + std::to_string(p) + ": " + how);
  }
};

}  // namespace simulated
}}}  // namespace sluice::v0::testing
