/// \file simulation/in_sqlite.hpp  Consumers whose offsets and results lie in an SQLite file, on a disk that fails.
#pragma once
#include "sqlite_bench.hpp"

#ifdef SLUICE_SIMULATION_THREADS
namespace simulated_consumers {

/// In the place of sqlite_offsets, and watched.
struct simulated_sqlite {
  using slot = sl::offset_store_slot;
  using must_be_configured = void;
  using transaction = sl::sqlite_transaction;
  static constexpr bool records_skips = true;

  st::process* in = nullptr;

  /// f(), which may tell of damage.
  template <class F>
  static decltype(auto) watched(F f) {
    try {
      return f();
    } catch (sl::error const& e) {
      tell(e);
      throw;
    }
  }
  static void tell(sl::error const& e) {
    bool const damaged = e.code() == sl::errc::store_damaged || e.code() == sl::errc::store_newer;
    if (damaged || std::string_view{e.what()}.find("is not one that the library made") != std::string_view::npos)
      sqlite_bench_in_use->told_of_damage(e.what());
  }

  class runtime {
    sl::sqlite_offset_store inner_;
    std::vector<sl::move> moves_{};  // of the open transaction
    std::vector<bool> outdated_{};   // which moves another one's claim forbids, before they are tried
    bool in_transaction_ = false;    // what settle is about

    static sqlite_bench& bench() { return *sqlite_bench_in_use; }
    static sl::sqlite_offsets policy(st::process& p) {
      return {.path = sqlite_bench::path, .lock_timeout = std::chrono::milliseconds{p.choose(100)}};
    }
    static std::vector<sl::claimed> told(std::vector<sl::claimed> answers) {
      bench().look();
      for (auto const& c : answers)
        if (c.what == sl::claimed::stored || c.what == sl::claimed::first || c.what == sl::claimed::added)
          bench().claimed(c);
      return answers;
    }
    /// f() answers for each of `moves`.
    template <class F>
    std::span<sl::outcome const> fenced(std::span<sl::move const> moves, F f) {
      bench().look();
      outdated_.clear();
      for (auto const& m : moves) outdated_.push_back(!bench().is_of_last_claim(m));
      auto const answers = watched(f);
      for (std::size_t i = 0; i < moves.size(); ++i)
        if (outdated_[i] && answers[i] == sl::outcome::applied) bench().was_put_out(moves[i]);
      return answers;
    }
    static std::span<sl::outcome const> told(std::span<sl::move const> moves, std::span<sl::outcome const> answers,
                                             bool is_settled) {
      bench().look();
      for (std::size_t i = 0; i < moves.size(); ++i) bench().answer(moves[i], answers[i], is_settled);
      return answers;
    }

   public:
    using transaction = sl::sqlite_transaction;
    static constexpr bool durable_at_advance = true;
    static constexpr sl::fencing fencing = sl::fencing::compare_and_set;

    runtime(st::process& p, sl::context const& c) try : inner_(policy(p), c) {
    } catch (sl::error const& e) { tell(e); }

    bool mirror() const { return inner_.mirror(); }
    std::optional<std::string> local_id() const { return inner_.local_id(); }
    std::vector<sl::claimed> claim(std::string const& group, std::vector<sl::topic_partition> const& set,
                                   sl::start_resolver& resolve, sl::time_point by) {
      return told(watched([&] { return inner_.claim(group, set, resolve, by); }));
    }
    std::vector<sl::claimed> record(std::vector<sl::rewind> const& rewinds, sl::time_point by) {
      bench().asks(rewinds);
      return told(watched([&] { return inner_.record(rewinds, by); }));
    }
    std::span<sl::outcome const> advance(std::span<sl::move const> moves, sl::time_point by) {
      in_transaction_ = false;
      return told(moves, fenced(moves, [&] { return inner_.advance(moves, by); }), false);
    }
    std::span<sl::outcome const> settle(std::span<sl::move const> moves, sl::time_point by) {
      return told(moves, fenced(moves, [&] { return inner_.settle(moves, by); }), !in_transaction_);
    }
    void release(std::vector<sl::claimed> const& claims, sl::time_point by) { inner_.release(claims, by); }
    void set_aside(std::string const& table, sl::dead_letter const& letter) { inner_.set_aside(table, letter); }

    transaction& begin(std::span<sl::move const> moves, sl::time_point by) {
      moves_.assign(moves.begin(), moves.end());
      return watched([&]() -> transaction& { return inner_.begin(moves, by); });
    }
    std::span<sl::outcome const> advance(transaction& tx, std::span<sl::move const> moves, sl::time_point by) {
      moves_.assign(moves.begin(), moves.end());
      return fenced(moves, [&] { return inner_.advance(tx, moves, by); });
    }
    sl::outcome commit(transaction& tx, sl::time_point by) {
      in_transaction_ = true;
      auto o = sl::outcome::refused;
      struct all_told {
        runtime& self;
        sl::outcome& o;
        ~all_told() {
          bench().look();
          for (auto const& m : self.moves_) bench().answer(m, o, false);
        }
      } const at_end{*this, o};
      return o = watched([&] { return inner_.commit(tx, by); });
    }
    void rollback(transaction& tx) noexcept {
      for (auto const& m : moves_) bench().answer(m, sl::outcome::refused, false);
      inner_.rollback(tx);
    }
  };
  static runtime open(simulated_sqlite const& self, sl::context const& c) { return runtime{*self.in, c}; }
};

/// Each record is a row, and its partition's total is one more.
inline void handle_in_sqlite(st::process& p, sl::batch const& b, sl::sqlite_transaction& tx) {
  simulated_sqlite::watched([&] {
    p.handling(b);
    if (p.choose(4) == 0) tx.execute("pragma cache_size = 3");  // what does not fit is written before the commit
    for (auto const* const sql : sqlite_bench::tables) tx.execute(sql);
    for (sl::record r : b) {
      auto const f = p.begin_effect(r);
      tx.execute("insert into results (part, record) values (?, ?)", r.partition(), p.number_of(r).id);
      tx.execute("insert into totals values (?, 1) on conflict do update set n = n + 1", r.partition());
      p.end_effect(r, f);
    }
    for (auto const& r : b.ranges())
      for (auto const row : tx.query(
               "select n, (select count(*) from results where part = ?1) from totals where part = ?1", r.of.partition))
        if (auto const [n, rows] = row.as<std::int64_t, std::int64_t>(); n != rows)
          p.broken("effects", std::to_string(rows) + " rows are there within a transaction, and their total is " +
                                  std::to_string(n));
  });
}

template <class Delivery>
void in_sqlite(st::process& p) {
  sl::stream_consumer<Delivery, simulated_sqlite, st::simulated_kafka, st::simulated_clock> c{
      p.kafka(), simulated_sqlite{&p}, p.clock(), sl::micro_batch{.max_records = 1 + p.choose(8)}};
  if constexpr (std::same_as<Delivery, sl::transactional>)
    run(p, c, [&](sl::batch const& b, sl::sqlite_transaction& tx) { handle_in_sqlite(p, b, tx); });
  else if constexpr (std::same_as<Delivery, sl::idempotent>)
    run(p, c, sl::assume_idempotent{[&](sl::batch const& b) { p.handle_keyed(b); }});
  else
    run(p, c, [&](sl::batch const& b) { p.handle(b); });
}

/// The log is copied into the database much more often than it is by itself.
inline int copies_often(sqlite3* db, char const**, sqlite3_api_routines const*) {
  if (st::simulated::arena_in_use)  // and not of what is looked at
    sqlite3_wal_autocheckpoint(db, static_cast<int>(5 + disk_of_sqlite->files.w.luck.below(60)));
  return SQLITE_OK;
}

inline void in_a_database(st::simulation& sim) {
  static bool const once = [] {
    sqlite_system::install(copies_often);
    copy_vfs::install();
    return true;
  }();
  (void)once;
  auto const mine = std::make_shared<sqlite_bench>(sim);
  sim.possible = st::all_faults & ~(st::only(fault::store_down) | st::only(fault::bit_flip) | st::only(fault::cut));
  sim.on_begin = [mine] {
    sqlite_bench_in_use = mine.get();
    disk_of_sqlite = &mine->on;
    mine->begin();
  };
  sim.on_disk_fault = [mine](st::decision const& d) { return mine->happen(d); };
  sim.on_end = [mine] { return mine->at_end(); };
}

}  // namespace simulated_consumers
#endif
