/// \file offset_store/sqlite_positions.hpp  The tables in which sqlite_offsets keeps positions, and the statements on them.
#pragma once
#include <sluice/offset_store/concept.hpp>
#include <sluice/offset_store/sqlite_connection.hpp>
#include <sluice/offset_store/sqlite_values.hpp>

namespace sluice { inline namespace v0 { namespace detail::sqlite {

/// A prepared statement of the library's own.
class statement {
  connection* db_;
  sqlite3_stmt* s_;
  std::string_view doing_;  // what errors name it by

  bool step() {
    auto const rc = sqlite3_step(s_);
    if (rc == SQLITE_ROW) return true;
    if (rc == SQLITE_DONE) return false;
    sqlite3_reset(s_);
    db_->fail(rc, doing_);
  }

 public:
  statement(connection& db, std::string const& sql, std::string_view doing)
      : db_(&db), s_(db.prepare(sql)), doing_(doing) {}
  statement(statement const&) = delete;
  statement& operator=(statement const&) = delete;
  ~statement() { sqlite3_finalize(s_); }

  /// How many rows were changed.
  template <class... A>
  int run(A const&... args) {
    db_->check(bind_all(s_, SQLITE_STATIC, args...), doing_);
    while (step()) {}
    sqlite3_reset(s_);
    return sqlite3_changes(db_->get());
  }
  /// Calls `read` with the first row, if there is one; answers whether.
  template <class Read, class... A>
  bool first(Read read, A const&... args) {
    db_->check(bind_all(s_, SQLITE_STATIC, args...), doing_);
    bool const there = step();
    if (there) read(sqlite_row{s_});
    sqlite3_reset(s_);
    return there;
  }
  /// Calls `read` with each row.
  template <class Read, class... A>
  void each(Read read, A const&... args) {
    db_->check(bind_all(s_, SQLITE_STATIC, args...), doing_);
    while (step()) read(sqlite_row{s_});
    sqlite3_reset(s_);
  }
};

inline constexpr std::int64_t format = 1;

/// False: there are no tables. Throws where they are in a format that isn't known.
inline bool has_known_format(connection& db, std::string const& t) {
  if (!db.has_table(t + "_meta")) return false;
  auto const found = db.text("select value from \"" + t + "_meta\" where name = 'format'");
  if (found == std::to_string(format)) return true;
  if (std::atoll(found.c_str()) > format)
    throw store_error(errc::store_newer, db.who() + ": " + db.path() + " was written in format " + found +
                                             ", this version knows up to " + std::to_string(format) +
                                             ": use the version of the library that wrote it");
  throw store_error(errc::store_damaged, db.who() + ": " + db.path() + ": table " + t + "_meta names no known format");
}
[[noreturn]] inline void not_the_librarys(connection const& db, std::string const& t) {
  throw error(errc::bad_configuration, db.who() + ".table = " + t +
                                           ": a table of that name is there and is not one that"
                                           " the library made: choose another");
}

/// Sees to it that the file holds the tables, in a format that is known; answers the file's own id.
/// A file of a newer format is left as it was.
inline std::string prepare_file(connection& db, std::string const& t) {
  bool const taken = db.has_table(t);  // looked at first: another consumer may make them all before the next look
  bool const there = has_known_format(db, t);
  if (!there && taken) not_the_librarys(db, t);
  db.make_durable();
  if (!there) {
    db.begin(time_point::max());
    try {
      if (!has_known_format(db, t)) {
        auto const of = "(grp text not null, topic text not null, partition integer not null, ";
        auto const key = "primary key (grp, topic, partition)) strict, without rowid";
        db.run("create table \"" + t + "\" " + of +
               "next integer not null, incarnation integer not null, fence_turn integer not null, fence_nonce integer, "
               "leader_epoch integer not null default -1, last_offset integer, last_hash integer, " +
               key);
        db.run("create table \"" + t +
               "_topics\" (grp text not null, topic text not null, partitions integer not null, "
               "primary key (grp, topic)) strict, without rowid");
        db.run("create table \"" + t + "_rewinds\" " + of +
               "cause text not null, from_offset integer not null, to_offset integer not null, "
               "incarnation integer not null, at_ms integer not null) strict");
        db.run("create table \"" + t + "_meta\" (name text primary key, value text not null) strict, without rowid");
        db.run("insert into \"" + t + "_meta\" values ('format', '" + std::to_string(format) + "'), ('id', '" +
               hex(random_64()) + hex(random_64()) + "')");
      }
      db.commit();
    } catch (...) {
      db.rollback();
      throw;
    }
  }
  return db.text("select value from \"" + t + "_meta\" where name = 'id'");
}

/// A position as it is stored.
struct stored_position {
  offset next{};
  fence mine{};
  log_state log{};
  bool owned = false;    ///< has a fence that someone may hold
  bool missing = false;  ///< claimed while it was gone, not put back yet
};

inline constexpr std::int64_t gone = -1;  // `next` of a position that was claimed while missing

inline std::int64_t bits(std::uint64_t n) { return static_cast<std::int64_t>(n); }
inline std::uint64_t bits(std::int64_t n) { return static_cast<std::uint64_t>(n); }

inline constexpr char const* position_columns =
    "next, incarnation, fence_turn, fence_nonce, leader_epoch, last_offset, last_hash";

/// Out of a row that begins with these columns.
inline stored_position read_position(sqlite_row row) {
  stored_position p;
  auto const next = row.get<std::int64_t>(0);
  p.missing = next == gone;
  p.next = offset{p.missing ? 0 : next};
  p.log.incarnation = row.get<std::int64_t>(1);
  p.mine.turn = bits(row.get<std::int64_t>(2));
  auto const nonce = row.get<std::optional<std::int64_t>>(3);
  p.owned = nonce.has_value();
  p.mine.nonce = bits(nonce.value_or(0));
  p.log.leader_epoch = row.get<std::int32_t>(4);
  if (auto const last = row.get<std::optional<std::int64_t>>(5))
    p.log.last = fingerprint{offset{*last}, bits(row.get<std::int64_t>(6))};
  return p;
}

/// All of one group's positions. Calls belong inside a transaction.
class positions {
  std::string group_{};
  statement find_, create_, claim_, advance_, rewind_, note_, last_life_, release_, topic_, set_topic_, mark_;

 public:
  positions(connection& db, std::string const& t)
      : find_(db,
              std::string("select ") + position_columns + " from \"" + t +
                  "\" where grp = ? and topic = ? and partition = ?",
              "reading a position"),
        create_(db,
                "insert into \"" + t +
                    "\" (grp, topic, partition, next, incarnation, fence_turn) values (?, ?, ?, ?, ?, 0)"
                    " on conflict do nothing",
                "storing a start"),
        claim_(db,
               "update \"" + t + "\" set fence_turn = ?, fence_nonce = ? where grp = ? and topic = ? and partition = ?",
               "a claim"),
        advance_(
            db,
            "update \"" + t +
                "\" set next = ?, leader_epoch = ?, last_offset = ?, last_hash = ?"
                " where grp = ? and topic = ? and partition = ? and next = ? and fence_turn = ? and fence_nonce = ?",
            "an advance"),
        rewind_(db,
                "update \"" + t +
                    "\" set next = ?, incarnation = ?, fence_turn = ?, fence_nonce = ?, leader_epoch = -1,"
                    " last_offset = null, last_hash = null where grp = ? and topic = ? and partition = ?",
                "a rewind"),
        note_(db,
              "insert into \"" + t +
                  "_rewinds\" (grp, topic, partition, cause, from_offset, to_offset, incarnation, at_ms)"
                  " values (?, ?, ?, ?, ?, ?, ?, ?)",
              "noting a rewind"),
        last_life_(db,
                   "select max(incarnation) from \"" + t + "_rewinds\" where grp = ? and topic = ? and partition = ?",
                   "reading rewinds"),
        release_(db,
                 "update \"" + t +
                     "\" set fence_nonce = null where grp = ? and topic = ? and partition = ? and"
                     " fence_turn = ? and fence_nonce = ?",
                 "a release"),
        topic_(db, "select partitions from \"" + t + "_topics\" where grp = ? and topic = ?", "reading a topic"),
        set_topic_(db,
                   "insert into \"" + t +
                       "_topics\" values (?, ?, ?)"
                       " on conflict do update set partitions = excluded.partitions",
                   "storing a topic"),
        mark_(db, "insert into \"" + t + "_meta\" values ('mark', ?) on conflict do update set value = excluded.value",
              "a mark") {}

  void of_group(std::string const& group) { group_ = group; }
  std::string const& group() const { return group_; }

  std::optional<stored_position> find(topic_partition const& of) {
    std::optional<stored_position> p;
    find_.first([&](sqlite_row row) { p = read_position(row); }, group_, of.topic, of.partition);
    return p;
  }

  /// Where it is absent. Its incarnation starts above all that were recorded for it.
  void create(topic_partition const& of, std::optional<offset> next) {
    std::int64_t last = 0;
    last_life_.first([&](sqlite_row r) { last = r.get<std::optional<std::int64_t>>(0).value_or(0); }, group_, of.topic,
                     of.partition);
    create_.run(group_, of.topic, of.partition, next.value_or(offset{gone}), next_incarnation(last, wall_ms()));
  }
  /// A new fence for a position that was found.
  fence claim(topic_partition const& of, stored_position const& p) {
    fence const fresh{p.mine.turn + 1, random_64()};
    claim_.run(bits(fresh.turn), bits(fresh.nonce), group_, of.topic, of.partition);
    return fresh;
  }
  /// The compare-and-set.
  bool advance(move const& m) {
    std::optional<std::int64_t> at, hash;
    if (m.log.last) {
      at = m.log.last->of.value();
      hash = bits(m.log.last->hash);
    }
    return advance_.run(m.until, m.log.leader_epoch, at, hash, group_, m.of.topic, m.of.partition, m.from,
                        bits(m.mine.turn), bits(m.mine.nonce)) == 1;
  }
  /// Refused, but it stands where the move wanted it, under the same fence.
  bool was_applied(move const& m) {
    auto const p = find(m.of);
    return p && p->owned && p->mine == m.mine && p->next == m.until;
  }
  /// Moves a position that was found under the fence of `r`; answers how it stands now.
  stored_position rewind(sluice::rewind const& r, stored_position p) {
    auto const now = wall_ms();
    auto const from = p.next;
    p.next = r.to;
    p.mine = {p.mine.turn + 1, random_64()};
    p.log = {.incarnation = next_incarnation(p.log.incarnation, now)};
    rewind_.run(p.next, p.log.incarnation, bits(p.mine.turn), bits(p.mine.nonce), group_, r.of.topic, r.of.partition);
    note_.run(group_, r.of.topic, r.of.partition, r.cause, p.missing ? offset{gone} : from, r.to, p.log.incarnation,
              now);
    p.missing = false;
    return p;
  }
  void release(topic_partition const& of, fence const& mine) {
    release_.run(group_, of.topic, of.partition, bits(mine.turn), bits(mine.nonce));
  }

  /// How many partitions of the topic are known; none: the topic is not.
  std::optional<std::int32_t> partitions(std::string const& topic) {
    std::optional<std::int32_t> n;
    topic_.first([&](sqlite_row r) { n = r.get<std::int32_t>(0); }, group_, topic);
    return n;
  }
  void set_partitions(std::string const& topic, std::int32_t n) { set_topic_.run(group_, topic, n); }

  /// A change that means nothing: what makes an answer that was read final is a commit after it.
  void mark() { mark_.run(hex(random_64())); }
};

}}}  // namespace sluice::v0::detail::sqlite
