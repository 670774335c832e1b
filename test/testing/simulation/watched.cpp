#define SLUICE_SIMULATION_PROGRAM
#include <sluice/sluice.hpp>
#include <sluice/testing/simulation.hpp>

#include <map>

#include "catch.hpp"

namespace sl = sluice;
namespace st = sluice::testing;

namespace {

enum class bug { none, claims_behind, has_no_fence, refuses_without_asking, acknowledges_blindly, goes_back };

struct kept {
  sl::offset next{};
  sl::log_state log{};
  sl::fence mine{};
};
std::map<std::int32_t, kept> rows;

/// Compare and set, but for its bug.
struct outside_offsets {
  using slot = sl::offset_store_slot;
  using must_be_configured = void;
  st::process* p = nullptr;
  bug wrong = bug::none;

  struct runtime {
    st::process& p;
    bug wrong;
    std::vector<sl::outcome> answers{};
    [[maybe_unused]] static constexpr bool durable_at_advance = true;
    [[maybe_unused]] static constexpr sl::fencing fencing = sl::fencing::compare_and_set;

    template <class F>
    auto ask(F f) {
      if (auto answer = p.request(f)) return *answer;
      throw sl::store_error(sl::errc::store_unavailable, "no answer");
    }
    std::vector<sl::claimed> claim(std::string const&, std::vector<sl::topic_partition> const& set,
                                   sl::start_resolver& resolve, sl::time_point by) {
      std::vector<sl::claimed> claims;
      for (auto const& of : set) {
        if (!ask([] { return !rows.empty(); }))
          ask([starts = resolve.start_of(of.topic, by).starts] {
            if (!rows.empty()) return false;
            for (std::int32_t i = 0; auto const at : starts) rows[i++] = {at, {.incarnation = 1}, {}};
            return true;
          });
        auto const at = ask([n = of.partition, nonce = p.choose(1u << 31)] {
          auto& row = rows.at(n);
          row.mine = {row.mine.turn + 1, nonce};
          return row;
        });
        auto const behind = wrong == bug::claims_behind ? std::min<std::int64_t>(3, at.next.value()) : 0;
        claims.push_back({of, sl::offset{at.next.value() - behind}, at.log, at.mine, sl::claimed::stored, {}});
      }
      return claims;
    }
    std::span<sl::outcome const> advance(std::span<sl::move const> moves, sl::time_point) {
      answers.clear();
      for (auto const& m : moves) {
        auto const done = p.request([m = kept{m.until, m.log, m.mine}, from = m.from, n = m.of.partition, w = wrong] {
          auto& row = rows.at(n);
          if ((w != bug::has_no_fence && row.mine != m.mine) || (row.next != from && row.next != m.next)) return false;
          row = {m.next, m.log, row.mine};
          if (w == bug::goes_back && m.next.value() % 7 == 6)
            row = {sl::offset{m.next.value() - 1}, {.incarnation = row.log.incarnation + 1}, row.mine};
          return true;
        });
        answers.push_back(!done   ? wrong == bug::acknowledges_blindly ? sl::outcome::applied : sl::outcome::unknown
                          : *done ? sl::outcome::applied
                                  : sl::outcome::refused);
      }
      return answers;
    }
    std::span<sl::outcome const> settle(std::span<sl::move const> moves, sl::time_point by) {
      if (wrong != bug::refuses_without_asking) return advance(moves, by);
      answers.assign(moves.size(), sl::outcome::refused);
      return answers;
    }
    std::vector<sl::claimed> record(std::vector<sl::rewind> const& rewinds, sl::time_point) {
      std::vector<sl::claimed> claims;
      for (auto const& r : rewinds) {
        auto const at = p.request([n = r.of.partition, to = r.to, mine = r.mine, nonce = p.choose(1u << 31)] {
          auto& row = rows.at(n);
          if (row.mine != mine) return std::optional<kept>{};
          row = {to, {.incarnation = row.log.incarnation + 1}, {mine.turn + 1, nonce}};
          return std::optional{row};
        });
        claims.push_back(at && *at ? sl::claimed{r.of, r.to, (*at)->log, (*at)->mine, sl::claimed::stored, {}}
                                   : sl::claimed{.of = r.of, .why = "refused, or no answer"});
      }
      return claims;
    }
    void release(std::vector<sl::claimed> const&, sl::time_point) {}
    std::optional<std::string> local_id() const { return std::nullopt; }
  };
  static runtime open(outside_offsets const& self, sl::context const&) { return {*self.p, self.wrong}; }
};

/// What the first failure of 500 schedules breaks; nothing where none fails.
template <class Delivery = sl::at_least_once>
std::string broken(bug wrong, st::promise promised = st::promise::at_least_once, bool tells_fence = true) {
  st::simulation sim{promised, [wrong](st::process& p) {
                       sl::stream_consumer c{Delivery{}, p.kafka(), st::watched{p, outside_offsets{&p, wrong}},
                                             p.clock()};
                       while (p.running()) try {
                           c.step([&](sl::batch const& b) { p.handle(b); }, std::chrono::milliseconds{100});
                         } catch (sl::store_error const&) {
                         } catch (st::handler_failure const&) {}
                     }};
  sim.on_begin = [] { rows.clear(); };
  sim.stored = [tells_fence](std::int32_t p) -> std::optional<st::stored_position> {
    if (!rows.contains(p)) return {};
    auto const& row = rows.at(p);
    return st::stored_position{row.next, row.log.incarnation, tells_fence ? row.mine : sl::fence{}};
  };
  for (std::uint64_t seed = 1; seed <= 500; ++seed)
    if (auto const r = sim.run({.seed = seed, .faults = st::all_faults & ~st::only(st::fault::added)}); r.failed()) {
      UNSCOPED_INFO(sim.story(r));
      return r.broken;
    }
  return {};
}

}  // namespace

TEST_CASE("a store that keeps its contract is not blamed, whether it tells its fence or not") {
  CHECK(broken(bug::none) == "");
  CHECK(broken(bug::none, st::promise::at_least_once, false) == "");
  CHECK(broken<sl::at_most_once>(bug::none, st::promise::at_most_once) == "");
}

TEST_CASE("a store of one's own that breaks its contract is found") {
  CHECK(broken(bug::claims_behind) == "silent jump");
  CHECK(broken(bug::has_no_fence) != "");
  CHECK(broken<sl::at_most_once>(bug::has_no_fence, st::promise::at_most_once) != "");
  CHECK(broken(bug::refuses_without_asking) == "settle");
  CHECK(broken(bug::acknowledges_blindly) == "acknowledged");
  CHECK(broken(bug::goes_back) == "rewind");
}
