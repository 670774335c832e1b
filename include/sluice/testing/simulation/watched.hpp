/// \file testing/simulation/watched.hpp  An offset store of one's own in a simulation: its claims are told to the checks.
#pragma once
#include <sluice/testing/simulation/process.hpp>

namespace sluice { inline namespace v0 { namespace testing {

/// `watched{p, my_offsets{…}}` in the place of `my_offsets{…}`. What the store keeps is to outlive processes, so it is reached
/// through process::request(); simulation::stored shows it to the checks.
template <class Store>
struct watched : Store {
  using must_be_configured = void;

  simulated::surrounding* around = nullptr;

  watched(process& simulated_process, Store own_store)
      : Store(std::move(own_store)), around(simulated_process.around()) {}

  struct runtime {
    typename Store::runtime inner;
    simulated::surrounding* around;

    static constexpr bool durable_at_advance = Store::runtime::durable_at_advance;
    static constexpr sluice::fencing fencing = Store::runtime::fencing;

    std::vector<sluice::claimed> claim(std::string const& group, std::vector<topic_partition> const& set,
                                       start_resolver& resolve, time_point by) {
      return tell(inner.claim(group, set, resolve, by));
    }
    std::vector<sluice::claimed> record(std::vector<rewind> const& rewinds, time_point by) {
      return tell(inner.record(rewinds, by));
    }
    std::span<outcome const> advance(std::span<move const> moves, time_point by) {
      return excuse(moves, inner.advance(moves, by));
    }
    std::span<outcome const> settle(std::span<move const> moves, time_point by) {
      return excuse(moves, inner.settle(moves, by));
    }
    void release(std::vector<sluice::claimed> const& claims, time_point by) { inner.release(claims, by); }
    std::optional<std::string> local_id() const { return inner.local_id(); }

    auto& begin(std::span<move const> moves, time_point by)
      requires transactional_store<typename Store::runtime>
    {
      return inner.begin(moves, by);
    }
    template <class Transaction>
    std::span<outcome const> advance(Transaction& tx, std::span<move const> moves, time_point by) {
      return excuse(moves, inner.advance(tx, moves, by));
    }
    template <class Transaction>
    outcome commit(Transaction& tx, time_point by) {
      return inner.commit(tx, by);
    }
    template <class Transaction>
    void rollback(Transaction& tx) noexcept {
      around->cluster.witness.excuse_all();
      inner.rollback(tx);
    }

   private:
    std::vector<sluice::claimed> tell(std::vector<sluice::claimed> answers) {
      for (auto const& c : answers)
        if (c.what == sluice::claimed::stored || c.what == sluice::claimed::first || c.what == sluice::claimed::added)
          around->cluster.witness.claimed(around->world.current(), c.of.partition, false);
      return answers;
    }
    std::span<outcome const> excuse(std::span<move const> moves, std::span<outcome const> answers) {
      for (std::size_t i = 0; i < moves.size(); ++i)
        if (answers[i] != outcome::applied) around->cluster.witness.excuse(moves[i].of.partition);
      return answers;
    }
  };
  template <class Context>
  static runtime open(watched const& self, Context const& c) {
    return {Store::open(self, c), self.around};
  }
};

}}}  // namespace sluice::v0::testing
