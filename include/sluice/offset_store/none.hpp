/// \file offset_store/none.hpp  Nothing is remembered: every start of the program begins where the policy says.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/offset_store/concept.hpp>

#include <chrono>
#include <map>
#include <random>
#include <stdexcept>

namespace sluice { inline namespace v0 {

enum class from { earliest, latest };

/// `no_offsets<from::earliest>` replays a topic at every start, `no_offsets<from::latest>` begins behind what is there.
///
/// Since nothing is kept, one life of a log can't be told from the next: the incarnation is always 1, through restarts
/// and seeks, so that an output which knows what it has seen sees each record once. Empty such an output when its topic
/// was deleted and created again.
template <from Where>
struct no_offsets {
  using slot = offset_store_slot;
  static constexpr from where = Where;
  static constexpr bool forgets = true;
  /// What start_resolver::start_of must answer with: the source resolves it, the consumer refuses another `start`.
  static constexpr std::optional<from> wanted_start = Where;

  class runtime {
    detail::late<std::mt19937_64, no_offsets> random_{std::random_device{}()};
    detail::late<std::map<topic_partition, fence>, no_offsets> fences_{};
    detail::late<std::vector<outcome>, no_offsets> answers_{};

    fence new_fence(topic_partition const& of) {
      auto& mine = fences_[of];
      return mine = {mine.turn + 1, random_()};
    }
    static log_state only_life() { return {.incarnation = 1}; }

   public:
    static constexpr bool durable_at_advance = false;
    static constexpr sluice::fencing fencing = sluice::fencing::none;

    std::vector<claimed> claim(std::string const& /*group*/, std::vector<topic_partition> const& set,
                               start_resolver& resolve, time_point by) {
      detail::late<std::map<std::string, topic_start>, no_offsets> starts;
      detail::late<std::vector<claimed>, no_offsets> answers;
      answers.reserve(set.size());
      for (auto const& of : set) {
        auto at = starts.find(of.topic);
        if (at == starts.end()) at = starts.emplace(of.topic, resolve.start_of(of.topic, by)).first;
        auto const& known = at->second.starts;
        auto const index = static_cast<std::size_t>(of.partition);
        bool const added = index >= known.size();
        answers.push_back({.of = of,
                           .next = added ? resolve.earliest(of, by) : known[index],
                           .log = only_life(),
                           .mine = new_fence(of),
                           .what = added ? claimed::added : claimed::first});
      }
      return answers;
    }

    /// Nothing to store, so nothing to refuse.
    std::span<outcome const> advance(std::span<move const> moves, time_point) {
      answers_.assign(moves.size(), outcome::applied);
      return answers_;
    }
    std::span<outcome const> settle(std::span<move const> moves, time_point by) { return advance(moves, by); }

    std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point) {
      detail::late<std::vector<claimed>, no_offsets> answers;
      answers.reserve(rewinds.size());
      for (auto const& r : rewinds) {
        answers.push_back({.of = r.of,
                           .next = r.to,
                           .log = only_life(),
                           .mine = new_fence(r.of),
                           .what = claimed::stored,
                           .why = r.cause});
      }
      return answers;
    }

    void release(std::vector<claimed> const& claims, time_point) {
      for (auto const& c : claims) fences_.erase(c.of);
    }
    std::optional<std::string> local_id() const { return std::nullopt; }
    bool mirror() const { return false; }
  };

  static runtime open(no_offsets const&, context const&) { return {}; }
};

}}  // namespace sluice::v0
