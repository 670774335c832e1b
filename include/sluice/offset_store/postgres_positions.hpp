/// \file offset_store/postgres_positions.hpp  The statements on positions in PostgreSQL: each for many partitions at once.
#pragma once
#include <sluice/offset_store/postgres_tables.hpp>
#include <sluice/offset_store/sql_claiming.hpp>

namespace sluice { inline namespace v0 { namespace detail::postgres {

/// All of one group's positions.
class positions {
  tables& tables_;
  std::string group_{};

  static constexpr auto columns =
      "p.next, p.incarnation, p.fence_turn, p.fence_nonce, p.leader_epoch, p.last_offset, p.last_hash";

 public:
  explicit positions(tables& t) : tables_(t) {}
  void of_group(std::string const& group) { group_ = group; }
  std::string const& group() const { return group_; }

  /// The compare-and-set. Answers the numbers, from 1, of the moves that were made.
  request advance(std::span<move const> moves) const {
    array topics, numbers, froms, untils, turns, nonces, epochs, lasts, hashes;
    for (auto const& m : moves) {
      topics.add(m.of.topic);
      numbers.add(m.of.partition);
      froms.add(m.from);
      untils.add(m.until);
      turns.add(bits(m.mine.turn));
      nonces.add(bits(m.mine.nonce));
      epochs.add(m.log.leader_epoch);
      std::optional<std::int64_t> last, hash;
      if (m.log.last) {
        last = m.log.last->of.value();
        hash = bits(m.log.last->hash);
      }
      lasts.add(last);
      hashes.add(hash);
    }
    return {"update " + tables_.with("") +
                " p set next = m.until, leader_epoch = m.epoch, last_offset = m.last, last_hash = m.hash"
                " from unnest($2::text[], $3::int4[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int4[],"
                " $9::int8[], $10::int8[]) with ordinality as m(topic, partition, start, until, turn, nonce, epoch,"
                " last, hash, i) where p.grp = $1 and p.topic = m.topic and p.partition = m.partition and"
                " p.next = m.start and p.fence_turn = m.turn and p.fence_nonce = m.nonce returning m.i",
            parameters::of(group_, topics.text(), numbers.text(), froms.text(), untils.text(), turns.text(),
                           nonces.text(), epochs.text(), lasts.text(), hashes.text())};
  }

  /// The numbers of the moves whose position stands at `until` under their fence. With `wait`, transactions that have
  /// changed such a position are waited for.
  request find(std::span<move const> moves, bool wait) const {
    array topics, numbers;
    for (auto const& m : moves) {
      topics.add(m.of.topic);
      numbers.add(m.of.partition);
    }
    return {std::string("select m.i, ") + columns + " from " + tables_.with("") +
                " p join unnest($2::text[], $3::int4[]) with ordinality as m(topic, partition, i)"
                " on p.grp = $1 and p.topic = m.topic and p.partition = m.partition" +
                (wait ? " for update of p" : ""),
            parameters::of(group_, topics.text(), numbers.text())};
  }

  /// All of the group's; behind what each() reads come topic and partition.
  request all() const {
    return {std::string("select row_number() over (), ") + columns + ", p.topic, p.partition from " + tables_.with("") +
                " p where p.grp = $1",
            parameters::of(group_)};
  }

  /// Calls `f` with the index of a move, claim or rewind, and its position.
  template <class F>
  static void each(result const& r, F f) {
    for (int row = 0; row < r.rows(); ++row) {
      stored_position p;
      p.next = r.number(row, 1);
      p.log.incarnation = r.number(row, 2);
      p.mine = {bits(r.number(row, 3)), bits(r.number(row, 4))};
      p.owned = !r.null(row, 4);
      p.log.leader_epoch = static_cast<std::int32_t>(r.number(row, 5));
      if (!r.null(row, 6)) p.log.last = fingerprint{offset{r.number(row, 6)}, bits(r.number(row, 7))};
      f(static_cast<std::size_t>(r.number(row, 0) - 1), p);
    }
  }

  /// Answers topic and number of partitions, for those that are known.
  request known(std::vector<std::string> const& topics) const {
    return {"select topic, partitions from " + tables_.with("_topics") + " where grp = $1 and topic = any($2::text[])",
            parameters::of(group_, list(topics))};
  }
  /// Makes the topics known, with no partitions, and keeps other claims of them out until the transaction's end.
  std::vector<request> lock_topics(std::vector<std::string> const& topics) const {
    return {{"insert into " + tables_.with("_topics") +
                 " select $1, t, 0 from unnest($2::text[]) t order by t on conflict do nothing",
             parameters::of(group_, list(topics))},
            {"select topic, partitions from " + tables_.with("_topics") +
                 " where grp = $1 and topic = any($2::text[]) order by topic for update",
             parameters::of(group_, list(topics))}};
  }
  request set_partitions(std::vector<std::pair<std::string, std::int32_t>> const& counts) const {
    array topics, numbers;
    for (auto const& [topic, n] : counts) {
      topics.add(topic);
      numbers.add(n);
    }
    return {"update " + tables_.with("_topics") +
                " t set partitions = m.n from unnest($2::text[], $3::int4[]) m(topic, n)"
                " where t.grp = $1 and t.topic = m.topic",
            parameters::of(group_, topics.text(), numbers.text())};
  }
  /// Where they are absent. Incarnations start above all that were recorded.
  request create(std::vector<std::pair<topic_partition, std::int64_t>> const& starts) const {
    array topics, numbers, nexts;
    for (auto const& [of, next] : starts) {
      topics.add(of.topic);
      numbers.add(of.partition);
      nexts.add(next);
    }
    return {"insert into " + tables_.with("") +
                " (grp, topic, partition, next, incarnation, fence_turn) select $1, m.topic, m.partition, m.next,"
                " greatest($5::int8, 1 + (select max(w.incarnation) from " +
                tables_.with("_rewinds") +
                " w where w.grp = $1 and w.topic = m.topic and w.partition = m.partition)), 0"
                " from unnest($2::text[], $3::int4[], $4::int8[]) m(topic, partition, next) on conflict do nothing",
            parameters::of(group_, topics.text(), numbers.text(), nexts.text(), wall_ms())};
  }
  /// New fences. Answers the positions, by the number in `claims`.
  request claim(std::vector<claimed> const& claims) const {
    array topics, numbers, nonces;
    for (auto const& c : claims) {
      topics.add(c.of.topic);
      numbers.add(c.of.partition);
      nonces.add(bits(random_64()));
    }
    return {"update " + tables_.with("") +
                " p set fence_turn = p.fence_turn + 1, fence_nonce = m.nonce"
                " from unnest($2::text[], $3::int4[], $4::int8[]) with ordinality as m(topic, partition, nonce, i)"
                " where p.grp = $1 and p.topic = m.topic and p.partition = m.partition returning m.i, " +
                columns,
            parameters::of(group_, topics.text(), numbers.text(), nonces.text())};
  }
  /// Moves what stands under the rewinds' fences and notes it. Answers the positions as they are now.
  request rewind(std::vector<sluice::rewind> const& rewinds) const {
    array topics, numbers, tos, turns, nonces, fresh, causes;
    for (auto const& r : rewinds) {
      topics.add(r.of.topic);
      numbers.add(r.of.partition);
      tos.add(r.to);
      turns.add(bits(r.mine.turn));
      nonces.add(bits(r.mine.nonce));
      fresh.add(bits(random_64()));
      causes.add(r.cause);
    }
    auto const t = tables_.with("");
    return {"with was as (select m.*, p.next, p.incarnation from " + t +
                " p join unnest($2::text[], $3::int4[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::text[])"
                " with ordinality as m(topic, partition, until, turn, nonce, fresh, cause, i) on p.grp = $1 and"
                " p.topic = m.topic and p.partition = m.partition and p.fence_turn = m.turn and"
                " p.fence_nonce = m.nonce for update of p),"
                " now as (update " +
                t +
                " p set next = was.until, incarnation = greatest(was.incarnation + 1, $9::int8),"
                " fence_turn = p.fence_turn + 1, fence_nonce = was.fresh, leader_epoch = -1, last_offset = null,"
                " last_hash = null from was where p.grp = $1 and p.topic = was.topic and p.partition = was.partition"
                " and p.fence_turn = was.turn and p.fence_nonce = was.nonce returning was.i, " +
                columns + "), note as (insert into " + tables_.with("_rewinds") +
                " select $1, was.topic, was.partition, was.cause, was.next, was.until, now.incarnation, $9::int8"
                " from was join now on was.i = now.i) select * from now",
            parameters::of(group_, topics.text(), numbers.text(), tos.text(), turns.text(), nonces.text(), fresh.text(),
                           causes.text(), wall_ms())};
  }
  request release(std::vector<claimed> const& claims) const {
    array topics, numbers, turns, nonces;
    for (auto const& c : claims) {
      topics.add(c.of.topic);
      numbers.add(c.of.partition);
      turns.add(bits(c.mine.turn));
      nonces.add(bits(c.mine.nonce));
    }
    return {"update " + tables_.with("") +
                " p set fence_nonce = null from unnest($2::text[], $3::int4[], $4::int8[], $5::int8[])"
                " m(topic, partition, turn, nonce) where p.grp = $1 and p.topic = m.topic and"
                " p.partition = m.partition and p.fence_turn = m.turn and p.fence_nonce = m.nonce",
            parameters::of(group_, topics.text(), numbers.text(), turns.text(), nonces.text())};
  }

 private:
  static std::string list(std::vector<std::string> const& names) {
    array a;
    for (auto const& n : names) a.add(n);
    return a.text();
  }
};

}}}  // namespace sluice::v0::detail::postgres
