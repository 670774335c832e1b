/// \file simulation/reference.hpp  What keyed states and windows must have and give, computed without them: from what was committed, all of it each time.
#pragma once
#include <sluice/testing/simulation.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace simulated_consumers {
namespace st = sluice::testing;

/// Of the consumer in stateful.hpp, in ms.
struct state_times {
  static constexpr std::int64_t interval = 250, timeout = 1000;
  static constexpr std::int64_t size = 1000, slide = 500;                              // of windows over batches
  static constexpr std::int64_t events = 700, step = 350, disorder = 200, late = 500;  // over event time

  /// Records' own times are a little out of order.
  static std::int64_t event_time(std::int64_t stamp, std::uint32_t number) { return stamp - number % 5 * 150; }
};

/// Each value is the numbers of the records that made it, in their order. So values of one key tell what was counted, twice or not
/// at all, or in another order.
class reference {
  using times = state_times;
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  struct kept {
    std::string numbers{};
    std::int64_t due = never;
  };
  struct counted {
    std::int64_t time;
    std::string key, number;
  };
  struct event_window {
    std::string numbers{};
    bool given = false;
    std::int64_t due = 0;
  };
  struct partition {
    std::map<std::string, kept> keys{};
    std::vector<counted> all{};  // whatever may still be in a window
    bool begun = false;
    std::int64_t given = 0;
    std::map<std::pair<std::int64_t, std::string>, event_window> events{};
    std::int64_t newest = -never;
  };
  struct incoming {
    std::string key, number;
    std::int64_t at;
  };
  std::map<std::int32_t, partition> partitions_{};
  std::multiset<std::string> expected_{};

  static std::int64_t floor_to(std::int64_t n, std::int64_t step) { return n - ((n % step) + step) % step; }
  static std::int64_t number_in(std::string_view text) {
    std::int64_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
  }
  void expect(std::string text) { expected_.insert(std::move(text)); }

 public:
  void begin() { partitions_.clear(); }

  /// What is wrong with this commit, or nothing. `world` has the records.
  std::string look_at(st::simulation const& world, st::simulated_commit const& c) {
    for (auto const& part : c.parts) {
      auto const name = std::to_string(part.partition);
      std::vector<incoming> news;
      for (auto const number : c.records) {
        auto const& r = world.record(number);
        if (r.partition == part.partition)
          news.push_back({name + r.key, std::to_string(number) + ",", times::event_time(r.stamp_ms, number)});
      }
      expected_.clear();
      std::multiset<std::string> given;
      std::int64_t now = 0;
      bool more = false;
      for (auto const& out : c.outputs) {
        if (out.partition != part.partition) continue;
        std::string_view const text{out.text};
        if (text.starts_with("batch ")) {
          now = number_in(text.substr(6));
          more = text.ends_with('+');
        } else
          given.insert(std::string{text});
      }
      auto& p = partitions_[part.partition];
      keyed(p, news, now);
      over_batches(p, news, now, more);
      over_event_time(p, news);
      if (given != expected_) return name + ": " + difference(given);
      if (auto const wrong = rows_of(p, part.partition, c); !wrong.empty()) return name + ": " + wrong;
    }
    return {};
  }

 private:
  std::string difference(std::multiset<std::string> const& given) const {
    std::string missing, more;
    for (auto const& e : expected_)
      if (given.count(e) < expected_.count(e)) missing += " [" + e + "]";
    for (auto const& g : given)
      if (expected_.count(g) < given.count(g)) more += " [" + g + "]";
    return "given was" + (more.empty() ? " not" + missing : more + ", expected" + missing);
  }

  void keyed(partition& p, std::vector<incoming> const& news, std::int64_t now) {
    for (auto k = p.keys.begin(); k != p.keys.end();)
      if (k->second.due <= now) {
        expect("gone " + k->first + "=" + k->second.numbers);
        k = p.keys.erase(k);
      } else
        ++k;
    std::set<std::string> changed;
    for (auto const& r : news) {
      p.keys[r.key].numbers += r.number;
      p.keys[r.key].due = now + times::timeout;
      changed.insert(r.key);
    }
    for (auto const& key : changed) expect("count " + key + "=" + p.keys[key].numbers);
  }

  /// A record counts for the batch that it comes in; a clock that goes back is waited for, or, where that takes more than a window,
  /// taken over.
  void over_batches(partition& p, std::vector<incoming> const& news, std::int64_t now, bool more) {
    if (!p.begun) p.given = floor_to(now - 1, times::slide);
    auto const newest = [&] { return p.all.empty() ? p.given : std::max(p.given, p.all.back().time); };
    if (auto const by = now - newest(); by < -times::size) {
      for (auto& c : p.all) c.time += by;
      p.given = floor_to(now - 1, times::slide);
    }
    for (auto end = floor_to(p.given, times::slide) + times::slide; end < now; end += times::slide) {
      if (p.all.empty()) {
        p.given = floor_to(now - 1, times::slide);
        break;
      }
      give(p, end);
    }
    auto const time = std::max({now, p.given + times::interval, newest()});
    for (auto const& r : news) p.all.push_back({time, r.key, r.number});
    p.begun = p.begun || !news.empty();
    if (now % times::slide == 0 && !more && p.given < now) give(p, now);
  }
  void give(partition& p, std::int64_t end) {
    std::erase_if(p.all, [&](counted const& c) { return c.time <= end - times::size; });
    std::map<std::string, std::string> sums;
    for (auto const& c : p.all) sums[c.key] += c.number;
    for (auto const& [key, numbers] : sums) expect("window " + std::to_string(end) + " " + key + "=" + numbers);
    p.given = end;
    p.begun = true;
  }

  void over_event_time(partition& p, std::vector<incoming> const& news) {
    if (news.empty()) return;
    auto const watermark = [&] { return p.newest == -never ? p.newest : p.newest - times::disorder; };
    auto const closed = watermark();
    std::set<std::pair<std::int64_t, std::string>> changed;
    for (auto const& r : news) {
      p.newest = std::max(p.newest, r.at);
      bool in_time = false;
      for (auto from = floor_to(r.at, times::step); from > r.at - times::events; from -= times::step) {
        if (from + times::events + times::late <= closed) continue;
        in_time = true;
        p.events[{from, r.key}].numbers += r.number;
        changed.insert({from, r.key});
      }
      if (!in_time) expect("late " + r.number);
    }
    auto const tell = [&](auto const& at, event_window const& w) {
      expect("event " + std::to_string(at.first) + " " + at.second + "=" + w.numbers);
    };
    for (auto const& at : changed)
      if (p.events[at].given) tell(at, p.events[at]);
    for (auto e = p.events.begin(); e != p.events.end();) {
      auto const end = e->first.first + times::events;
      if (end <= watermark() && !std::exchange(e->second.given, true)) tell(e->first, e->second);
      e->second.due = e->second.given ? end + times::late : end;
      if (e->second.given && end + times::late <= watermark())
        e = p.events.erase(e);
      else
        ++e;
    }
  }

  template <class... T>
  static std::string key_of(T const&... parts) {
    std::string data(1, sluice::detail::user_key);
    (sluice::encoder{data}.put(parts), ...);
    return data;
  }
  /// The rows that are there are those that should, and have their times.
  static std::string rows_of(partition const& p, std::int32_t number, st::simulated_commit const& c) {
    struct row {
      std::string value, what;
      std::int64_t due;
    };
    std::map<std::pair<std::string, std::string>, row> should;
    for (auto const& [key, k] : p.keys)
      should[{"counts", key_of(key)}] = {sluice::encoded(k.numbers), "of key " + key, k.due};
    for (auto const& [at, e] : p.events) {
      std::string value;
      sluice::encoder{value}.put(e.given);
      sluice::encoder{value}.put(e.numbers);
      should[{"events", key_of(at.first, at.second)}] = {
          value, "of key " + at.second + " from " + std::to_string(at.first), e.due};
    }
    for (auto const& r : c.rows) {
      if (r.partition != number || !r.key.starts_with(sluice::detail::user_key) || r.state == "sums") continue;
      auto const at = should.find({std::string{r.state}, std::string{r.key}});
      auto const name = "a row of " + std::string{r.state} + " ";
      if (at == should.end()) return name + "is there, and should not";
      if (std::string_view{r.value} != at->second.value) return name + at->second.what + " has another value";
      if (r.due != at->second.due)
        return name + at->second.what + " is due at " + std::to_string(r.due) + ", and should be at " +
               std::to_string(at->second.due);
      should.erase(at);
    }
    if (!should.empty())
      return "a row of " + should.begin()->first.first + " " + should.begin()->second.what + " is gone";
    return {};
  }
};

}  // namespace simulated_consumers
