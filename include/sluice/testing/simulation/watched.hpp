/// \file testing/simulation/watched.hpp  An offset store of one's own in a simulation: what it answers is compared with what it has.
#pragma once
#include <sluice/testing/simulation/process.hpp>

namespace sluice { inline namespace v0 { namespace testing {

/// `watched{p, my_offsets{…}}` in the place of `my_offsets{…}`. What the store keeps is to outlive processes, so it is reached
/// through process::request(); simulation::stored shows it to the checks, with the fence of the claim that holds. Both are needed:
/// without simulation::stored the first record handled is told as "start", without watched the first claim of another process
/// as "order".
///
/// Beside the checks of records: acknowledged (an answer says that something is stored, and it is not), settle (what was to be refused
/// for ever is stored), rewind (the position is set, and no record() has asked for that). Try a store with at_most_once too, which
/// alone shows a batch that two owners have stored, and with log_faults, without which record() is hardly called.
///
/// Not for stores whose advance is one transaction with the handler's results.
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
      return told(inner.claim(group, set, resolve, by));
    }
    std::vector<sluice::claimed> record(std::vector<rewind> const& rewinds, time_point by) {
      around->asks(rewinds);
      return told(inner.record(rewinds, by));
    }
    std::span<outcome const> advance(std::span<move const> moves, time_point by) {
      return told(moves, inner.advance(moves, by), false);
    }
    std::span<outcome const> settle(std::span<move const> moves, time_point by) {
      return told(moves, inner.settle(moves, by), true);
    }
    void release(std::vector<sluice::claimed> const& claims, time_point by) { inner.release(claims, by); }
    std::optional<std::string> local_id() const { return inner.local_id(); }

   private:
    std::vector<sluice::claimed> told(std::vector<sluice::claimed> answers) {
      around->look_at_stored();
      for (auto const& c : answers) around->claimed(c);
      return answers;
    }
    std::span<outcome const> told(std::span<move const> moves, std::span<outcome const> answers, bool for_good) {
      around->look_at_stored();
      for (std::size_t i = 0; i < moves.size(); ++i) told(moves[i], answers[i], for_good);
      return answers;
    }
    void told(move const& m, outcome answer, bool for_good) {
      auto const p = m.of.partition;
      auto const from = m.from.value(), until = m.until.value();
      if (answer != outcome::applied) {
        around->cluster.witness.excuse(p);
        if (for_good && answer == outcome::refused) around->store.refused_for_good({p, from, until, m.mine, m.log});
        return;
      }
      auto const& is = around->store.at(p);
      if (is.there && is.log.incarnation == m.log.incarnation && is.next < until)
        around->world.violated("acknowledged", "partition " + std::to_string(p) + " is said to be stored up to " +
                                                   std::to_string(until) + ", and stands at " +
                                                   std::to_string(is.next));
      around->cluster.witness.owes(around->world.current(), p, from, until);
    }
  };
  template <class Context>
  static runtime open(watched const& self, Context const& c) {
    return {Store::open(self, c), self.around};
  }
};

}}}  // namespace sluice::v0::testing
