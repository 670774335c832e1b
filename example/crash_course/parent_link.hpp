/// A child's end of the two pipes, and the policies that sit on it: an observer that tells what happens, a rate limit
/// that lets the stream through as far as the parent says.
#pragma once
#include "protocol.hpp"

#include <sluice/observer.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace crash_course {

inline constexpr int orders_fd = STDIN_FILENO;
inline constexpr int marks_fd = 3;

class parent_link {
  double share_ = 0;
  bool finish_ = false;
  bool go_ = false;
  std::optional<order> hold_{};

  void hear(int timeout_ms) {
    for (pollfd p{orders_fd, POLLIN, 0}; ::poll(&p, 1, timeout_ms) > 0; timeout_ms = 0) {
      order o{};
      if (::read(orders_fd, &o, sizeof o) != sizeof o) ::_exit(3);  // the parent is gone
      if (o.what == order::level) share_ = o.share;
      if (o.what == order::hold) hold_ = o;
      if (o.what == order::go) {
        go_ = true;
        hold_.reset();
      }
      if (o.what == order::finish) finish_ = true;
    }
  }

 public:
  void say(mark const& m) {
    if (::write(marks_fd, &m, sizeof m) != sizeof m) ::_exit(3);
  }
  void say(said what) { say(mark{what}); }
  double share() const { return share_; }
  bool finished() {
    hear(0);
    return finish_;
  }
  /// A place where this child may have to wait to be killed.
  void pass(place where) {
    hear(0);
    if (!hold_ || hold_->where != where || hold_->after-- > 0) return;
    hold_.reset();
    go_ = false;
    say(said::held);
    while (!go_) hear(-1);
  }
};

/// The observer of every child. Callbacks that a control turns off it tells by itself, when it really does these things.
struct marks {
  using slot = sl::observer_slot;
  parent_link* parent = nullptr;
  bool stores_first = false;
  bool tells_handler = true;
  bool tells_store = true;

  void on_claim(sl::claimed const& c) {
    if (c.what > sl::claimed::added) return;  // not ours yet
    mark m{said::claimed};
    m.add({c.of.partition, c.next.value(), c.next.value()});
    parent->say(m);
  }
  void on_rebalance(sl::rebalance_event const& e) {
    mark m{e.what == sl::rebalance_event::assigned ? said::assigned : said::revoked};
    for (auto const& of : e.partitions) m.add({of.partition});
    parent->say(m);
  }
  void on_handling(sl::batch const& b) {
    if (tells_handler) handling(b);
  }
  void on_handled(sl::batch const&) {
    if (tells_handler) handled();
  }
  void on_advancing(sl::advance_event const& e) {
    if (tells_store) advancing(e.moves);
  }
  void on_advanced(sl::advance_event const& e) {
    if (tells_store) advanced(e.moves, e.outcomes);
  }

  void handling(sl::batch const& b) {
    mark m{said::handling};
    for (auto const& r : b.ranges()) m.add({r.of.partition, r.from.value(), r.until.value()});
    parent->say(m);
  }
  void handled() {
    parent->say(said::handled);
    if (!stores_first) parent->pass(place::between);
  }
  void advancing(std::span<sl::move const> moves) {
    mark m{said::advancing};
    for (auto const& v : moves) m.add({v.of.partition, v.from.value(), v.until.value()});
    parent->say(m);
    parent->pass(place::store);
  }
  void advanced(std::span<sl::move const> moves, std::span<sl::outcome const> answers) {
    mark m{said::advanced};
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (answers[i] == sl::outcome::applied)
        m.add({moves[i].of.partition, moves[i].from.value(), moves[i].until.value()});
    parent->say(m);
    if (stores_first) parent->pass(place::between);
  }
};

/// Reads each partition up to the parent's share of it, so that the stream lasts until the last kill.
struct paced {
  using slot = sl::rate_limit_slot;
  parent_link* parent = nullptr;
  std::vector<std::int64_t> sizes{};

  using runtime = paced;
  static runtime open(paced const& self, sl::context const&) { return self; }

  void allow(sl::time_point, std::span<sl::load const> loads, std::span<std::size_t> quota) {
    for (std::size_t i = 0; i < loads.size(); ++i) {
      auto const size = sizes[static_cast<std::size_t>(loads[i].of->partition)];
      auto const held_back = static_cast<std::int64_t>(std::ceil((1 - parent->share()) * static_cast<double>(size)));
      auto const left = loads[i].lag.value_or(0) - held_back;
      quota[i] = parent->share() >= 1 ? sl::no_limit : left > 0 ? static_cast<std::size_t>(left) : 0;
    }
  }
  void taken(sl::time_point, std::span<sl::load const>, std::span<std::size_t const>) { parent->pass(place::hand); }
  void completed(sl::batch_figures const&) {}
};

}  // namespace crash_course
