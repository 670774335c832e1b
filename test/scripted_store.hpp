/// \file scripted_store.hpp  An offset store in memory that outlives its consumers, keeps the contract, and fails when the test says so.
#pragma once
#include <sluice/detail/hand.hpp>
#include <sluice/offset_store/concept.hpp>
#include <sluice/on_failure/concept.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>

namespace scripted {
namespace sl = sluice;

using effect = std::pair<sl::topic_partition, std::int64_t>;

struct letter {
  std::string place{};
  sl::topic_partition of{};
  std::int64_t at = 0;
  std::string error{};
  unsigned attempts = 0;
};

/// What the store does at an advance, a commit or a settle instead of doing it.
enum class act {
  normal,
  refuse,
  lose,      // unknown, and never applied
  late,      // unknown, and applied when the partition is claimed next
  unheard,   // unknown, and applied
  postpone,  // not applied, may be tried again
  down,      // throws store_error
  damaged,   // throws store_error(store_damaged)
  fenced     // throws store_error(fenced)
};
struct scene {
  act what = act::normal;
  std::optional<sl::topic_partition> of{};  // of this partition only
};

/// What survives the process.
struct ledger {
  struct row {
    sl::offset next{};
    sl::log_state log{};
    sl::fence mine{};
    bool there = true;
  };
  std::map<sl::topic_partition, row> rows{};
  std::map<std::string, std::int32_t> known{};  // partitions of a topic
  std::vector<sl::rewind> rewinds{};
  std::vector<letter> letters{};
  std::vector<effect> effects{};  // of committed transactions, in order
  std::set<effect> impossible{};  // a commit with one of them throws bad_statement
  std::optional<std::string> id{};

  std::deque<scene> advances{}, settles{}, commits{};
  std::deque<sl::claimed::what_t> claims{};  // busy or failed, for all of a claim
  int claims_down = 0, records_down = 0, begins_down = 0;
  bool letters_fail = false;
  std::vector<sl::move> late{};
  std::function<void(sl::move const&)> applied{};  // told of each move that holds

  sl::time_point asked_by{};  // of the last advance without a transaction
  int claimed = 0, advanced = 0, settled = 0, recorded = 0, released = 0, begun = 0, rolled_back = 0;

  std::int64_t next(sl::topic_partition const& of) const { return rows.at(of).next.value(); }

  bool stands_at(sl::move const& m) const {
    auto const at = rows.find(m.of);
    return at != rows.end() && at->second.next == m.until;
  }
  sl::outcome apply(std::map<sl::topic_partition, row>& in, sl::move const& m) const {
    auto const at = in.find(m.of);
    if (at == in.end() || !at->second.there || at->second.mine != m.mine) return sl::outcome::refused;
    if (at->second.next == m.until) return sl::outcome::applied;
    if (at->second.next != m.from || m.until < m.from) return sl::outcome::refused;
    at->second.next = m.until;
    at->second.log = m.log;
    return sl::outcome::applied;
  }
};

inline scene next_of(std::deque<scene>& script) {
  if (script.empty()) return {};
  auto const s = script.front();
  script.pop_front();
  return s;
}

template <bool Savepoints>
class basic_transaction {
 public:
  std::vector<effect> effects{};
  std::vector<letter> letters{};
  std::size_t mark = 0;
  sl::detail::cursor const* at = nullptr;
  std::vector<sl::detail::cursor> places{};  // of the effects

  void put(sl::record r) {
    effects.push_back({{std::string{r.topic()}, r.partition()}, r.offset().value()});
    places.push_back(at ? *at : sl::detail::cursor{});
  }
  void follow(sl::detail::cursor const& which)
    requires(!Savepoints)
  {
    at = &which;
  }
  void savepoint()
    requires Savepoints
  {
    mark = effects.size();
  }
  void rollback_to_savepoint()
    requires Savepoints
  {
    effects.resize(mark);
  }
  void release_savepoint()
    requires Savepoints
  {}
};

template <bool Savepoints>
struct basic_offsets {
  using slot = sl::offset_store_slot;
  using must_be_configured = void;
  using transaction = basic_transaction<Savepoints>;
  static constexpr bool records_skips = true;
  static constexpr bool keeps_tables = true;
  static constexpr bool keeps_files = true;

  ledger* at = nullptr;
  bool mirror = true;

  class runtime {
   public:
    using transaction = basic_transaction<Savepoints>;

   private:
    ledger& at_;
    bool mirror_;
    std::vector<sl::outcome> answers_{};
    std::vector<letter> waiting_{};
    std::optional<transaction> tx_{};
    std::map<sl::topic_partition, ledger::row> staged_{};
    bool was_transaction_ = false;  // what settle is about
    std::optional<sl::detail::cursor> failed_{};

    static void throw_if(act what) {
      if (what == act::down) down();
      if (what == act::damaged) throw sl::store_error(sl::errc::store_damaged, "the store is damaged");
      if (what == act::fenced) throw sl::store_error(sl::errc::fenced, "another instance has come");
    }
    static void down() { throw sl::store_error(sl::errc::store_unavailable, "the store is down"); }

   public:
    static constexpr bool durable_at_advance = true;
    static constexpr sl::fencing fencing = sl::fencing::compare_and_set;

    runtime(ledger& at, bool mirror) : at_(at), mirror_(mirror) {}

    std::vector<sl::claimed> claim(std::string const&, std::vector<sl::topic_partition> const& set,
                                   sl::start_resolver& resolve, sl::time_point by) {
      ++at_.claimed;
      if (at_.claims_down > 0 && at_.claims_down-- > 0) down();
      std::vector<sl::claimed> answers;
      if (!at_.claims.empty()) {
        for (auto const& of : set) answers.push_back({.of = of, .what = at_.claims.front(), .why = "scripted"});
        at_.claims.pop_front();
        return answers;
      }
      for (auto const& m : at_.late)
        if (std::ranges::find(set, m.of) != set.end() && !at_.stands_at(m) &&
            at_.apply(at_.rows, m) == sl::outcome::applied && at_.applied)
          at_.applied(m);
      std::erase_if(at_.late, [&](auto const& m) { return std::ranges::find(set, m.of) != set.end(); });
      std::set<std::string> first;
      for (auto const& of : set) answers.push_back(one(of, first, resolve, by));
      return answers;
    }

    std::span<sl::outcome const> advance(std::span<sl::move const> moves, sl::time_point by) {
      ++at_.advanced;
      at_.asked_by = by;
      was_transaction_ = false;
      return play(at_.advances, moves);
    }
    std::span<sl::outcome const> settle(std::span<sl::move const> moves, sl::time_point) {
      ++at_.settled;
      return was_transaction_ ? read_back(moves) : play(at_.settles, moves);
    }

    std::vector<sl::claimed> record(std::vector<sl::rewind> const& rewinds, sl::time_point) {
      ++at_.recorded;
      if (at_.records_down > 0 && at_.records_down-- > 0) down();
      std::vector<sl::claimed> answers;
      for (auto const& r : rewinds) {
        auto const row = at_.rows.find(r.of);
        if (row == at_.rows.end() || row->second.mine != r.mine) {
          answers.push_back({.of = r.of, .why = "another owner has claimed it"});
          continue;
        }
        row->second = {r.to, {.incarnation = row->second.log.incarnation + 1}, next_fence(row->second.mine)};
        at_.rewinds.push_back(r);
        answers.push_back({r.of, r.to, row->second.log, row->second.mine, sl::claimed::stored, {}});
      }
      return answers;
    }
    void release(std::vector<sl::claimed> const& claims, sl::time_point) {
      at_.released += static_cast<int>(claims.size());
      for (auto const& c : claims) forget_letters(c.of);
    }
    std::optional<std::string> local_id() const { return at_.id; }
    bool mirror() const { return mirror_; }

    transaction& begin(std::span<sl::move const>, sl::time_point) {
      if (at_.begins_down > 0 && at_.begins_down-- > 0) down();
      if (tx_) throw std::logic_error("a transaction was open");
      ++at_.begun;
      was_transaction_ = true;
      staged_ = at_.rows;
      return tx_.emplace();
    }
    std::span<sl::outcome const> advance(transaction&, std::span<sl::move const> moves, sl::time_point) {
      auto const s = next_of(at_.advances);
      throw_if(s.what);
      answers_.clear();
      for (auto const& m : moves) {
        bool const scripted = s.what != act::normal && (!s.of || *s.of == m.of);
        answers_.push_back(!scripted                 ? at_.apply(staged_, m)
                           : s.what == act::postpone ? sl::outcome::postponed
                                                     : sl::outcome::refused);
        if (scripted && s.what == act::refuse) ++at_.rows[m.of].mine.turn;
      }
      return answers_;
    }
    sl::outcome commit(transaction& tx, sl::time_point) {
      auto const s = next_of(at_.commits);
      auto const end = [&](sl::outcome o, bool keep) {
        if (keep) {
          at_.rows = staged_;
          at_.effects.insert(at_.effects.end(), tx.effects.begin(), tx.effects.end());
          at_.letters.insert(at_.letters.end(), tx.letters.begin(), tx.letters.end());
        }
        tx_.reset();
        return o;
      };
      for (std::size_t i = 0; i < tx.effects.size(); ++i)
        if (at_.impossible.contains(tx.effects[i])) {
          if constexpr (!Savepoints) failed_ = tx.places[i];
          end(sl::outcome::refused, false);
          throw sl::error(sl::errc::bad_statement, "impossible");
        }
      switch (s.what) {
        case act::normal:
          return end(sl::outcome::applied, true);
        case act::refuse:
          return end(sl::outcome::refused, false);
        case act::postpone:
          return end(sl::outcome::postponed, false);
        case act::unheard:
          return end(sl::outcome::unknown, true);
        case act::down:
          tx_.reset();
          down();
          [[fallthrough]];
        default:
          return end(sl::outcome::unknown, false);
      }
    }
    std::optional<sl::detail::cursor> failed_at() const
      requires(!Savepoints)
    {
      return failed_;
    }
    void rollback(transaction&) noexcept {
      ++at_.rolled_back;
      tx_.reset();
    }

    void prepare_table(std::string const&) {}
    void set_aside(std::string const& place, sl::dead_letter const& l) {
      if (at_.letters_fail) throw sl::error(sl::errc::dead_letter_failed, "no room for a dead letter");
      letter const kept{
          place, {std::string{l.what.topic()}, l.what.partition()}, l.what.offset().value(), l.error, l.attempts};
      (tx_ ? tx_->letters : waiting_).push_back(kept);
    }

   private:
    static sl::fence next_fence(sl::fence f) { return {f.turn + 1, (f.nonce + 1) * 0x9e3779b97f4a7c15u}; }

    sl::claimed one(sl::topic_partition const& of, std::set<std::string>& first, sl::start_resolver& resolve,
                    sl::time_point by) {
      auto what = sl::claimed::stored;
      auto known = at_.known.find(of.topic);
      if (known == at_.known.end()) {
        auto const start = resolve.start_of(of.topic, by);
        for (std::size_t p = 0; p < start.starts.size(); ++p)
          at_.rows[{of.topic, static_cast<std::int32_t>(p)}] = {start.starts[p], {.incarnation = 1}, {}};
        known = at_.known.emplace(of.topic, static_cast<std::int32_t>(start.starts.size())).first;
        first.insert(of.topic);
      }
      if (of.partition >= known->second) {
        at_.rows[of] = {resolve.earliest(of, by), {.incarnation = 1}, {}};
        known->second = of.partition + 1;
        what = sl::claimed::added;
      } else if (first.contains(of.topic))
        what = sl::claimed::first;
      auto const row = at_.rows.try_emplace(of, ledger::row{.there = false}).first;
      if (!row->second.there) what = sl::claimed::missing;
      row->second.mine = next_fence(row->second.mine);
      forget_letters(of);
      return {of, row->second.next, row->second.log, row->second.mine, what, {}};
    }

    /// A transaction's moves are never made without its results.
    std::span<sl::outcome const> read_back(std::span<sl::move const> moves) {
      auto const s = next_of(at_.settles);
      answers_.clear();
      for (auto const& m : moves) {
        auto const& row = at_.rows.at(m.of);
        bool const there = row.mine == m.mine && row.next == m.until;
        answers_.push_back(s.what == act::lose ? sl::outcome::unknown
                           : there             ? sl::outcome::applied
                                               : sl::outcome::refused);
      }
      return answers_;
    }

    std::span<sl::outcome const> play(std::deque<scene>& script, std::span<sl::move const> moves) {
      auto const s = next_of(script);
      throw_if(s.what);
      answers_.clear();
      for (auto const& m : moves) answers_.push_back(!s.of || *s.of == m.of ? play(s.what, m) : play(act::normal, m));
      return answers_;
    }
    sl::outcome play(act what, sl::move const& m) {
      switch (what) {
        case act::refuse:
          ++at_.rows[m.of].mine.turn;  // another one has claimed it
          forget_letters(m.of);
          return sl::outcome::refused;
        case act::lose:
          return sl::outcome::unknown;
        case act::late:
          at_.late.push_back(m);
          return sl::outcome::unknown;
        case act::postpone:
          return sl::outcome::postponed;
        default:
          break;
      }
      bool const before = at_.stands_at(m);
      auto const o = at_.apply(at_.rows, m);
      if (o == sl::outcome::applied && !before) {
        for (auto const& l : waiting_)
          if (l.of == m.of) at_.letters.push_back(l);
        if (at_.applied) at_.applied(m);
      }
      forget_letters(m.of);
      return what == act::unheard ? sl::outcome::unknown : o;
    }
    void forget_letters(sl::topic_partition const& of) {
      std::erase_if(waiting_, [&](letter const& l) { return l.of == of; });
    }
  };

  static runtime open(basic_offsets const& self, sl::context const&) { return {*self.at, self.mirror}; }
};

using offsets = basic_offsets<true>;  // with savepoints
using offsets_without_savepoints = basic_offsets<false>;
static_assert(sl::transactional_store<offsets::runtime>);

}  // namespace scripted
