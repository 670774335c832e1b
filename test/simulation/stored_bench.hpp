/// \file simulation/stored_bench.hpp  What a simulated disk has stored, compared with what the library's own store has answered.
#pragma once
#include "consumers.hpp"
#include "disk.hpp"

namespace simulated_consumers {

/// Of a store whose positions are read from what a loss of power would leave. Beside the checks of records: acknowledged (an answer, and
/// the disk does not have it), settle (stored, after it was said that it never will be).
class stored_bench {
  struct answered {
    int partition;
    sl::fence mine;
    std::int64_t from, until;
  };
  st::simulated::list<answered> never_{};  // settle has said so
  st::simulated::list<std::int64_t> incarnations_{};

 protected:
  using numbers = st::simulated::list<std::uint32_t>;
  st::simulation& sim_;

  explicit stored_bench(st::simulation& sim) : sim_(sim) {}
  st::simulated::world& world() { return sim_.around().world; }
  st::simulated::witness& witness() { return sim_.around().cluster.witness; }
  void wrong(char const* name, std::string const& how) { world().violated(name, how); }
  static std::string at(int p) { return "partition " + std::to_string(p); }

  void forget() {
    never_.clear();
    incarnations_.clear();
  }
  /// What the disk has of a partition, and what is new of its results.
  void has(int p, std::int64_t next, sl::log_state const& log, sl::fence owner, numbers const& effects) {
    sim_.around().store.at(p) = {true, next, log, owner};
    if (incarnations_.size() <= static_cast<std::size_t>(p)) incarnations_.resize(static_cast<std::size_t>(p) + 1);
    auto& incarnation = incarnations_[static_cast<std::size_t>(p)];
    auto const was = witness().stored(p);
    witness().wrote(effects);
    if (was < 0)
      witness().began(p, next, log.incarnation);
    else if (log.incarnation != incarnation)
      sim_.around().rewound(p, next, log.incarnation);
    else if (next != was)
      witness().moved(p, was, next, log.incarnation, &effects, {});
    else if (!effects.empty())
      wrong("effects", at(p) + " has new results, and stays where it was");
    incarnation = log.incarnation;
    for (auto const& one : never_)
      if (next != was && one.partition == p && one.mine == owner && one.from == was && one.until == next)
        wrong("settle", at(p) + " is stored after settle has said that it never will be");
  }

  /// Since it was made.
  bool is_not_rewound(sl::move const& m) {
    return sim_.around().store.at(m.of.partition).log.incarnation == m.log.incarnation;
  }

 public:
  void asks(std::vector<sl::rewind> const& rewinds) { sim_.around().asks(rewinds); }
  void claimed(sl::claimed const& c) {
    auto const p = c.of.partition;
    if (sim_.around().store.at(p).mine.turn < c.mine.turn)
      wrong("acknowledged", at(p) + " is said to be claimed, and the disk does not have the claim");
    sim_.around().claimed(c);
  }
  void answer(sl::move const& m, sl::outcome o, bool is_settled) {
    auto const p = m.of.partition;
    if (o != sl::outcome::applied) {
      witness().excuse(p);
      if (is_settled && o == sl::outcome::refused) never_.push_back({p, m.mine, m.from.value(), m.until.value()});
      return;
    }
    if (is_not_rewound(m) && witness().stored(p) < m.until.value())
      wrong("acknowledged", at(p) + " is said to be stored up to " + std::to_string(m.until.value()) +
                                ", and the disk has " + std::to_string(witness().stored(p)));
    witness().owes(world().current(), p, m.from.value(), m.until.value());
  }
};

/// Power is lost: all processes are gone, and start again some time later.
inline void lose_power(disk& files, st::decision const& d) {
  files.w.note("power is lost");
  for (int i = 0; i < files.w.plan.processes; ++i) files.w.kill(i, d.amount % (500 * st::simulated::ms));
  files.lose_power();
}

}  // namespace simulated_consumers
