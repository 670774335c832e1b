#include "trial.hpp"

#include "database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <stdexcept>
#include <thread>

namespace crash_course {

using namespace std::chrono_literals;

namespace {

struct pipe_ends {
  int read = -1;
  int write = -1;
  pipe_ends() {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    read = fds[0];
    write = fds[1];
  }
};

std::vector<std::string> command_line(setup const& s) {
  std::vector<std::string> words{"crash_course", "--child", s.course, s.folder, s.brokers,
                                 s.topic,        s.group,   s.store,  s.address};
  for (auto n : {s.child, s.session_ms, s.parent}) words.push_back(std::to_string(n));
  for (auto n : s.sizes) words.push_back(std::to_string(n));
  return words;
}

pid_t spawn(setup const& s, int orders, int marks) {
  auto words = command_line(s);
  std::vector<char*> argv;
  for (auto& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  auto const output = fmt::format("{}/child-{}.log", s.folder, child_names[static_cast<std::size_t>(s.child)]);

  posix_spawn_file_actions_t files{};
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, orders, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, marks, 3);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t how{};
  posix_spawnattr_init(&how);
  sigset_t none{};
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);

  pid_t pid = -1;
  auto const rc = ::posix_spawn(&pid, "/proc/self/exe", &files, &how, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&how);
  if (rc != 0) throw std::runtime_error("can't start a child");
  return pid;
}

}  // namespace

trial::trial(course const& c, setup s, int kills, unsigned seed, std::stop_token stop, progress& p)
    : course_(c), setup_(std::move(s)), wanted_(kills), random_(seed), stop_(std::move(stop)), progress_(p) {
  stored_.resize(partitions);
  for (std::size_t i = 0; i < children_.size(); ++i) children_[i].number = static_cast<std::int32_t>(i);
}

trial::~trial() {
  for (auto& c : children_) end(c);
}

seen trial::run() noexcept {
  try {
    run_to_the_end();
    progress_.doing = "through";
  } catch (std::exception const& e) {
    seen_.failure = e.what();
    progress_.doing = "failed";
  }
  return seen_;
}

void trial::run_to_the_end() {
  end_ = clock::now() + 90s + wanted_ * 15s;
  database{setup_.results()};  // SQLite lets nobody wait while two make a new file's write-ahead log
  for (auto& c : children_) start(c);
  while (!enough()) round();

  progress_.doing = "reading to the end";
  wait(20s, [&] { return both_read(); });
  raise(1);
  if (!wait(90s, [&] { return all_stored() == all(); })) throw std::runtime_error("the stream was not read to its end");
  for (auto const& c : children_) tell(c, {order::finish});
  if (!wait(20s, [&] { return children_[0].done && children_[1].done; }))
    throw std::runtime_error("a child did not finish");
  for (auto const& c : children_) seen_.rebalances = std::max(seen_.rebalances, c.assignments);
}

/// The same number at each place, at least; where that is not many.
int trial::quota() const { return std::min(3, wanted_ / static_cast<int>(killing_places)); }

bool trial::enough() const {
  if (seen_.all_kills() >= 2 * wanted_ + 10) return true;
  return seen_.all_kills() >= wanted_ && *std::ranges::min_element(seen_.kills) >= quota();
}

place trial::next_place() {
  std::vector<place> open;
  for (std::size_t i = 0; i < killing_places; ++i)
    if (seen_.kills[i] < quota()) open.push_back(static_cast<place>(i));
  if (open.empty()) return static_cast<place>(pick(0, killing_places - 1));
  return open[static_cast<std::size_t>(pick(0, static_cast<int>(open.size()) - 1))];
}

void trial::round() {
  progress_.doing = "waiting for the group";
  if (!wait(40s, [&] { return both_read(); })) throw std::runtime_error("the group did not come together");
  progress_.doing = "killing";

  struct victim {
    child* who;
    place where;
  };
  auto const left = std::max(1, wanted_ - seen_.all_kills());
  std::vector<victim> victims;
  auto& first = children_[static_cast<std::size_t>(pick(0, 1))];
  auto& other = children_[static_cast<std::size_t>(1 - first.number)];
  bool const meets_a_batch = rounds_++ % 3 == 0;
  victims.push_back({&first, next_place()});
  if (!meets_a_batch && left > 1 && pick(0, 2) == 0) victims.push_back({&other, next_place()});

  // How much there is to read until the share is raised again, and where in it the end comes.
  auto const by = (1 - share_) / (left + 2);
  for (auto const& v : victims) {
    double records = 0;
    for (auto p : v.who->owns) records += by * static_cast<double>(setup_.sizes[static_cast<std::size_t>(p)]);
    auto const steps = v.where == place::handler ? records : records / batch_size;
    tell(*v.who, {order::hold, v.where, pick(0, static_cast<int>(steps * .6))});
  }
  if (meets_a_batch) tell(other, {order::hold, place::hand, pick(0, 2)});
  raise(by);

  for (int again = 0; !victims.empty(); ++again) {
    if (again == 10) throw std::runtime_error("a child did not come to where it was to be killed");
    if (again > 0) {  // its partitions were empty, or the group changed under it
      for (auto const& v : victims) tell(*v.who, {order::hold, v.where, 0});
      raise((1 - share_) / (left + 3));
    }
    wait(5s, [&] {
      std::erase_if(victims, [&](victim const& v) {
        if (!v.who->held) return false;
        kill(*v.who, v.where);
        start(*v.who);
        return true;
      });
      return victims.empty();
    });
  }
  if (!meets_a_batch) return;
  wait(5s, [&] { return first.ready; });
  wait(700ms, [] { return false; });  // until it has asked to join, and the other one's heartbeat has been told
  if (other.held) other.watched = child::holding;
  other.held = false;
  tell(other, {order::go});
}

void trial::kill(child& c, place where) {
  if (where == place::store) {
    tell(c, {order::go});
    auto const delay = pick(0, longest_delay_us_);
    std::this_thread::sleep_for(std::chrono::microseconds{delay});
  }
  end(c);
  auto const at = killed_at(c.last);
  if (where == place::store && at != where) longest_delay_us_ = longest_delay_us_ / 2;  // the store is faster than that
  ++seen_.kills[static_cast<std::size_t>(at)];
  if (at != place::batches) seen_.in_flight.insert(seen_.in_flight.end(), c.in_hand.begin(), c.in_hand.end());
  progress_.kills = seen_.all_kills();
}

/// Where it was, by the last thing that it said before it died.
place trial::killed_at(said last) const {
  if (last == said::handling) return place::handler;
  if (last == said::advancing) return place::store;
  if (last == (course_.stores_first ? said::advanced : said::handled)) return place::between;
  return place::batches;
}

void trial::start(child& c) {
  pipe_ends const orders;
  pipe_ends const marks;
  auto s = setup_;
  s.child = c.number;
  s.parent = ::getpid();
  auto const assignments = c.assignments;
  c = child{};
  c.number = s.child;
  c.assignments = assignments;
  c.marks = marks.read;
  c.orders = orders.write;
  c.pid = spawn(s, orders.read, marks.write);
  ::close(orders.read);
  ::close(marks.write);
  tell(c, {order::level, {}, 0, share_});
}

/// Kills it where it still runs, and hears what it said until then.
void trial::end(child& c) {
  if (c.pid < 0) return;
  ::kill(c.pid, SIGKILL);
  while (::waitpid(c.pid, nullptr, 0) < 0 && errno == EINTR) {}
  c.pid = -1;
  mark m{};
  while (::read(c.marks, &m, sizeof m) == sizeof m) hear(c, m);
  ::close(c.marks);
  ::close(c.orders);
}

void trial::hear(std::chrono::milliseconds timeout) {
  std::array<pollfd, 2> fds{{{children_[0].marks, POLLIN, 0}, {children_[1].marks, POLLIN, 0}}};
  for (std::size_t i = 0; i < fds.size(); ++i)
    if (children_[i].done) fds[i].fd = -1;
  if (::poll(fds.data(), fds.size(), static_cast<int>(timeout.count())) <= 0) return;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    if (fds[i].revents == 0) continue;
    mark m{};
    auto& c = children_[i];
    if (::read(c.marks, &m, sizeof m) != sizeof m)
      throw std::runtime_error(
          fmt::format("child {} ended by itself; see child-{}.log", child_names[i], child_names[i]));
    hear(c, m);
  }
}

void trial::hear(child& c, mark const& m) {
  auto const ranges = std::span{m.ranges}.first(m.count);
  auto const take_in_hand = [&] {
    if (c.watched == child::behind_it) c.watched = child::not_now;
    c.in_hand.assign(ranges.begin(), ranges.end());
  };
  switch (m.what) {
    case said::ready:
      c.ready = true;
      return;
    case said::held:
      c.held = true;
      return;
    case said::done:
      c.done = true;
      return;
    case said::claimed:
      stored_[static_cast<std::size_t>(ranges[0].partition)] = ranges[0].from;
      break;
    case said::assigned:
      for (auto const& r : ranges) c.owns.insert(r.partition);
      ++c.assignments;
      return;
    case said::revoked:
      c.owns.clear();
      if (c.watched != child::not_now) ++seen_.rebalances_in_hand;
      c.watched = child::not_now;
      return;
    case said::handling:
      if (!course_.stores_first) take_in_hand();
      break;
    case said::advancing:
      if (course_.stores_first) take_in_hand();
      break;
    case said::advanced:
      for (auto const& r : ranges) stored_[static_cast<std::size_t>(r.partition)] = r.until;
      break;
    case said::handled:
      break;
    case said::idle:
      if (c.watched == child::holding) c.watched = child::behind_it;
      break;
  }
  if (m.what != said::claimed) c.last = m.what;
  progress_.stored = all_stored();
}

bool trial::wait(std::chrono::milliseconds limit, std::function<bool()> const& until) {
  for (auto const by = clock::now() + limit; !until(); hear(20ms)) {
    if (stop_.stop_requested()) throw std::runtime_error("stopped");
    if (clock::now() > end_) throw std::runtime_error("out of time");
    if (clock::now() > by) return false;
  }
  return true;
}

void trial::tell(child const& c, order const& o) const {
  if (::write(c.orders, &o, sizeof o) != sizeof o && errno != EPIPE) throw std::runtime_error("can't tell a child");
}

void trial::raise(double by) {
  share_ = std::min(1., share_ + by);
  for (auto const& c : children_) tell(c, {order::level, {}, 0, share_});
}

bool trial::both_read() const {
  auto const& [a, b] = children_;
  return !a.owns.empty() && !b.owns.empty() && a.owns.size() + b.owns.size() == partitions;
}

std::int64_t trial::all_stored() const { return std::accumulate(stored_.begin(), stored_.end(), std::int64_t{0}); }
std::int64_t trial::all() const { return std::accumulate(setup_.sizes.begin(), setup_.sizes.end(), std::int64_t{0}); }

}  // namespace crash_course
