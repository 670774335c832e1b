/// \file offset_store/mysql_positions.hpp  The statements on positions in MariaDB: each text is for many partitions at once, and one round trip.
#pragma once
#include <sluice/offset_store/mysql_tables.hpp>
#include <sluice/offset_store/sql_claiming.hpp>

#include <numeric>
#include <span>

namespace sluice { inline namespace v0 { namespace detail::mysql {

/// All of one group's positions. Texts that say so leave a transaction open.
class positions {
  connection& db_;
  tables& tables_;
  std::string group_{};

  static constexpr auto columns =
      "p.next, p.incarnation, p.fence_turn, p.fence_nonce, p.leader_epoch, p.last_offset, p.last_hash";
  static constexpr auto number = "bigint";
  static std::string rows(std::initializer_list<std::pair<char const*, char const*>> more) {
    static std::string const name = "varchar(255) " + std::string(text_type);
    std::vector<std::pair<char const*, char const*>> all{{"i", "int"}, {"topic", name.c_str()}, {"part", "int"}};
    all.insert(all.end(), more.begin(), more.end());
    return row_set::table(all);
  }
  /// The rows' positions, by their key: only those are locked.
  std::string joined(std::initializer_list<std::pair<char const*, char const*>> more) const {
    return rows(more) + " straight_join " + tables_.with("") + " p on p.grp = " + literal(group_) +
           " and p.topic = m.topic and p.`partition` = m.part ";
  }
  std::string found(bool lock) const {
    return std::string("select m.i, ") + columns + " from " + joined({}) + (lock ? "for update" : "");
  }
  static constexpr auto under_fence = "p.fence_turn = m.turn and p.fence_nonce = m.nonce";

  /// The indices of `all`, in the order of their keys: who locks rows in one order meets no deadlock.
  template <class All>
  static std::vector<std::size_t> in_order(All const& all) {
    std::vector<std::size_t> order(all.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return all[a].of < all[b].of; });
    return order;
  }
  template <class All, class Row>
  static std::string send(All const& all, Row row) {
    row_set set;
    for (auto const i : in_order(all)) row(set, i, all[i]);
    return set.sent();
  }
  static std::string send_topics(std::vector<std::string> const& topics) {
    row_set set;
    for (auto const& t : topics) set.row(0, t);
    return set.sent();
  }

 public:
  positions(connection& db, tables& t) : db_(db), tables_(t) {}
  void of_group(std::string const& group) { group_ = group; }
  std::string const& group() const { return group_; }

  static constexpr auto begin = "start transaction; ";
  static constexpr auto commit = "; commit";

  /// Looks at the moves' positions, locks them, and makes the moves that fit. Within a transaction.
  std::string advance(std::span<move const> moves) const {
    auto const sent = send(moves, [](row_set& set, std::size_t i, move const& m) {
      std::optional<std::int64_t> last, hash;
      if (m.log.last) {
        last = m.log.last->of.value();
        hash = bits(m.log.last->hash);
      }
      set.row(i, m.of.topic, m.of.partition, m.from, m.until, bits(m.mine.turn), bits(m.mine.nonce), m.log.leader_epoch,
              last, hash);
    });
    return sent + found(true) + "; update " +
           joined({{"start", number},
                   {"until", number},
                   {"turn", number},
                   {"nonce", number},
                   {"epoch", "int"},
                   {"last", number},
                   {"hash", number}}) +
           "set p.next = m.until, p.leader_epoch = m.epoch, p.last_offset = m.last, p.last_hash = m.hash"
           " where p.next = m.start and " +
           under_fence;
  }
  /// Changes the moves' positions and puts them back. A server without a binary log shows a commit before it is on the disk, and
  /// writes out no more than changes need: this one's commit has all that was shown before written, too.
  std::string touch(std::span<move const> moves) const {
    auto const again = "update " + joined({}) + "set p.leader_epoch = -1 - p.leader_epoch";
    return begin +
           send(moves, [](row_set& set, std::size_t i, move const& m) { set.row(i, m.of.topic, m.of.partition); }) +
           again + "; " + again + commit;
  }
  static constexpr std::size_t advance_answers =
      3;  // of which the second has the positions, the third what was changed

  /// Looks at the moves' positions. With `wait`, transactions that have changed such a position are waited for.
  std::string find(std::span<move const> moves, bool wait) const {
    return send(moves, [](row_set& set, std::size_t i, move const& m) { set.row(i, m.of.topic, m.of.partition); }) +
           found(wait);
  }

  /// All of the group's; behind what each() reads come topic and partition.
  std::string all() const {
    return std::string("select row_number() over (), ") + columns + ", p.topic, p.`partition` from " +
           tables_.with("") + " p where p.grp = " + literal(group_);
  }

  /// Calls `f` with the index of a move, claim or rewind, and its position.
  template <class F>
  static void each(answer const& a, F f) {
    for (std::size_t row = 0; row < a.rows(); ++row) {
      stored_position p;
      p.next = a.number(row, 1);
      p.log.incarnation = a.number(row, 2);
      p.mine = {bits(a.number(row, 3)), bits(a.number(row, 4))};
      p.owned = !a.null(row, 4);
      p.log.leader_epoch = static_cast<std::int32_t>(a.number(row, 5));
      if (!a.null(row, 6)) p.log.last = fingerprint{offset{a.number(row, 6)}, bits(a.number(row, 7))};
      f(static_cast<std::size_t>(a.number(row, 0)), p);
    }
  }

  /// Moves what stands under the rewinds' fences and notes it. The last answer but one has those positions as they are now.
  std::string rewind(std::vector<sluice::rewind> const& rewinds) const {
    std::vector<std::uint64_t> fresh(rewinds.size());
    for (auto& n : fresh) n = random_64();
    auto const sent = send(rewinds, [&](row_set& set, std::size_t i, sluice::rewind const& r) {
      set.row(i, r.of.topic, r.of.partition, r.to, bits(r.mine.turn), bits(r.mine.nonce), bits(fresh[i]),
              as_utf8(r.cause));
    });
    auto const from = joined({{"until", number},
                              {"turn", number},
                              {"nonce", number},
                              {"fresh", number},
                              {"cause", "text character set utf8mb4"}});
    auto const now = std::to_string(wall_ms());
    return begin + sent + found(true) + "; insert into " + tables_.with("_rewinds") +
           " (grp, topic, `partition`, cause, from_offset, to_offset, incarnation, at_ms) select p.grp, p.topic,"
           " p.`partition`, m.cause, p.next, m.until, greatest(p.incarnation + 1, " +
           now + "), " + now + " from " + from + "where " + under_fence + "; update " + from +
           "set p.next = m.until, p.incarnation = greatest(p.incarnation + 1, " + now +
           "), p.fence_turn = p.fence_turn + 1, p.fence_nonce = m.fresh, p.leader_epoch = -1, p.last_offset = null,"
           " p.last_hash = null where " +
           under_fence + "; select m.i, " + columns + " from " + from + "where p.fence_nonce = m.fresh" + commit;
  }
  std::string release(std::vector<claimed> const& claims) const {
    return send(claims,
                [](row_set& set, std::size_t i, claimed const& c) {
                  set.row(i, c.of.topic, c.of.partition, bits(c.mine.turn), bits(c.mine.nonce));
                }) +
           "update " + joined({{"turn", number}, {"nonce", number}}) + "set p.fence_nonce = null where " + under_fence;
  }

  // ---- what detail::claiming asks for: three round trips

  std::map<std::string, std::int32_t> partitions(std::vector<std::string> const& topics, time_point by) {
    return counts_in(
        db_.must(send_topics(topics) + "select t.topic, t.partitions from " + joined_topics(), "reading topics", by)
            .all.back());
  }
  std::map<std::string, std::int32_t> lock(std::vector<std::string> const& topics, time_point by) {
    auto const table = tables_.with("_topics");
    return counts_in(db_.must(begin + send_topics(topics) + "insert into " + table +
                                  " (grp, topic, partitions) select " + literal(group_) + ", m.topic, 0 from " +
                                  rows({}) + " on duplicate key update " + table + ".partitions = " + table +
                                  ".partitions; select t.topic, t.partitions from " + joined_topics() + "for update",
                              "a claim", by)
                         .all.back());
  }
  template <class Each>
  void finish(new_positions const& fresh, std::vector<claimed> const& claims, Each each_found, time_point by) {
    row_set starts, counts;
    std::map<topic_partition, std::int64_t> once;
    for (auto const& [of, next] : fresh.starts) once.emplace(of, next);
    for (auto const& [of, next] : once) starts.row(0, of.topic, of.partition, next);
    for (auto const& [topic, n] : fresh.counts) counts.row(0, topic, n);
    auto const table = tables_.with("");
    auto sql =
        starts.sent() + "insert into " + table + " (grp, topic, `partition`, next, incarnation, fence_turn) select " +
        literal(group_) + ", m.topic, m.part, m.next, greatest(" + std::to_string(wall_ms()) +
        ", ifnull(1 + (select max(w.incarnation) from " + tables_.with("_rewinds") +
        " w where w.grp = " + literal(group_) + " and w.topic = m.topic and w.`partition` = m.part), 0)), 0 from " +
        rows({{"next", number}}) + " on duplicate key update " + table + ".next = " + table + ".next; ";
    if (!fresh.counts.empty()) sql += counts.sent() + "update " + joined_topics() + "set t.partitions = m.part; ";
    sql += send(claims, [](row_set& set, std::size_t i,
                           claimed const& c) { set.row(i, c.of.topic, c.of.partition, bits(random_64())); }) +
           "update " + joined({{"nonce", number}}) + "set p.fence_turn = p.fence_turn + 1, p.fence_nonce = m.nonce; " +
           found(false) + commit;
    auto const a = db_.must(sql, "a claim", by);
    each(a.all.at(a.all.size() - 2), each_found);
  }
  void rollback() { db_.rollback(); }

 private:
  std::string joined_topics() const {
    return rows({}) + " straight_join " + tables_.with("_topics") + " t on t.grp = " + literal(group_) +
           " and t.topic = m.topic ";
  }
  static std::map<std::string, std::int32_t> counts_in(answer const& a) {
    std::map<std::string, std::int32_t> all;
    for (std::size_t i = 0; i < a.rows(); ++i) all[a.text(i, 0)] = static_cast<std::int32_t>(a.number(i, 1));
    return all;
  }
};

}}}  // namespace sluice::v0::detail::mysql
