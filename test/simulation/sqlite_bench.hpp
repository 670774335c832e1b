/// \file simulation/sqlite_bench.hpp  What a disk has of a database, shown to the checks of records.
///
/// What is stored is what a process that begins now would read, and what is answered must also be in what a loss of power would leave now:
/// both are copies, which SQLite itself opens without faults before each answer of the store, and after each loss of power. What only
/// one of them has may still come to nothing: nobody has been told that it is there. Effects are rows of the handler's. Beside the checks
/// of records: torn (the database can't be read any more, or contradicts itself), acknowledged, settle, fence (somebody stores whose
/// claim is not the last one), damaged (it is told, and nothing is).
#pragma once
#include <sluice/offset_store/sqlite.hpp>

#include "sqlite_copy.hpp"
#include "sqlite_paths.hpp"
#include "stored_bench.hpp"

#ifdef SLUICE_SIMULATION_THREADS
namespace simulated_consumers {

/// All that outlives processes.
class sqlite_bench final : public stored_bench, disk::watcher {
  struct position {
    std::int64_t next = -1;
    sl::log_state log{};
    sl::fence owner{};
  };
  struct contents {
    std::map<int, position> positions{};
    std::deque<std::pair<int, std::uint32_t>> rows{};  // of the handler's: partition, record
  };
  database_files known_{}, known_left_{};  // what was looked at last
  contents now_{}, left_{};                // by a loss of power
  database_files untouched_{};             // a database of the user's, before
  std::size_t rows_ = 0;                   // that were seen
  bool there_ = false;

 public:
  static constexpr char const* name = "positions.db";
  static constexpr char const* path = "/simulated/positions.db";
  static constexpr char const* tables[] = {
      "create table if not exists results (id integer primary key autoincrement, part integer not null, record integer "
      "not null)",
      "create table if not exists totals (part integer primary key, n integer not null)"};

  sqlite_disk on;

  explicit sqlite_bench(st::simulation& sim) : stored_bench(sim), on(sim.around().world, *this) {
    disk_of_sqlite = &on;
    database_copy user{{}, name};
    user.run("pragma page_size = 512");
    for (auto const* const sql : tables) user.run(sql);
    untouched_ = user.files();
  }

  void begin() {
    on.reset();
    known_ = known_left_ = {};
    now_ = left_ = {};
    rows_ = 0;
    there_ = false;
    forget();
    sqlite3_randomness(0, nullptr);
    if (on.files.w.luck.one_in(8)) return;
    auto& root = on.files.at(0);
    auto const& data = untouched_.by_name[name];
    on.files.nodes.push_back({.data = data, .durable = data});
    root.names = root.durable_names = {{name, 1}};
  }
  bool happen(st::decision const& d) {
    if (d.what != fault::power_loss) return false;
    on.locks.clear();
    lose_power(on.files, d);
    return true;
  }
  void told_of_damage(std::string const& text) { wrong("damaged", "nothing is damaged, and it says: " + text); }

  void look(bool thoroughly = false) {
    outside const o;
    database_files now, left;
    for (auto const& [file, n] : on.files.at(0).names) now.by_name[file] = on.files.at(n).data;
    for (auto const& [file, n] : on.files.at(0).durable_names) left.by_name[file] = on.files.at(n).durable;
    if (auto const at = on.files.at(0).names.find(name); at != on.files.at(0).names.end())
      now.shared = on.locks[at->second].shared(on.files.w);
    bool const another = thoroughly || now != known_, another_left = thoroughly || left != known_left_;
    if (another) {
      known_ = now;
      now_ = read(std::move(now), thoroughly);
    }
    if (another_left) {
      known_left_ = left;
      left_ = read(std::move(left), thoroughly);
    }
    if ((another || another_left) && is_left_of(now_)) compare(now_);
  }
  std::string at_end() {
    look(true);
    return {};
  }
  void claimed(sl::claimed const& c) {
    stored_bench::claimed(c);
    auto const p = c.of.partition;
    if (left_at(p).owner.turn < c.mine.turn)
      wrong("acknowledged", at(p) + " is said to be claimed, and a loss of power would undo it");
  }
  void answer(sl::move const& m, sl::outcome o, bool is_settled) {
    stored_bench::answer(m, o, is_settled);
    auto const p = m.of.partition;
    if (o == sl::outcome::applied && is_not_rewound(m) && left_at(p).next < m.until.value())
      wrong("acknowledged", at(p) + " is said to be stored up to " + std::to_string(m.until.value()) +
                                ", and a loss of power would leave " + std::to_string(left_at(p).next));
  }

  bool is_of_last_claim(sl::move const& m) { return sim_.around().store.at(m.of.partition).mine == m.mine; }
  void was_put_out(sl::move const& m) {
    wrong("fence", at(m.of.partition) + " is stored up to " + std::to_string(m.until.value()) +
                       " for one that had been put out by another's claim");
  }

 private:
  position left_at(int p) const {
    auto const at = left_.positions.find(p);
    return at == left_.positions.end() ? position{} : at->second;
  }
  void renamed(bool power_lost) override {
    if (power_lost) look(true);
  }
  /// Nothing of it would be undone by a loss of power.
  bool is_left_of(contents const& now) const {
    return now.rows.size() <= left_.rows.size() && std::ranges::all_of(now.positions, [&](auto const& one) {
             auto const at = left_.positions.find(one.first);
             if (at == left_.positions.end()) return false;
             auto const &is = one.second, &left = at->second;
             return is.owner.turn == left.owner.turn ? is.next <= left.next : is.owner.turn < left.owner.turn;
           });
  }
  void compare(contents const& now) {
    if (std::exchange(there_, !now.positions.empty()) && !there_)
      return wrong("torn", "there were positions, and there are none any more");
    if (now.rows.size() < rows_)
      return wrong("effects", "of " + std::to_string(rows_) + " rows " + std::to_string(now.rows.size()) + " are left");
    std::map<int, numbers> news;
    for (; rows_ < now.rows.size(); ++rows_) news[now.rows[rows_].first].push_back(now.rows[rows_].second);
    for (auto const& [p, is] : now.positions) has(p, is.next, is.log, is.owner, news[p]);
  }
  contents read(database_files files, bool thoroughly) {
    contents found;
    if (!files.by_name.contains(name)) return found;
    try {
      database_copy db{std::move(files), name};
      if (thoroughly)
        if (auto const how = db.text("pragma integrity_check"); how != "ok") wrong("torn", how);
      if (db.has("results")) read_results(db, found);
      if (db.has("sluice_offsets")) read_positions(db, found);
    } catch (std::exception const& e) { wrong("torn", e.what()); }
    return found;
  }
  static void read_positions(database_copy& db, contents& found) {
    auto const sql = std::string{"select "} + sl::detail::sqlite::position_columns + ", partition from sluice_offsets";
    db.each(sql.c_str(), [&](sqlite3_stmt* s) {
      auto const p = sl::detail::sqlite::read_position(sl::sqlite_row{s});
      if (!p.missing)
        found.positions[sqlite3_column_int(s, 7)] = {p.next.value(), p.log,
                                                     p.owned ? p.mine : sl::fence{p.mine.turn, 0}};
    });
  }
  void read_results(database_copy& db, contents& found) {
    std::map<int, int> counted, told;
    db.each("select part, record from results order by id", [&](sqlite3_stmt* s) {
      found.rows.emplace_back(sqlite3_column_int(s, 0), static_cast<std::uint32_t>(sqlite3_column_int(s, 1)));
      ++counted[found.rows.back().first];
    });
    if (db.has("totals"))
      db.each("select part, n from totals",
              [&](sqlite3_stmt* s) { told[sqlite3_column_int(s, 0)] = sqlite3_column_int(s, 1); });
    if (counted != told) wrong("effects", "the rows are not as many as their total says");
  }
};

inline thread_local sqlite_bench* sqlite_bench_in_use = nullptr;  // of the schedule that runs

}  // namespace simulated_consumers
#endif
