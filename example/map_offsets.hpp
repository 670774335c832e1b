/// An offset store of one's own: a map that outlives its consumers, as a program may have it behind an RPC.
///
/// The concept asks for little: a claim makes a new fence, an advance is compare-and-set under it.
#pragma once
#include <sluice/offset_store/concept.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

namespace sl = sluice;

struct map_offsets {
  using slot = sl::offset_store_slot;
  using must_be_configured = void;
  using kept = std::map<sl::topic_partition, sl::claimed>;
  kept* in = nullptr;

  struct runtime {
    kept& in;
    std::vector<sl::outcome> answers{};
    static constexpr bool durable_at_advance = true;  // as durable as the map
    static constexpr sl::fencing fencing = sl::fencing::compare_and_set;

    std::vector<sl::claimed> claim(std::string const&, std::vector<sl::topic_partition> const& set,
                                   sl::start_resolver& resolve, sl::time_point by) {
      std::vector<sl::claimed> claims;
      for (auto const& of : set) {
        if (!in.contains({of.topic, 0}))  // the first claim of a topic keeps all of its starts, before anything is read
          for (sl::topic_partition each{of.topic, 0}; auto const start : resolve.start_of(of.topic, by).starts) {
            in.try_emplace(each, sl::claimed{each, start, {.incarnation = wall_ms()}, {}, sl::claimed::first});
            ++each.partition;
          }
        if (!in.contains(of))  // it was added since
          in[of] = {of, resolve.earliest(of, by), {.incarnation = wall_ms()}, {}, sl::claimed::added};
        auto& at = in.at(of);
        at.mine = fence_after(at.mine);
        claims.push_back(at);
        at.what = sl::claimed::stored;
      }
      return claims;
    }
    std::span<sl::outcome const> advance(std::span<sl::move const> moves, sl::time_point) {
      answers.assign(moves.size(), sl::outcome::refused);
      for (std::size_t i = 0; auto const& m : moves) {
        auto& at = in.at(m.of);
        if (at.mine == m.mine && (at.next == m.from || at.next == m.until)) {
          at.next = m.until;
          at.log = m.log;
          answers[i] = sl::outcome::applied;
        }
        ++i;
      }
      return answers;
    }
    std::span<sl::outcome const> settle(std::span<sl::move const> moves, sl::time_point by) {
      return advance(moves, by);
    }
    std::vector<sl::claimed> record(std::vector<sl::rewind> const& rewinds, sl::time_point) {
      std::vector<sl::claimed> claims;
      for (auto const& r : rewinds) {
        auto& at = in.at(r.of);
        if (at.mine != r.mine) {
          claims.push_back({.of = r.of, .why = "another one has claimed it"});
          continue;
        }
        auto const incarnation = std::max(at.log.incarnation + 1, wall_ms());
        at = {r.of, r.to, {.incarnation = incarnation}, fence_after(at.mine), sl::claimed::stored};
        claims.push_back(at);
      }
      return claims;
    }
    static sl::fence fence_after(sl::fence const& last) { return {last.turn + 1, std::random_device{}()}; }
    static std::int64_t wall_ms() {
      return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
    }
    void release(std::vector<sl::claimed> const&, sl::time_point) {}
    std::optional<std::string> local_id() const { return std::nullopt; }
  };
  static runtime open(map_offsets const& self, sl::context const&) { return {*self.in}; }
};
