#include <sluice/detail/engine.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"
#include "seed.hpp"

using namespace scripted;

namespace {

using life = std::tuple<of_t, std::int64_t, std::int64_t>;  // partition, incarnation, offset

/// Rebalances, refusals, lost answers, failing handlers, seeks and restarts, in any order; what the delivery promises is
/// checked at every step.
template <class Delivery>
class schedule {
  static constexpr bool in_transaction = std::is_same_v<Delivery, sl::transactional>;
  static constexpr bool stores_first = std::is_same_v<Delivery, sl::at_most_once>;
  using consumer = sl::stream_consumer<Delivery, offsets, source, manual_clock, sl::micro_batch>;

  std::mt19937 random_;
  std::vector<of_t> const all_{p0, p1, p2};
  outside o_{3};
  std::unique_ptr<consumer> c_{};
  std::set<of_t> mine_{};
  std::set<life> handled_{}, stored_{};
  std::vector<std::string> broken_{};
  bool failing_ = false;

 public:
  explicit schedule(std::uint32_t s) : random_(s) {
    o_.world.cooperative = chance(2);
    o_.disk.applied = [this](sl::move const& m) { stored(m); };
    restart();
  }

  void run(int n) {
    for (int i = 0; i < n; ++i) {
      disturb();
      step();
    }
    heal();
    for (auto const& b : broken_) FAIL_CHECK(b);
    CHECK(o_.world.wrong() == "");
  }

 private:
  bool chance(unsigned one_in) { return random_() % one_in == 0; }
  of_t const& any() { return all_[random_() % all_.size()]; }

  void restart() {
    c_.reset();
    mine_.clear();
    o_.world.events.clear();
    c_ = std::make_unique<consumer>(o_.reading(), offsets{&o_.disk}, manual_clock{&o_.world},
                                    sl::micro_batch{.max_records = 7});
  }

  void disturb() {
    for (auto const& of : all_)
      if (chance(2)) o_.world.produce(of, random_() % 6);
    if (chance(6)) o_.world.gap(any(), 1 + random_() % 3);
    if (chance(4)) rebalance();
    if (chance(5)) o_.disk.advances.push_back(any_scene());
    if (chance(5)) o_.disk.settles.push_back({chance(2) ? act::lose : act::normal});
    if (in_transaction && chance(6))
      o_.disk.commits.push_back(
          {std::array{act::refuse, act::lose, act::unheard, act::postpone, act::down}[random_() % 5]});
    if (chance(15)) o_.disk.claims.push_back(chance(2) ? sl::claimed::busy : sl::claimed::failed);
    if (chance(20)) o_.disk.claims_down = 1;
    if (chance(20)) o_.disk.records_down = 1;
    if (!in_transaction && chance(12)) seek();
    if (chance(40)) restart();
    failing_ = chance(8);
  }
  scene any_scene() {
    auto const what =
        std::array{act::refuse, act::lose, act::late, act::unheard, act::postpone, act::down}[random_() % 6];
    if (in_transaction && what != act::refuse && what != act::postpone && what != act::down) return {};
    return {what, chance(2) ? std::optional{any()} : std::nullopt};
  }
  void rebalance() {
    std::vector<of_t> gone, come;
    for (auto const& of : all_)
      if (mine_.contains(of) && (!o_.world.cooperative || chance(2))) gone.push_back(of);
    for (auto const& of : gone) mine_.erase(of);
    for (auto const& of : all_)
      if (!mine_.contains(of) && chance(2)) come.push_back(of);
    mine_.insert(come.begin(), come.end());
    if (!gone.empty()) o_.world.revoke(gone, chance(4));
    if (!come.empty() || !o_.world.cooperative) o_.world.assign(come);
  }
  void seek() {
    for (auto const& p : c_->positions())
      if (chance(3))
        c_->seek(p.of,
                 sl::offset{static_cast<std::int64_t>(random_() % static_cast<std::size_t>(o_.world.high(p.of) + 1))});
  }

  void step() {
    try {
      if constexpr (in_transaction)
        c_->step(
            [&](sl::batch const& b, offsets::transaction& tx) {
              for (auto const& r : b) tx.put(r);
              if (failing_) throw std::runtime_error("poison");
            },
            500ms);
      else
        c_->step([&](sl::batch const& b) { handle(b); }, 500ms);
    } catch (sl::error const& e) {
      if (e.code() != sl::errc::two_owners && e.code() != sl::errc::store_unavailable) throw;
    } catch (std::runtime_error const&) {}
  }

  void handle(sl::batch const& b) {
    std::size_t n = 0;
    for (auto const& r : b) {
      if (failing_ && n++ == b.size() / 2) throw std::runtime_error("poison");
      auto const [of, at] = place_of(r);
      life const here{of, r.incarnation(), at};
      bool const first = handled_.insert(here).second;
      if (stores_first && !first) broken_.push_back(to_string(of) + " " + std::to_string(at) + " handled twice");
      if (stores_first && !stored_.contains(here))
        broken_.push_back(to_string(of) + " " + std::to_string(at) + " handled before it was stored");
    }
  }
  void stored(sl::move const& m) {
    auto const& l = o_.world.logs[m.of];
    for (auto at = l.at_or_after(m.from.value()); at != l.entries.end() && (*at)->at < m.until.value(); ++at) {
      life const here{m.of, m.log.incarnation, (*at)->at};
      if (!stored_.insert(here).second)
        broken_.push_back(to_string(m.of) + " " + std::to_string((*at)->at) + " stored twice");
      if (!stores_first && !handled_.contains(here))
        broken_.push_back(to_string(m.of) + " " + std::to_string((*at)->at) + " stored and not handled");
    }
  }

  /// Nothing goes wrong any more: everything comes to its end.
  void heal() {
    failing_ = false;
    o_.disk.advances.clear();
    o_.disk.settles.clear();
    o_.disk.commits.clear();
    o_.disk.claims.clear();
    o_.disk.claims_down = o_.disk.records_down = 0;
    for (auto const& of : all_) o_.world.produce(of);
    o_.world.revoke({mine_.begin(), mine_.end()});
    o_.world.assign(all_);
    mine_ = {all_.begin(), all_.end()};
    for (int i = 0; i < 400; ++i) step();
    for (auto const& of : all_) {
      CHECK(o_.disk.next(of) == o_.world.logs[of].entries.back()->at + 1);
      if (!in_transaction) continue;
      std::vector<std::int64_t> visible;
      for (auto const& e : o_.world.logs[of].entries) visible.push_back(e->at);
      CHECK(offsets_of(of, o_.disk.effects) == visible);
    }
    CHECK(c_->drain(5s) == sl::close_result::drained);
  }
};

}  // namespace

TEST_CASE("waits double from 50 ms at least to 5 s at most, with jitter") {
  auto const least = [](unsigned attempts) {
    auto none = [] { return 0u; };
    return sl::detail::wait_after(attempts, none);
  };
  auto const most = [](unsigned attempts) {
    auto all = [] { return ~0u; };
    return sl::detail::wait_after(attempts, all);
  };
  CHECK(least(1) == 50ms);
  CHECK(least(2) == 100ms);
  CHECK(least(6) == 1600ms);
  CHECK(least(7) == 2500ms);
  CHECK(least(1000) == 2500ms);
  for (unsigned attempts : {1u, 2u, 7u, 1000u}) CHECK(most(attempts) < 2 * least(attempts));
}

TEMPLATE_TEST_CASE("any schedule keeps the promise", "", sl::at_most_once, sl::at_least_once, sl::transactional) {
  auto const s = seed();
  for (std::uint32_t i = 0; i < 40; ++i) {
    CAPTURE(s, i);
    schedule<TestType>{s + i}.run(60);
  }
}
