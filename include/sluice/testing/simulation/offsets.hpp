/// \file testing/simulation/offsets.hpp  An offset store for simulations: keeps the contract of stores while requests and answers are lost, late, or come twice.
#pragma once
#include <sluice/on_failure/concept.hpp>
#include <sluice/testing/simulation/store.hpp>

namespace sluice { inline namespace v0 { namespace testing {

/// What a transactional handler writes through in a simulation: the records whose effect is to be there, texts, rows of state.
class simulated_transaction {
  std::vector<std::uint32_t> effects_{}, aside_{};
  std::vector<std::int32_t> touched_{};
  std::vector<basic_state_row<std::string>> written_{};
  std::vector<basic_output<std::string>> outputs_{};
  simulated::store* store_ = nullptr;

 public:
  using row_type = basic_state_row<std::string>;
  void put(std::uint32_t record) { effects_.push_back(record); }
  void set_aside(std::uint32_t record) { aside_.push_back(record); }
  /// Something of the partition's is written, that no record brought: a window's end, a time-out.
  void touch(std::int32_t partition) { touched_.push_back(partition); }
  /// Is there once the transaction is committed, under the partition's fence; simulation::on_commit sees it.
  void emit(std::int32_t partition, std::string text) { outputs_.push_back({partition, std::move(text)}); }
  void begin(simulated::store& s) {
    clear();
    store_ = &s;
  }
  void clear() {
    effects_.clear();
    aside_.clear();
    touched_.clear();
    written_.clear();
    outputs_.clear();
  }
  std::vector<std::uint32_t> const& effects() const { return effects_; }
  std::vector<std::uint32_t> const& aside() const { return aside_; }
  std::vector<std::int32_t> const& touched() const { return touched_; }
  std::vector<row_type> const& written() const { return written_; }
  std::vector<basic_output<std::string>> const& outputs() const { return outputs_; }

  // ---- for states: see testing/simulation/state.hpp

  /// A request to the store begins and ends. Throws store_error.
  void asks(std::int32_t partition, std::size_t rows) {
    auto& here = store_->world();
    auto const f = here.begins(call::state, partition, static_cast<std::int64_t>(rows));
    bool const down = f == fault::unavailable || store_->is_down();
    if (down) here.sleep_until(here.now + 400 * simulated::ms);
    here.ends(f);
    if (down) throw store_error(errc::store_unavailable, "the store is down");
    if (f == fault::busy) throw store_conflict(errc::conflict, "another transaction was quicker");
  }
  void write(row_type const& row) { simulated::put_in(written_, row, true); }
  std::optional<row_type> row(std::string_view state, std::int32_t partition, std::string_view key) const {
    if (auto const* mine = simulated::find_in(written_, state, partition, key))
      return mine->there ? std::optional{*mine} : std::nullopt;
    if (auto const* r = simulated::find_in(store_->state(), state, partition, key)) return copy_of(*r);
    return std::nullopt;
  }
  /// Those of one partition, by key.
  std::vector<row_type> rows(std::string_view state, std::int32_t partition) const {
    std::vector<row_type> all;
    for (auto const& r : store_->state())
      if (r.state == state && r.partition == partition) all.push_back(copy_of(r));
    for (auto const& mine : written_)
      if (mine.state == state && mine.partition == partition) simulated::put_in(all, mine, false);
    return all;
  }
  std::int32_t partitions() const { return store_->known(); }

 private:
  static row_type copy_of(simulated::state_row const& r) {
    return {std::string{r.state}, r.partition, std::string{r.key}, std::string{r.value}, r.due, true};
  }
};

namespace simulated {

class simulated_store_runtime {
 public:
  using transaction = simulated_transaction;

 private:
  simulated::cluster& cluster_;
  simulated::store& store_;
  std::vector<outcome> answers_{};
  transaction open_{};
  bool is_open_ = false;
  std::vector<std::uint32_t> aside_{};  // to be recorded with the next advance
  bool last_in_transaction_ = false;

  world& here() { return cluster_.world; }
  static numbered_move numbered(move const& m) {
    return {m.of.partition, m.from.value(), m.until.value(), m.mine, m.log};
  }
  static int first_of(std::span<move const> moves) { return moves.empty() ? -1 : moves.front().of.partition; }

  [[noreturn]] void down(fault f, time_point by) {
    here().sleep_until(std::min(here().when(by), here().now + 400 * ms));
    here().ends(f);
    throw store_error(errc::store_unavailable, "the store is down");
  }
  bool is_down(fault f) {
    if (f == fault::unavailable) return true;
    if (!store_.is_down()) return false;
    if (!is_of_process(f)) here().missed(f);
    return true;
  }

  bool is_owner(int p) {
    auto const& group = cluster_.group;
    return !group.has_members() || group.is_owner(here().current(), here().life(), p);
  }

  std::span<outcome const> all(std::span<move const> moves, outcome o) {
    answers_.assign(moves.size(), o);
    if (o != outcome::applied)
      for (auto const& m : moves) cluster_.witness.excuse(m.of.partition);
    return answers_;
  }
  std::span<outcome const> no_answer(std::span<move const> moves, fault f, time_point by) {
    (void)all(moves, outcome::unknown);
    here().sleep_until(here().luck.one_in(2) ? here().when(by) : here().now + 30 * ms);
    here().ends(f);
    return answers_;
  }

 public:
  static constexpr bool durable_at_advance = true;
  static constexpr sluice::fencing fencing = sluice::fencing::compare_and_set;

  simulated_store_runtime(simulated::cluster& c, simulated::store& s) : cluster_(c), store_(s) {}

  std::vector<sluice::claimed> claim(std::string const&, std::vector<topic_partition> const& set,
                                     start_resolver& resolve, time_point by) {
    for (auto const& of : set)
      while (of.partition >= store_.known()) create(of, resolve, by);
    auto const f = here().begins(call::claim, set.front().partition, static_cast<std::int64_t>(set.size()));
    here().meets(meeting::claim_down, has(here().plan.faults, fault::store_down), store_.is_down());
    if (is_down(f) || f == fault::lost) down(f, by);
    for (auto const& of : set) forget_aside(of);
    std::vector<sluice::claimed> answers;
    bool none_stale = true;
    for (auto const& of : set) {
      auto& row = store_.at(of.partition);
      if (f == fault::busy) {
        answers.push_back({.of = of, .what = sluice::claimed::busy, .why = "another one holds the store"});
        continue;
      }
      auto const old = f == fault::stale ? store_.stale(of.partition, here().amount()) : std::nullopt;
      if (old) {
        none_stale = false;
        answers.push_back({of, offset{old->next}, old->log, old->mine, sluice::claimed::stored, {}});
        here().note("claimed, stale", of.partition, old->next, static_cast<std::int64_t>(old->mine.turn));
        continue;
      }
      auto const mine = store_.claim(here().current(), of.partition);
      answers.push_back(
          {of, offset{row.next}, row.log, mine, row.there ? sluice::claimed::stored : sluice::claimed::missing, {}});
      here().note("claimed", of.partition, row.next, static_cast<std::int64_t>(mine.turn));
    }
    if (f == fault::stale && none_stale) here().missed(f);
    if (f == fault::unheard) down(f, by);
    here().ends(f);
    for (auto const& c : answers)
      if (c.what != sluice::claimed::busy) {
        store_.answered(here().current(), c.of.partition, c.mine);
        if (!is_owner(c.of.partition)) continue;
        if (store_.at(c.of.partition).mine == c.mine)
          cluster_.witness.heard(c.of.partition);
        else
          cluster_.witness.misled(here().current(), c.of.partition, c.next.value());
      }
    return answers;
  }

  std::span<outcome const> advance(std::span<move const> moves, time_point by) {
    last_in_transaction_ = false;
    auto const f =
        here().begins(call::advance, first_of(moves), moves.front().from.value(), moves.front().until.value());
    if (is_down(f)) down(f, by);
    switch (f) {
      case fault::lost:
        return no_answer(moves, f, by);
      case fault::late:
        store_.arrives_later(on_the_wire(moves), here().now + here().amount());
        return no_answer(moves, f, by);
      case fault::twice:
        store_.arrives_later(on_the_wire(moves), here().now + here().amount());
        break;
      default:
        break;
    }
    // Of some faults the last partition alone has its part, of others all have.
    bool const only_last = here().amount() % 2 != 0;
    auto const done = f == fault::refused               ? (only_last ? moves.size() - 1 : 0)
                      : f == fault::partly && only_last ? moves.size() - 1
                                                        : moves.size();
    answers_.clear();
    for (auto const& m : moves.first(done)) answers_.push_back(store_.apply(numbered(m), aside_));
    answers_.resize(moves.size(), f == fault::refused ? outcome::refused : outcome::unknown);
    if (f == fault::unheard) return no_answer(moves, f, by);
    if (f == fault::partly) answers_.back() = outcome::unknown;
    if (f == fault::partly && moves.size() == 1) here().missed(f);  // what is left of it is lost, or unheard
    excuse_failures(moves);
    forget_aside(moves);
    here().ends(f);
    owes(moves);
    return answers_;
  }

  /// The same request again. Of a transaction: its session is ended first, so that it can't be committed behind our back.
  std::span<outcome const> settle(std::span<move const> moves, time_point by) {
    auto const f =
        here().begins(call::settle, first_of(moves), moves.front().from.value(), moves.front().until.value());
    if (f == fault::lost || store_.is_down()) return no_answer(moves, f, by);
    answers_.clear();
    for (auto const& m : moves) {
      if (!last_in_transaction_) {
        answers_.push_back(store_.apply(numbered(m), aside_));
        continue;
      }
      store_.end_transactions_with(m.of.partition, m.mine);
      auto const& row = store_.at(m.of.partition);
      answers_.push_back(row.mine == m.mine && row.next == m.until.value() ? outcome::applied : outcome::refused);
    }
    if (f == fault::unheard) return no_answer(moves, f, by);
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (answers_[i] == outcome::refused) store_.refused_for_good(numbered(moves[i]));
    excuse_failures(moves);
    forget_aside(moves);
    here().ends(f);
    if (!last_in_transaction_) owes(moves);
    return answers_;
  }

  std::vector<sluice::claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    std::vector<sluice::claimed> answers;
    if (rewinds.empty()) return answers;
    auto const f = here().begins(call::record, rewinds.front().of.partition, rewinds.front().to.value());
    if (is_down(f) || f == fault::lost) down(f, by);
    for (auto const& r : rewinds) {
      auto& row = store_.at(r.of.partition);
      if (row.mine != r.mine) {
        answers.push_back({.of = r.of, .why = "another owner has claimed it"});
        continue;
      }
      auto const mine = store_.new_fence(r.of.partition);
      row.there = true;
      row.next = r.to.value();
      row.log = {.incarnation = std::max(row.log.incarnation + 1, here().wall_ms())};
      here().note("rewound", r.of.partition, row.next, static_cast<std::int64_t>(mine.turn));
      cluster_.witness.rewound(r.of.partition, row.next, row.log.incarnation, r.cause, is_owner(r.of.partition));
      answers.push_back({r.of, r.to, row.log, mine, sluice::claimed::stored, r.cause});
    }
    if (f == fault::unheard) down(f, by);
    here().ends(f);
    for (auto const& c : answers)
      if (c.what == sluice::claimed::stored) store_.answered(here().current(), c.of.partition, c.mine);
    return answers;
  }

  void release(std::vector<sluice::claimed> const& claims, time_point by) {
    auto const f = here().begins(call::give_up, claims.front().of.partition, claims.front().next.value());
    if (is_down(f)) down(f, by);
    here().ends(f);
  }
  std::optional<std::string> local_id() const { return std::nullopt; }
  bool mirror() const { return true; }

  /// In a transaction part of it; else recorded with the partition's next advance.
  void set_aside(std::string const&, dead_letter const& letter) {
    auto const id = static_cast<std::uint32_t>(
        std::strtoul(reinterpret_cast<char const*>(letter.what.value().data()), nullptr, 10));
    if (is_open_)
      open_.set_aside(id);
    else
      aside_.push_back(id);
  }

  // ---- transactions

  transaction& begin(std::span<move const> moves, time_point by) {
    auto const f = here().begins(call::begin, first_of(moves));
    if (is_down(f) || f == fault::lost || f == fault::unheard) down(f, by);
    if (is_open_) here().violated("contract", "a transaction is begun while another one is open");
    open_.begin(store_);
    is_open_ = true;
    moves_.assign(moves.begin(), moves.end());
    weighed_.clear();
    here().ends(f);
    return open_;
  }
  std::span<outcome const> advance(transaction&, std::span<move const> moves, time_point) {
    auto const f = here().begins(call::weigh, first_of(moves), moves.front().from.value(), moves.front().until.value());
    answers_.clear();
    weighed_.assign(moves.begin(), moves.end());
    for (auto const& m : moves) answers_.push_back(store_.would(numbered(m), true));
    excuse_failures(moves);
    here().ends(f);
    return answers_;
  }
  outcome commit(transaction& tx, time_point by) {
    is_open_ = false;
    last_in_transaction_ = true;
    auto const f =
        here().begins(call::finish, first_of(moves_), moves_.front().from.value(), moves_.front().until.value());
    auto const answer = [&](outcome o) {
      if (o != outcome::applied) (void)all(moves_, o);
      if (o == outcome::unknown) here().sleep_until(here().luck.one_in(2) ? here().when(by) : here().now + 30 * ms);
      open_.clear();
      here().ends(f);
      return o;
    };
    if (is_down(f)) {
      (void)all(moves_, outcome::refused);
      down(f, by);
    }
    if (f == fault::lost) return answer(outcome::unknown);
    if (f == fault::refused) return answer(outcome::refused);
    auto const request = on_the_wire(weighed_);
    store_.at(request).in_transaction = true;
    store_.at(request).effects.assign(tx.effects().begin(), tx.effects().end());
    store_.at(request).aside.assign(tx.aside().begin(), tx.aside().end());
    store_.at(request).touched.assign(tx.touched().begin(), tx.touched().end());
    store_.keep(request, tx.written(), tx.outputs());
    if (f == fault::late) {
      store_.arrives_later(request, here().now + here().amount());
      return answer(outcome::unknown);
    }
    auto const what = store_.commit(store_.at(request));
    store_.at(request).over = true;
    return answer(f == fault::unheard ? outcome::unknown : what);
  }
  void rollback(transaction&) noexcept {
    is_open_ = false;
    auto const f = here().begins(call::rollback);
    for (auto const& m : moves_) cluster_.witness.excuse(m.of.partition);
    open_.clear();
    here().ends(f);
  }

 private:
  std::vector<move> moves_{}, weighed_{};  // of the open transaction: that it is about, that are to go with it

  void create(topic_partition const& of, start_resolver& resolve, time_point by) {
    auto const known = store_.known();
    auto const f = here().begins(call::create, of.partition, known);
    if (is_down(f) || f == fault::lost) down(f, by);
    if (known == 0) {
      auto const start = resolve.start_of(of.topic, by);
      for (std::size_t p = 0; p < start.starts.size() && known == store_.known(); ++p)
        starts_.push_back(start.starts[p].value());
      auto const first = store_.known() == 0;
      for (std::size_t p = 0; first && p < starts_.size(); ++p) store_.create(static_cast<int>(p), starts_[p]);
      starts_.clear();
    } else {
      auto const from = resolve.earliest({of.topic, known}, by).value();
      if (store_.known() == known) store_.create(known, from);
    }
    if (f == fault::unheard) down(f, by);
    here().ends(f);
  }
  std::vector<std::int64_t> starts_{};

  std::size_t on_the_wire(std::span<move const> moves) {
    auto const number = store_.open(false);
    for (auto const& m : moves) store_.at(number).moves.push_back(numbered(m));
    store_.at(number).aside.assign(aside_.begin(), aside_.end());
    return number;
  }
  /// Of partitions that have a final answer: stored, or to be handled again.
  void forget_aside(std::span<move const> moves) {
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (answers_[i] == outcome::applied || answers_[i] == outcome::refused) forget_aside(moves[i].of);
  }
  void forget_aside(topic_partition const& of) {
    std::erase_if(aside_, [&](auto id) { return cluster_.topic.record(id).partition == of.partition; });
  }
  void excuse_failures(std::span<move const> moves) {
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (answers_[i] != outcome::applied) cluster_.witness.excuse(moves[i].of.partition);
  }
  void owes(std::span<move const> moves) {
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (answers_[i] == outcome::applied)
        cluster_.witness.owes(here().current(), moves[i].of.partition, moves[i].from.value(), moves[i].until.value());
  }
};
static_assert(transactional_store<simulated_store_runtime>);

}  // namespace simulated
}}}  // namespace sluice::v0::testing
