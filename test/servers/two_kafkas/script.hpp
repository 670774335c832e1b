/// \file script.hpp  What scripts do and see: clients that follow what comes to them, commits, ends of logs.
#pragma once
#include <sluice/source/client.hpp>

#include <initializer_list>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace two_kafkas {
namespace sl = sluice;
using namespace std::chrono_literals;
using seen = std::vector<std::string>;
using offsets = std::vector<std::int64_t>;

inline sl::time_point in(std::chrono::milliseconds d) { return std::chrono::steady_clock::now() + d; }

/// A client, and what comes to it: as the Kafka source deals with it, but it stores nothing by itself.
template <class Client>
struct follower {
  Client& client;
  std::string topic;
  std::map<std::int32_t, std::size_t> queues{};
  std::map<std::int32_t, offsets> read{};
  std::map<std::int32_t, std::map<std::int64_t, std::string>> values{};
  std::vector<std::string> news{};
  bool outside = false;

  void read_from(std::int32_t p, std::int64_t at) {
    if (!queues.contains(p)) queues[p] = client.open_queue({topic, p});
    read.clear();
    outside = false;
    client.assign({{{topic, p}, sl::offset{at}}});
  }
  std::size_t owned() const { return queues.size(); }

  void turn() {
    while (auto const e = client.poll()) std::visit([&](auto const& one) { on(one); }, *e);
    std::vector<sl::detail::message> some(100);
    for (auto const& [p, queue] : queues) {
      auto const got = client.take(queue, some);
      for (std::size_t i = 0; i < got.count; ++i) {
        read[p].push_back(some[i].at);
        values[p][some[i].at].assign(static_cast<char const*>(some[i].value), some[i].value_size);
      }
      client.release(std::span{some}.first(got.count));
      outside |= got.out_of_range;
    }
    client.wait(in(20ms));
  }

 private:
  std::vector<sl::position> all_from_the_start() const {
    std::vector<sl::position> all;
    for (auto const& [p, queue] : queues) all.push_back({{topic, p}, sl::offset{0}});
    return all;
  }
  void tell(char const* what, std::size_t n) {
    if (n > 0) news.push_back(what + (" " + std::to_string(n)));
  }
  void on(sl::client::assigned const& e) {
    tell("assigned", e.set.size());
    std::vector<sl::position> fresh;
    for (auto const& of : e.set) {
      queues[of.partition] = client.open_queue(of);
      fresh.push_back({of, sl::offset{0}});
    }
    client.cooperative() ? client.incremental_assign(fresh) : client.assign(all_from_the_start());
  }
  void on(sl::client::revoked const& e) {
    tell(e.lost ? "lost" : "revoked", e.set.size());
    for (auto const& of : e.set) {
      client.close_queue(queues.at(of.partition));
      queues.erase(of.partition);
    }
    client.cooperative() ? client.incremental_unassign(e.set) : client.assign({});
  }
  void on(sl::client::out_of_range const&) { outside = true; }
  void on(sl::client::poll_exceeded const&) { news.push_back("too slow"); }
  void on(sl::client::trouble const&) {}
};

inline std::string text(sl::outcome o) {
  return o == sl::outcome::applied     ? "applied"
         : o == sl::outcome::refused   ? "refused"
         : o == sl::outcome::postponed ? "postponed"
                                       : "unknown";
}
template <class List>
std::string text(List const& all) {
  std::string s;
  for (auto const& one : all) s += (s.empty() ? "" : " ") + std::to_string(one);
  return s;
}

/// What scripts say. A `World` makes clients and changes logs.
template <class World>
struct script {
  using client = typename World::client;
  using follow = follower<client>;
  World& world;

  void see(std::string const& s) const { world.see(s); }
  follow joins() const { return {world.join(), world.topic()}; }
  follow by_hand() const { return {world.by_hand(), world.topic()}; }

  template <class Done>
  void until(Done done, std::initializer_list<follow*> all, char const* what) const {
    for (auto const by = in(30s); !done();) {
      if (std::chrono::steady_clock::now() > by) return see(std::string{"it never came to this: "} + what);
      for (auto* f : all) f->turn();
    }
  }
  /// Until nothing has happened for longer than a heartbeat.
  void settle(std::initializer_list<follow*> all) const {
    std::size_t before = 0;
    for (auto quiet_at = in(1200ms); std::chrono::steady_clock::now() < quiet_at;) {
      std::size_t now = 0;
      for (auto* f : all) f->turn(), now += f->news.size();
      if (std::exchange(before, now) != now) quiet_at = in(1200ms);
    }
  }
  std::string ends(client& c, std::int32_t p) const {
    auto const e = c.ends({{world.topic(), p}}, in(10s)).at(0);
    return std::to_string(e.low.value()) + " to " + std::to_string(e.high.value());
  }
  std::vector<sl::group_position> position(std::int32_t p, std::int64_t at) const {
    return {{.of = {world.topic(), p}, .next = sl::offset{at}, .note = "n"}};
  }
  std::string commit(client& c, std::int32_t p, std::int64_t at) const {
    return text(c.positions().store(position(p, at), in(10s)).at(0));
  }
  std::string committed(client& c, std::int32_t p) const {
    auto const found = c.positions().read({{world.topic(), p}}, in(5s)).at(0);
    return found.there ? std::to_string(found.next.value()) + " " + found.note : "nothing";
  }
  /// And what is stored then, as somebody else sees it.
  std::string commit(follow& by, std::int32_t p, std::int64_t at, follow& reader) const {
    auto const answer = commit(by.client, p, at);
    return answer + ", then there is " + committed(reader.client, p);
  }
  std::string told(follow& f) const {
    std::string s;
    for (auto const& n : std::exchange(f.news, {})) s += n + " ";
    return s;
  }
};

}  // namespace two_kafkas
