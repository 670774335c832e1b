/// \file simulated_world.hpp  Where scripts run on a simulated Kafka, in a process of the simulation.
#pragma once
#include <sluice/testing/simulation.hpp>

#include <deque>

#include "servers/two_kafkas/script.hpp"

namespace two_kafkas {
namespace st = sluice::testing;

class simulated_world {
  st::process& p_;
  std::deque<st::simulated::simulated_client> clients_{};
  seen& all_;
  int leader_ = 0;
  std::int64_t everywhere_ = 0;

  auto& cluster() { return p_.around()->cluster; }
  auto& topic_of() { return cluster().topic; }

 public:
  using client = st::simulated::simulated_client;

  simulated_world(st::process& p, seen& all) : p_(p), all_(all) {
    for (auto& log : topic_of().logs) log = {};
  }
  void see(std::string const& s) {
    p_.outside([&] { all_.push_back(s); });
  }
  std::string topic() const { return st::process::topic(); }

  client& join() {
    auto& c = make(false);
    c.subscribe({topic()});
    return c;
  }
  client& join_from_afar() { return join(); }
  client& by_hand() { return make(true); }
  void stalls(int i) {
    cluster().group.put_out(i, 1);
    cluster().presence_of(i).too_slow = true;
  }
  void falls_silent(int i) {
    for (int id = 1; id < 100; ++id)
      if (auto const* m = cluster().group.find(id); m && m->process == i) cluster().group.cut_off(id);
  }
  void speaks(int) {}
  void leaves(int i) { (void)clients_[static_cast<std::size_t>(i)].close(in(10s)); }

  void is_led_silently() {
    leader_ = cluster().group.join(-1, 1);
    cluster().group.cut_off(leader_);
  }
  std::string leader_commits(std::int32_t p, std::int64_t at, int generations) {
    return text(cluster().group.commit(leader_, cluster().group.generation() + generations, {{p, at, "n"}}));
  }

  void produce(std::int32_t p, int n) {
    for (int i = 0; i < n; ++i) topic_of().append(p, 1, static_cast<char>('a' + i));
  }
  void abort(std::int32_t p, int n) { topic_of().append(p, n, 'x', true); }
  void produce_at_its_leader(std::int32_t p, int n) {
    everywhere_ = topic_of().log(p).high;
    produce(p, n);
  }
  void lose_leader(std::int32_t p) { topic_of().truncate(p, everywhere_); }
  void delete_below(std::int32_t p, std::int64_t at) { topic_of().retain_from(p, at); }
  void grow(int n) {
    while (topic_of().partitions() < n) topic_of().add_partition();
    cluster().group.rebalance();
  }
  void recreate() {
    for (int p = 0; p < topic_of().partitions(); ++p) topic_of().recreate(p);
  }
  void compact(std::int32_t p) {
    topic_of().append(p, 8, 'k');
    topic_of().compact(p);
  }

 private:
  client& make(bool by_hand) { return clients_.emplace_back(cluster(), by_hand, static_cast<int>(clients_.size())); }
};

}  // namespace two_kafkas
