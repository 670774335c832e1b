/// \file source/union.hpp  Several sources as one: a batch spans them, each keeps positions of its own.
#pragma once
#include <sluice/detail/wake.hpp>
#include <sluice/legality.hpp>
#include <sluice/source/concept.hpp>

#include <algorithm>
#include <tuple>

namespace sluice { inline namespace v0 {

template <class... Sources>
class union_source;

/// A batch has parts of all members; positions are kept by topic, so two members must not have a topic in common. All
/// members name the same .group. What a member can't promise, the union can't: with one that can't be read again it goes
/// with at_most_once.
///
///     sl::union_of<sl::kafka, sl::directory_source>{{sl::kafka{…}, sl::directory_source{…}}}
///
/// Positions are in the offset store alone: a member that is Kafka shares its partitions out by the group, and shows
/// nothing there. It is finished when all its members are.
template <class... Sources>
struct union_of {
  static_assert(sizeof...(Sources) > 1, "sluice: union_of takes two sources or more");
  using slot = source_slot;
  using must_be_configured = void;
  using runtime = union_source<Sources...>;
  static constexpr bool has_group = false;
  static constexpr bool can_replay = !(detail::cannot_replay<Sources> || ...);
  static constexpr bool assigned_by_hand = (detail::assigned_by_hand<Sources> && ...);
  static constexpr bool discards_what_is_stored = (detail::discards_what_is_stored<Sources> || ...);

  std::tuple<Sources...> sources{};
  std::chrono::milliseconds timeout{10'000};  ///< to find out whether what is to be read is there

  static std::string group_of(union_of const& self) {
    return std::apply(
        [](auto const& first, auto const&... rest) {
          auto const group = detail::group_of(first);
          if (((detail::group_of(rest) != group) || ...))
            throw error(errc::bad_configuration,
                        "union_of: its sources name different groups; give all the same .group");
          return group;
        },
        self.sources);
  }
  /// Throws error(bad_configuration).
  template <class Context>
  static runtime open(union_of const& self, Context const& c) {
    return runtime{self, c};
  }
};

/// Models source_runtime.
template <class... Sources>
class union_source {
  static constexpr std::size_t count = sizeof...(Sources);

  /// Built from open()'s result in its place, since a runtime can't be moved.
  template <class Source>
  struct member {
    typename Source::runtime source;
    std::size_t first = 0;  // of its lanes among all
    std::size_t lanes = 0;
    template <class Context>
    member(Source const& config, Context const& c) : source(Source::open(config, c)) {}
    member(member const&) = delete;
    member& operator=(member const&) = delete;
  };
  /// A chain: std::tuple would want to move its elements.
  template <class...>
  struct chain {
    template <class Config, class Context>
    chain(Config const&, Context const&) {}
    template <class F>
    void each(F const&) {}
    template <class F>
    void each(F const&) const {}
  };
  template <class First, class... Rest>
  struct chain<First, Rest...> {
    member<First> here;
    chain<Rest...> rest;
    template <class Config, class Context>
    chain(Config const& all, Context const& c) : here(std::get<count - 1 - sizeof...(Rest)>(all), c), rest(all, c) {}
    template <class F>
    void each(F const& f) {
      f(here, count - 1 - sizeof...(Rest));
      rest.each(f);
    }
    template <class F>
    void each(F const& f) const {
      f(here, count - 1 - sizeof...(Rest));
      rest.each(f);
    }
  };

  detail::bell bell_{};
  chain<Sources...> members_;
  std::vector<lane> lanes_{};
  std::size_t turn_ = 0, compared_ = 0;
  int users_ = -1;

  template <class Context>
  static Context without_group(Context c) {
    c.keeps_in_group = c.transactional_group = false;
    return c;
  }
  void gather() {
    std::size_t n = 0;
    members_.each([&](auto& m, std::size_t number) {
      auto const own = m.source.lanes();
      m.first = n;
      m.lanes = own.size();
      lanes_.resize(std::max(lanes_.size(), n + own.size()));
      for (auto const& l : own) {
        lanes_[n] = l;
        lanes_[n++].assignment = l.assignment * count + number;
      }
    });
    lanes_.resize(n);
  }
  bool has(std::span<lane const> lanes, topic_partition const& of) const {
    return std::any_of(lanes.begin(), lanes.end(), [&](auto const& l) { return l.of == of; });
  }

 public:
  template <class Config, class Context>
  union_source(Config const& config, Context const& c) : members_(config.sources, without_group(c)) {}
  union_source(union_source const&) = delete;
  union_source& operator=(union_source const&) = delete;

  std::span<lane const> lanes() const { return lanes_; }

  void open(time_point by) {
    listen(-1);
    members_.each([&](auto& m, std::size_t) { m.source.open(by); });
  }

  void serve(source_owner& owner, time_point now) {
    members_.each([&](auto& m, std::size_t) {
      try {
        m.source.serve(owner, now);
      } catch (...) {
        gather();
        throw;
      }
      gather();
    });
    if (std::exchange(compared_, lanes_.size()) != lanes_.size()) must_be_apart();
  }

  std::optional<std::int64_t> lag_of(std::size_t i) const {
    std::optional<std::int64_t> lag;
    members_.each([&](auto const& m, std::size_t) {
      if (i >= m.first && i < m.first + m.lanes) lag = m.source.lag_of(i - m.first);
    });
    return lag;
  }

  /// Each member has its turn to be first.
  void take(std::span<std::size_t const> quota, std::size_t max_records, std::size_t max_bytes, intake& in) {
    for (std::size_t k = 0; k < count; ++k)
      members_.each([&](auto& m, std::size_t number) {
        if (number != (turn_ + k) % count || in.messages.size() >= max_records || in.bytes >= max_bytes) return;
        auto const parts = in.parts.size(), messages = in.messages.size();
        try {
          m.source.take(quota.subspan(m.first, m.lanes), max_records, max_bytes, in);
        } catch (error const&) {
          if (in.parts.empty()) throw;  // otherwise next time: what the others have is in hand
        } catch (...) {
          // Memory ran out. What this one has added is still without its number, so it goes back now.
          m.source.give_back(in.messages.all().subspan(messages));
          in.messages.erase(messages, in.messages.size() - messages);
          auto const cut = [parts](auto& v) {
            while (v.size() > parts) v.pop_back();
          };
          cut(in.parts);
          cut(in.lanes);
          cut(in.counts);
          throw;
        }
        for (auto i = parts; i < in.parts.size(); ++i) {
          in.parts[i].member = static_cast<std::uint32_t>(number);
          in.lanes[i] += m.first;
        }
      });
    turn_ = (turn_ + 1) % count;
    gather();
  }

  void give_back(intake& in) {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < in.parts.size(); ++i) {
      give_back(in.messages.all().subspan(begin, in.counts[i]), in.parts[i]);
      begin += in.counts[i];
    }
  }
  void give_back(std::span<detail::message const> messages, detail::part const& of) {
    members_.each([&](auto& m, std::size_t number) {
      if (number == of.member) m.source.give_back(messages);
    });
  }

  void advanced(move const& stored) {
    members_.each([&](auto& m, std::size_t) {
      if constexpr (requires { m.source.advanced(stored); })
        if (has(m.source.lanes(), stored.of)) m.source.advanced(stored);
    });
  }
  bool finished() const {
    bool all = true;
    members_.each([&](auto const& m, std::size_t) {
      if constexpr (requires { m.source.finished(); })
        all = all && m.source.finished();
      else
        all = false;
    });
    return all;
  }

  std::uint64_t left_behind() const {
    std::uint64_t all = 0;
    members_.each([&](auto const& m, std::size_t) {
      if constexpr (requires { m.source.left_behind(); }) all += m.source.left_behind();
    });
    return all;
  }

  void reclaim(topic_partition const& of, time_point at) {
    members_.each([&](auto& m, std::size_t) {
      if (has(m.source.lanes(), of)) m.source.reclaim(of, at);
    });
    gather();
  }
  void reposition(claimed const& c) {
    members_.each([&](auto& m, std::size_t) {
      if (has(m.source.lanes(), c.of)) m.source.reposition(c);
    });
    gather();
  }
  std::optional<time_point> next_due() const {
    std::optional<time_point> soonest;
    members_.each([&](auto const& m, std::size_t) {
      if (auto const due = m.source.next_due()) soonest = soonest ? std::min(*soonest, *due) : due;
    });
    return soonest;
  }

  /// The members ring the union's own descriptor, or the user's: then they are looked at every few milliseconds.
  void wait(time_point until) {
    if (users_ >= 0) until = std::min(until, std::chrono::steady_clock::now() + std::chrono::milliseconds{5});
    bell_.wait(until);
  }
  void wake() noexcept { bell_.ring(); }
  void wake_on(int fd) {
    users_ = fd;
    bell_.also_on(fd);
    listen(fd);
  }

  bool close(std::chrono::milliseconds deadline) {
    auto const by = std::chrono::steady_clock::now() + deadline;
    bool all = true;
    members_.each([&](auto& m, std::size_t) {
      auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(by - std::chrono::steady_clock::now());
      all = m.source.close(std::max(left, std::chrono::milliseconds{0})) && all;
    });
    lanes_.clear();
    return all;
  }

 private:
  void listen(int fd) {
    members_.each([&](auto& m, std::size_t) { m.source.wake_on(fd >= 0 ? fd : bell_.descriptor()); });
  }

  void must_be_apart() const {
    members_.each([&](auto const& m, std::size_t) {
      for (std::size_t i = m.first; i < m.first + m.lanes; ++i)
        for (std::size_t k = 0; k < lanes_.size(); ++k)
          if ((k < m.first || k >= m.first + m.lanes) && lanes_[k].of.topic == lanes_[i].of.topic)
            throw error(errc::bad_configuration, "union_of: two of its sources have the topic " + lanes_[i].of.topic +
                                                     "; give each a .topic of its own");
    });
  }
};

}}  // namespace sluice::v0
