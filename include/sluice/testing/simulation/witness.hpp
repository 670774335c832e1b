/// \file testing/simulation/witness.hpp  The promises of the deliveries as checks: each says in a sentence what was broken.
#pragma once
#include <sluice/testing/simulation/rewind_reasons.hpp>
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

  struct past {
    std::int64_t incarnation = 0, next = 0;
  };
  struct claimant {
    int process = -1;
    std::int32_t life = -1;
    friend bool operator==(claimant, claimant) = default;
  };
  struct partition {
    bool there = false;
    std::int64_t next = 0;      ///< durable
    std::uint32_t excuses = 1;  ///< events since the beginning that allow a record to come twice
    std::int64_t incarnation = 0;
    std::int64_t consumed_until = -1;  ///< where the owner's last batch ended, and its last record
    std::uint32_t consumed = 0;
    list<past> before{};         ///< the incarnations that rewinds have ended
    std::int64_t anew_from = 0;  ///< the lowest place that a rewind in this life of the log came to
    std::int32_t anew_in = -1;   ///< that life; -1: there was no rewind
    rewind_reasons reasons{};
    std::int64_t reached = 0;  ///< the furthest place that a client has ever fetched, or was told to begin at
    claimant owner{};          ///< who claimed it last
    /// Where its owner stands when a stranger rewound it, or a stale claim put it there: it hears of that once it stores.
    std::int64_t unheard_at = -1;
    int misled = -1;  ///< whose stale claim that is, and in which of its lives
    std::int32_t misled_in = 0;
    std::uint32_t told = 0;  ///< changes of the log, when a fetch was outside of it
  };
  /// Of one process: what it was handed last, and (at_most_once) what it still has to handle.
  struct view {
    std::int32_t life = -1;
    std::int64_t from = -1, until = -1;
    bool fresh = true;          ///< no batch came since the claim
    bool unread = true;         ///< no record came since the claim
    std::uint32_t changes = 0;  ///< of the log, at the claim
    std::uint32_t before = 0;   ///< at the one before: who reads its position and goes on has records of then
    std::int64_t owed_from = 0, owed_until = 0;
    std::uint32_t excuses = 0;        ///< when it was stored
    std::uint32_t batch_excuses = 0;  ///< when the batch in hand began to be handled; 0: not by the owner
  };
  list<partition> partitions_{};
  list<view> views_{};

 public:
  promise kept = promise::at_least_once;
  position_error on_position_error = position_error::earliest;  ///< of the programs
  bool stores_later = false;                                    ///< they: what was handled is stored at intervals

  witness(world& w, topic& t) : world_(w), topic_(t) {}

  void reset(promise p) {
    kept = p;
    partitions_.clear();
    partitions_.resize(static_cast<std::size_t>(topic_.partitions()));
    views_.clear();
    views_.resize(static_cast<std::size_t>(world_.plan.processes) * most_partitions);
  }
  static constexpr std::size_t most_partitions = schedule::most_partitions;

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
  /// Another program has left it there, without an incarnation.
  void left_by_stranger(int p, std::int64_t next) {
    began(p, next, -1);
    topic_.waive(p, 0, next);
  }
  /// The position stays, under this incarnation: that of a stranger's gets its first.
  void stays(int p, std::int64_t incarnation) {
    auto& one = of(p);
    if (one.incarnation < 0)
      one.incarnation = incarnation;
    else if (incarnation != one.incarnation)
      broken("incarnation", p,
             "it changed from " + std::to_string(one.incarnation) + " to " + std::to_string(incarnation) +
                 " without a rewind");
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
      if (!r.visible || r.waived) continue;
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
      }
  }
  /// Results have become durable.
  void wrote(std::span<std::uint32_t const> effects) {
    for (auto const id : effects)
      if (auto& r = topic_.record(id); ++r.committed > 1)
        return broken("doubled", r.partition, which(r) + " has its effect twice");
  }
  bool explains(int p, std::int64_t to, std::string_view cause) { return is_allowed(p, cause) && is_led(p, to, cause); }
  /// `by_owner`: not by a process that was put out of the group, and came last.
  void rewound(int p, std::int64_t to, std::int64_t incarnation, std::string_view cause, bool by_owner = true) {
    auto& one = of(p);
    auto const how = "the position was set from " + std::to_string(one.next) + " to " + std::to_string(to) + " (" +
                     std::string{cause} + "), and ";
    if (!is_allowed(p, cause))
      return broken("rewind", p, how + "no such thing has happened to the log since the last time");
    if (!is_led(p, to, cause)) return broken("rewind", p, how + "that is not where it was to go");
    if (incarnation <= one.incarnation)
      return broken(
          "incarnation", p,
          "a rewind left it at " + std::to_string(incarnation) + ", where it was " + std::to_string(one.incarnation));
    one.before.push_back({one.incarnation, one.next});
    if (cause == "seek") topic_.waive(p, one.next, to);
    if (by_owner)
      heard(p);
    else if (one.unheard_at < 0)
      one.unheard_at = one.next;
    one.next = to;
    one.incarnation = incarnation;
    one.reasons.begin_anew(to);
    auto const life = topic_.log(p).life;
    one.anew_from = std::exchange(one.anew_in, life) == life ? std::min(one.anew_from, to) : to;
    one.consumed_until = -1;
    excuse(p);
    for (int i = 0; i < world_.plan.processes; ++i) begins_anew(at(i, p));
    topic_.begins_anew(p, to);
  }

  // ---- a client

  /// A fetch has found nothing where it begins: the log is shorter, or begins behind it.
  void told_outside(int p) { of(p).told = topic_.log(p).changes; }
  /// A record was given out: the last one of those that its reader keeps may be any of them.
  void took(std::uint32_t id) {
    auto const& r = topic_.record(id);
    of(r.partition).reasons.took(r);
  }
  /// The brokers answer where the log begins and ends.
  void told_ends(int p, std::int64_t low, std::int64_t high) {
    of(p).reasons.told_ends(low, high);
    fetched(p, of(p).there ? low : high);
  }
  void fetched(int p, std::int64_t until) { of(p).reached = std::max(of(p).reached, until); }
  /// Up to where somebody may have read it, or may be about to begin or go on.
  std::int64_t reached(int p) { return std::max(of(p).next, of(p).reached); }

  // ---- programs

  /// A program seeks; one that ever says so says it each time.
  void seeks(int p, std::int64_t to) { of(p).reasons.seeks(to); }
  /// A consumer says that all it has handled is stored. What was in hand when its program sought elsewhere is not.
  void drained(int process) {
    if (kept == promise::at_most_once || kept == promise::transactional) return;
    for (int p = 0; p < topic_.partitions(); ++p)
      if (auto const& v = at(process, p);
          !of(p).reasons.was_sought() && v.batch_excuses == of(p).excuses && v.until > of(p).next)
        broken("drained", p,
               "offsets up to " + std::to_string(v.until) + " were handled, and " + std::to_string(of(p).next) +
                   " is stored");
  }

  // ---- processes

  /// A claim was answered; what comes next begins at the stored position. `holds`: nobody else has claimed meanwhile. Who claims
  /// anew what is its own has no reason to handle anything again. But for stores_later: what it has not stored was perhaps refused.
  void claimed(int process, int p, bool holds) {
    auto& v = at(process, p);
    if (!v.fresh) v.before = v.changes;
    begins_anew(v);
    v.changes = topic_.log(p).changes;
    claimant const now{process, world_.life_of(process)};
    bool const is_another = std::exchange(of(p).owner, holds ? now : claimant{}) != now;
    if (is_another || stores_later) excuse(p);
  }

  /// By the owner: it knows where it stands.
  void heard(int p) {
    of(p).unheard_at = -1;
    of(p).misled = -1;
  }
  /// By the owner: its claim told of an older state.
  void misled(int process, int p, std::int64_t next) {
    auto& one = of(p);
    if (next <= one.next) return;
    one.unheard_at = next;
    one.misled = process;
    one.misled_in = world_.life_of(process);
  }

  /// A handler is about to be called with these records of a partition. `incarnation`: of the batch, here and below; what was
  /// stored before a rewind may be handled late, beside what was rewound.
  void handling(int process, int p, std::int64_t from, std::int64_t until, std::int64_t incarnation,
                std::size_t records, std::uint32_t last, bool ours, bool current) {
    auto& v = at(process, p);
    auto& one = of(p);
    if (!ours) return broken("ownership", p, "a handler is called with records of a partition that was given up");
    if (!one.there) return broken("start", p, "records are handled before it is stored where the group starts");
    if (incarnation > one.incarnation)
      return broken("incarnation", p,
                    "records are handled under " + std::to_string(incarnation) + ", and " +
                        std::to_string(one.incarnation) + " is stored");
    if (v.fresh && from == v.until) v.changes = v.before;
    bool const log_as_it_was = topic_.log(p).changes == v.changes && from >= topic_.log(p).low;
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
    bool const is_given_again = stores_later && (from == v.until || from == v.from);
    if (!v.fresh && from != v.until && from != v.from)
      return broken("order", p,
                    "a batch from " + std::to_string(from) + " comes after one of " + std::to_string(v.from) + " to " +
                        std::to_string(v.until));
    if (kept == promise::at_most_once) {
      if (auto const next = stored_under(one, incarnation); next < until)
        return broken("handled before stored", p,
                      "offsets up to " + std::to_string(until) + " are handled, and " + std::to_string(next) +
                          (incarnation < one.incarnation ? " was stored before the rewind" : " is stored"));
    } else if (current && one.next != from && !is_given_again)
      return broken("silent jump", p,
                    "the owner is handed records from " + std::to_string(from) + ", and " + std::to_string(one.next) +
                        " is stored");
    v.fresh = false;
    if (records > 0) v.unread = false;
    v.batch_excuses = current ? one.excuses : 0;
    if (current && records > 0)
      one.consumed_until = until, one.consumed = last;
    else if (records > 0 && one.consumed_until == until && one.consumed != last)
      one.consumed_until = -1;  // either may be what is stored
    v.from = from;
    v.until = until;
  }
  /// Has its program said that it is about to handle it?
  bool is_announced(int process, produced_record const& r) {
    auto const& v = at(process, r.partition);
    return r.at >= v.from && r.at < v.until;
  }
  void handed_over(produced_record const& r) {
    if (!r.visible) broken("isolation", r.partition, which(r) + " was aborted, and is handed over");
    if (r.at >= topic_.log(r.partition).stable && topic_.stands(r))
      broken("isolation", r.partition, which(r) + " stands behind an open transaction, and is handed over");
  }
  void started(int process, produced_record& r, std::int64_t incarnation) {
    if (!is_announced(process, r))
      return broken("contract", r.partition, "a record is handled of a batch that no handling() has announced");
    handed_over(r);
    auto& one = of(r.partition);
    if (kept == promise::at_most_once && incarnation < one.incarnation) {
      r.late = true;
      return;
    }
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
  void done(produced_record& r, std::int64_t incarnation) {
    if (incarnation >= of(r.partition).incarnation) ++r.handled;
  }

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
    if (until == 0 || v.excuses != of(p).excuses) return;
    auto const& l = topic_.log(p);
    for (auto i = topic_.entry_at(p, from); i < l.entries.size(); ++i) {
      auto const& r = topic_.record(l.entries[i]);
      if (r.at >= until) return;
      if (r.visible && !r.waived && r.started == 0 && !r.late)
        return broken("lost", p, which(r) + " was stored by its owner, who then let it go without a reason");
    }
  }

  bool at_end() {
    for (int p = 0; p < topic_.partitions(); ++p)
      if (auto const& one = of(p); !one.there || is_beyond(p) || is_led_by_the_dead(one) ||
                                   topic_.is_unread(p, std::max(one.next, one.unheard_at)))
        return false;
    return true;
  }
  /// Once all is read: every record has what it was promised.
  void all_read() {
    for (int p = 0; p < topic_.partitions(); ++p) {
      for (auto const id : topic_.log(p).entries) {
        auto const& r = topic_.record(id);
        if (!r.visible || r.waived || r.at >= of(p).next) continue;
        if (kept == promise::transactional && r.committed + r.aside != 1)
          return broken("effects", p, which(r) + " has " + std::to_string(r.committed) + " effects at the end");
        if ((kept == promise::at_least_once || kept == promise::idempotent) && r.handled == 0 && r.aside == 0)
          return broken("lost", p, which(r) + " was never handled");
      }
    }
  }
  /// Is this record, once all is read, the youngest of those that were handled where it stands and before? Not where those that
  /// were cut off had higher offsets, and no rewind has come to it since.
  bool is_youngest(produced_record const& r) {
    auto const& one = of(r.partition);
    auto const life = topic_.log(r.partition).life;
    return !r.waived && one.unheard_at < 0 && (r.log_life == life || (one.anew_in == life && r.at >= one.anew_from));
  }
  /// Once all processes have ended.
  void all_ended() {
    for (int i = 0; i < world_.plan.processes; ++i)
      for (int p = 0; p < topic_.partitions(); ++p) settle_debt(i, p);
  }
  /// Whoever comes next will hear where it stands.
  bool is_led_by_the_dead(partition const& one) const {
    return one.misled >= 0 && world_.life_of(one.misled) != one.misled_in;
  }
  void too_long(char const* what) {
    std::string where;
    for (int p = 0; p < topic_.partitions(); ++p)
      where += " " + std::to_string(of(p).next) + " of " + std::to_string(topic_.last_visible_end(p));
    world_.violated("liveness", std::string{what} + "; stored:" + where);
  }

 private:
  bool is_allowed(int p, std::string_view cause) {
    return goes_from(p, [&](auto next) { return of(p).reasons.allow(cause, topic_, p, next); });
  }
  bool is_led(int p, std::int64_t to, std::string_view cause) {
    return goes_from(p, [&](auto next) { return of(p).reasons.lead(cause, next, to, on_position_error); });
  }
  /// From what is stored, or from where a consumer is, which may have gone on from there.
  template <class F>
  bool goes_from(int p, F f) {
    if (f(of(p).next)) return true;
    for (int i = 0; stores_later && i < world_.plan.processes; ++i)
      if (auto const until = at(i, p).until; until > of(p).next && f(until)) return true;
    return false;
  }
  partition& of(int p) {
    if (partitions_.size() <= static_cast<std::size_t>(p)) partitions_.resize(static_cast<std::size_t>(p) + 1);
    return partitions_[static_cast<std::size_t>(p)];
  }
  /// Whether it can know: who goes by the lag does not ask a log that is shorter than the position, and who compares begins before it.
  bool is_beyond(int p) {
    auto const& one = of(p);
    auto const& l = topic_.log(p);
    return one.next > l.high && one.told == l.changes;
  }
  view& at(int process, int p) {
    auto& v = views_[static_cast<std::size_t>(process) * most_partitions + static_cast<std::size_t>(p)];
    if (v.life != world_.life_of(process)) v = {.life = world_.life_of(process)};
    return v;
  }
  /// Up to where; -1: never.
  static std::int64_t stored_under(partition const& one, std::int64_t incarnation) {
    if (incarnation == one.incarnation) return one.next;
    for (auto const& b : one.before)
      if (b.incarnation == incarnation) return b.next;
    return -1;
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
