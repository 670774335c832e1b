/// \file simulation/filed.hpp  Consumers whose offsets and results lie in the library's own folders of numbered files, on a disk that fails.
#pragma once
#include "folder_bench.hpp"

#ifdef SLUICE_SIMULATION_THREADS
namespace simulated_consumers {

/// In the place of file_offsets, or of a checkpoint: over a simulated disk, and watched.
template <class Kind>
struct simulated_folder {
  using slot = sl::offset_store_slot;
  using must_be_configured = void;
  using store = sl::basic_file_store<disk_files, Kind>;
  using transaction = typename store::transaction;
  static constexpr bool records_skips = true;

  st::process* in = nullptr;

  /// f(), which may tell of damage.
  template <class F>
  static decltype(auto) watched(F f) {
    try {
      return f();
    } catch (sl::store_error const& e) {
      tell(e);
      throw;
    }
  }
  static void tell(sl::store_error const& e) {
    if (e.code() == sl::errc::store_damaged || e.code() == sl::errc::store_newer)
      bench_of<Kind>->told_of_damage(e.what());
    bench_of<Kind>->forget_what_was_read();
  }

  class runtime {
    store inner_;
    std::vector<sl::move> moves_{};  // of the open transaction

    static folder_bench<Kind>* folder() { return bench_of<Kind>; }
    /// A checkpoint reads its rows again and again.
    static typename Kind::policy policy() {
      typename Kind::policy with{.directory = folder_bench<Kind>::directory};
      if constexpr (requires { with.max_cache; }) with.max_cache = 1000;
      return with;
    }
    static std::vector<sl::claimed> told(std::vector<sl::claimed> answers) {
      for (auto const& c : answers) {
        if (c.what == sl::claimed::failed) continue;
        folder()->took_what_it_read();
        if (c.what == sl::claimed::stored || c.what == sl::claimed::first || c.what == sl::claimed::added)
          folder()->claimed(c);
      }
      folder()->forget_what_was_read();
      return answers;
    }
    static void told(sl::move const& m, sl::outcome o, bool is_settled) {
      if (o != sl::outcome::unknown) folder()->took_what_it_read();
      folder()->answer(m, o, is_settled);
    }
    static std::span<sl::outcome const> told(std::span<sl::move const> moves, std::span<sl::outcome const> answers,
                                             bool is_settled) {
      for (std::size_t i = 0; i < moves.size(); ++i) told(moves[i], answers[i], is_settled);
      folder()->forget_what_was_read();
      return answers;
    }

   public:
    using transaction = typename store::transaction;
    static constexpr bool durable_at_advance = true;
    static constexpr sl::fencing fencing = sl::fencing::compare_and_set;

    explicit runtime(std::string group) try : inner_(disk_files{&folder()->files}, policy(), std::move(group)) {
      folder()->took_what_it_read();
    } catch (sl::store_error const& e) { tell(e); }

    bool mirror() const { return true; }
    std::optional<std::string> local_id() { return inner_.local_id(); }
    std::vector<sl::claimed> claim(std::string const& group, std::vector<sl::topic_partition> const& set,
                                   sl::start_resolver& resolve, sl::time_point by) {
      return told(watched([&] { return inner_.claim(group, set, resolve, by); }));
    }
    std::vector<sl::claimed> record(std::vector<sl::rewind> const& rewinds, sl::time_point by) {
      folder()->asks(rewinds);
      return told(watched([&] { return inner_.record(rewinds, by); }));
    }
    std::span<sl::outcome const> advance(std::span<sl::move const> moves, sl::time_point by) {
      in_transaction_ = false;
      return told(moves, watched([&] { return inner_.advance(moves, by); }), false);
    }
    std::span<sl::outcome const> settle(std::span<sl::move const> moves, sl::time_point by) {
      return told(moves, watched([&] { return inner_.settle(moves, by); }), !in_transaction_);
    }
    /// These two say nothing.
    void release(std::vector<sl::claimed> const& claims, sl::time_point by) {
      inner_.release(claims, by);
      folder()->forget_what_was_read();
    }
    void tend() {
      inner_.tend();
      folder()->forget_what_was_read();
    }
    void set_aside(std::string const& table, sl::dead_letter const& letter) { inner_.set_aside(table, letter); }

    transaction& begin(std::span<sl::move const> moves, sl::time_point by) {
      moves_.assign(moves.begin(), moves.end());
      auto& tx = watched([&]() -> transaction& { return inner_.begin(moves, by); });
      folder()->took_what_it_read();
      return tx;
    }
    std::span<sl::outcome const> advance(transaction& tx, std::span<sl::move const> moves, sl::time_point by) {
      moves_.assign(moves.begin(), moves.end());
      return inner_.advance(tx, moves, by);
    }
    sl::outcome commit(transaction& tx, sl::time_point by) {
      in_transaction_ = true;
      auto o = sl::outcome::refused;
      struct all_told {
        runtime& self;
        sl::outcome& o;
        ~all_told() {
          for (auto const& m : self.moves_) told(m, o, false);
          folder()->forget_what_was_read();
        }
      } const at_end{*this, o};
      return o = watched([&] { return inner_.commit(tx, by); });
    }
    void rollback(transaction& tx) noexcept {
      for (auto const& m : moves_) folder()->answer(m, sl::outcome::refused, false);
      inner_.rollback(tx);
    }

   private:
    bool in_transaction_ = false;
  };
  template <class Context>
  static sl::detail::late<runtime, Context> open(simulated_folder const&, Context const& with) {
    return sl::detail::late<runtime, Context>{with.group};
  }
};

/// Each record adds a line to its partition's text, and to its value; now and then to a value that all share.
template <class Transaction>
void handle_in_files(st::process& p, sl::batch const& b, Transaction& tx) {
  using bench = folder_bench<sl::file_kind>;
  p.handling(b);
  for (sl::record r : b) {
    auto const f = p.begin_effect(r);
    auto const line = std::to_string(p.number_of(r).id) + "\n";
    auto const name = bench::value_name(r.partition());
    tx.append(bench::results, r, line);
    tx.put(name, std::string{tx.get_text(name).value_or("")} + line);
    if (p.choose(20) == 0) tx.put("last", line);
    p.end_effect(r, f);
  }
}

template <class Delivery, class Kind = sl::file_kind>
void filed(st::process& p) {
  sl::stream_consumer<Delivery, simulated_folder<Kind>, st::simulated_kafka, st::simulated_clock> c{
      p.kafka(), simulated_folder<Kind>{&p}, p.clock(), sl::micro_batch{.max_records = 1 + p.choose(8)}};
  if constexpr (std::same_as<Delivery, sl::transactional>)
    run(p, c, [&](sl::batch const& b, sl::file_transaction& tx) { handle_in_files(p, b, tx); });
  else if constexpr (std::same_as<Delivery, sl::idempotent>)
    run(p, c, sl::assume_idempotent{[&](sl::batch const& b) { p.handle_keyed(b); }});
  else
    run(p, c, [&](sl::batch const& b) { p.handle(b); });
}

/// The same in a checkpoint, with two states: what each partition's records were, and which keys were there an odd number of times.
/// Rows, and a value that says the same of them, must be of one moment.
inline void in_checkpoint(st::process& p) {
  using kind = sl::checkpoint_kind;
  constexpr auto grow = sl::partition_growth::accept;
  sl::keyed_state<std::string, std::string> all{
      .name = "all", .max_bytes = p.choose(2) == 0 ? 100u : 10'000u, .when_partitions_grow = grow};
  sl::keyed_state<std::string, std::string> odd{.name = "odd", .max_bytes = 100, .when_partitions_grow = grow};
  sl::stream_consumer<sl::transactional, simulated_folder<kind>, st::simulated_kafka, st::simulated_clock> c{
      p.kafka(), simulated_folder<kind>{&p}, p.clock(), sl::micro_batch{.max_records = 1 + p.choose(8)}};
  auto const partition_of = [](sl::record r) { return std::to_string(r.partition()); };
  auto const key_of = [&p](sl::record r) {
    return std::to_string(r.partition()) + "." + std::to_string(p.number_of(r).id % 5);
  };
  auto const same = [&p](std::optional<std::string> const& row, std::optional<std::string_view> value,
                         std::string const& key) {
    if (row.value_or("") != value.value_or(""))
      p.broken("state", "the row of " + key + " is '" + row.value_or("") + "', and its value '" +
                            std::string{value.value_or("")} + "'");
  };
  run(p, c, [&](sl::batch const& b, sl::checkpoint_transaction& tx) {
    simulated_folder<kind>::watched([&] {
      all.update(b, tx, partition_of,
                 [&](std::string const& key, std::span<sl::record const> news, std::optional<std::string>& row) {
                   same(row, tx.get_text(folder_bench<kind>::value_name(std::atoi(key.c_str()))), key);
                   if (!row) row.emplace();
                   for (auto const& r : news) *row += std::to_string(p.number_of(r).id) + "\n";
                 });
      odd.update(b, tx, key_of,
                 [&](std::string const& key, std::span<sl::record const> news, std::optional<std::string>& row) {
                   same(row, tx.get_text(key), key);
                   if (news.size() % 2 == 0) return;
                   if (row) {
                     row.reset();
                     tx.erase(key);
                   } else {
                     row = std::to_string(p.number_of(news.front()).id);
                     tx.put(key, *row);
                   }
                 });
    });
    handle_in_files(p, b, tx);
  });
}

template <class Kind>
void in_a_folder(st::simulation& sim) {
  auto const mine = std::make_shared<folder_bench<Kind>>(sim);
  sim.possible = st::all_faults & ~st::only(fault::store_down);
  sim.on_begin = [mine] {
    bench_of<Kind> = mine.get();
    mine->begin();
  };
  sim.on_disk_fault = [mine](st::decision const& d) { return mine->happen(d); };
}

}  // namespace simulated_consumers
#endif
