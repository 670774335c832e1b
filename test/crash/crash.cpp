// crash [--kills N] DELIVERY STORE [ADDRESS]: a consumer is killed at each crash point that it comes to, the first time and at
// another, and its successor at another point or at any moment, by its parent; the one after that goes on to the end. An
// independent checker looks at what they did. --kills: at each time that it comes to a point, up to the twentieth, with two
// successors; and then anywhere, until N were killed, half of them at any moment. Exit status 0 if every promise was kept.
#include <sluice/testing/embedded_broker.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <sstream>

#include "detail/temporary_folder.hpp"
#include "history/history.hpp"
#include "seed.hpp"
#include "servers/kafka_topics.hpp"
#include "servers/process.hpp"

namespace {

constexpr int in_each = 100;

using clock = std::chrono::steady_clock;

/// A moment at which a parent kills: behind the start or the first claim, as a part of the time that one needs from the start
/// to the first claim, or from there to the end, where it is alone and does all of the work.
struct moment {
  bool claimed = false;
  double part = 0;
};

/// Where one dies: when it comes to a point for the nth time, or at a moment.
struct place {
  std::string point{"-"};
  int time = 0;
  std::optional<moment> at{};
};
std::ostream& operator<<(std::ostream& out, place const& p) {
  if (!p.at) return out << '[' << p.point << ", time " << p.time << ']';
  return out << '[' << p.at->part << " of the time " << (p.at->claimed ? "behind" : "to") << " the first claim]";
}

std::uintmax_t size_of(std::filesystem::path const& file) {
  std::error_code none;
  auto const size = std::filesystem::file_size(file, none);
  return none ? 0 : size;
}
/// What was being written when its process was killed.
void remove_cut_line(std::filesystem::path const& file) {
  if (size_of(file) > 0) std::filesystem::resize_file(file, content_of(file).rfind('\n') + 1);
}

class courses {
  temporary_folder folder_{};
  sluice::testing::embedded_broker broker_{};
  std::string delivery_, store_, address_;
  std::mutex groups_{}, told_{};
  int number_ = 0;
  clock::duration to_claim_{}, to_end_{};

  /// Transactions need a real Kafka, the one at the address; its records are read there, too.
  bool has_real_kafka() const { return store_ == "kafka" && !address_.empty(); }
  std::string brokers() const { return has_real_kafka() ? address_ : broker_.bootstrap(); }
  std::string member() const { return address_.empty() ? LOCAL_MEMBER : SERVER_MEMBER; }
  bool has_results() const { return delivery_ == "transactional" || delivery_ == "idempotent"; }

  void produce(std::int32_t partition, std::vector<std::string> const& values) {
    if (has_real_kafka()) {
      std::vector<servers::topic_record> all;
      for (auto const& v : values) all.push_back({"", v});
      servers::kafka_topics{address_}.produce("in", partition, all);
    } else {
      std::vector<sluice::testing::produced> all;
      for (auto const& v : values) all.push_back({.value = v});
      broker_.produce_all("in", partition, all);
    }
  }
  int results(char const* what, std::string const& group, std::string const& folder, std::string const& log) const {
    return run({member(), what, delivery_, store_, address_, group, folder}, log);
  }

  /// Its wait status.
  static int run(std::vector<std::string> command, std::string const& log) {
    servers::process p{std::move(command), log};
    int status = -1;
    ::waitpid(p.pid(), &status, 0);
    return status;
  }

  /// Its wait status. The first one of all is the measure of moments.
  int run_member(std::vector<std::string> command, std::string const& folder, std::optional<moment> const& at) {
    auto const history = folder + "/members.jsonl";
    auto const before = size_of(history);
    auto const start = clock::now();
    std::optional<clock::time_point> claim;
    servers::process p{std::move(command), folder + "/log"};
    int status = -1;
    while (::waitpid(p.pid(), &status, WNOHANG) == 0) {
      auto const now = clock::now();
      if (!claim && size_of(history) > before) claim = now;
      if (at && !at->claimed && now - start >= at->part * to_claim_) p.signal(SIGKILL);
      if (at && at->claimed && claim && now - *claim >= at->part * to_end_) p.signal(SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    if (at) remove_cut_line(history);
    if (claim && to_end_ == clock::duration{}) {
      to_claim_ = *claim - start;
      to_end_ = clock::now() - *claim;
    }
    return status;
  }

 public:
  std::atomic<int> at_points{0}, at_moments{0}, violations{0}, not_reached{0};

  courses(std::string delivery, std::string store, std::string address)
      : delivery_(std::move(delivery)), store_(std::move(store)), address_(std::move(address)) {
    using namespace std::chrono_literals;
    broker_.group_initial_delay(0ms);
    broker_.create_topic("in", 2);
    if (has_real_kafka()) servers::kafka_topics{address_}.create("in", 2);
    history::file const sent{(folder_.path / "sent.jsonl").string(), "producer"};
    for (std::int32_t p = 0; p < 2; ++p) {
      std::vector<std::string> all;
      for (int i = 0; i < in_each; ++i) {
        all.push_back("v" + std::to_string(p) + "." + std::to_string(i));
        sent.line("sent", p, i, all.back());
      }
      produce(p, all);
    }
  }

  /// One after the other they die where they are told; then one goes on to the end. Answers how often that came to each
  /// point.
  std::map<std::string, int> course(std::vector<place> const& deaths) {
    std::string group, folder;
    {
      std::lock_guard const lock{groups_};
      group = "g" + std::to_string(::getpid()) + "_" + std::to_string(++number_);
      folder = (folder_.path / group).string();
    }
    std::filesystem::create_directories(folder + "/offsets");
    auto const log = folder + "/log";
    std::string wrong;
    if (has_results() && results("make_results", group, folder, log) != 0) wrong = "there is no place for results";
    int starts = 0;
    auto const start = [&](place const& p) {
      return run_member(
          {member(), delivery_, store_, address_, brokers(), group, folder, "member " + std::to_string(++starts),
           std::to_string(in_each), p.point, std::to_string(p.time)},
          folder, p.at);
    };
    bool ended = false;
    for (std::size_t i = 0; i < deaths.size() && !ended; ++i) {
      auto const status = start(deaths[i]);
      bool const killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
      ended = std::filesystem::exists(folder + "/points");
      if (killed && !ended) {
        ++(deaths[i].at ? at_moments : at_points);
      } else if (ended && (killed || status == 0)) {
        if (i == 0) ++not_reached;
        if (i == 0 && deaths[0].time == 1) wrong = "it never came to the point";
      } else {
        wrong = "a member failed";
      }
    }
    if (auto const status = start({}); wrong.empty() && status != 0) wrong = "the last member failed";
    std::vector<std::string> check{"python3",
                                   CHECK_HISTORY,
                                   "--delivery",
                                   delivery_ == "idempotent" ? "transactional" : delivery_,
                                   "--batch",
                                   "10",
                                   (folder_.path / "sent.jsonl").string(),
                                   folder + "/members.jsonl"};
    if (has_results()) {
      if (results("results", group, folder, log) != 0 && wrong.empty()) wrong = "the results can't be read";
      check.push_back(folder + "/results.jsonl");
    }
    if (run(check, folder + "/verdict") != 0 && wrong.empty()) wrong = "a promise was broken";
    if (!wrong.empty()) {
      ++violations;
      std::lock_guard const lock{told_};
      std::cout << wrong << ", killed at";
      for (auto const& d : deaths) std::cout << ' ' << d;
      std::cout << '\n' << content_of(log) << content_of(folder + "/verdict") << std::flush;
    }
    std::map<std::string, int> points;
    std::ifstream lines{folder + "/points"};
    int count = 0;
    for (std::string name; lines >> count && std::getline(lines >> std::ws, name);) points[name] = count;
    std::filesystem::remove_all(folder);
    return points;
  }
};

/// What a consumer must have come to, or a point was lost.
std::set<std::string> needed(std::string const& delivery, std::string const& store) {
  std::set<std::string> all{"in the handler", "handled", "claim noted", "release", "released", "close", "closed"};
  if (delivery != "idempotent") all.insert({"rewind", "rewound"});
  if (delivery == "transactional")
    all.insert({"begun", "commit", "committed"});
  else
    all.insert({"advance", "advanced"});
  if (store == "sqlite") all.insert({"claimed", "sqlite commit", "sqlite committed"});
  if (store == "file" || store == "checkpoint")
    all.insert(
        {"claimed", "file made", "file written", "file synced", "file named", "folder synced", "old files removed"});
  if ((store == "file" || store == "checkpoint") && delivery == "transactional")
    all.insert({"text written", "text synced"});
  if (delivery == "idempotent") all.insert({"range written", "range named"});
  if (store == "kafka" || store == "periodic") all.insert({"commit to the group", "committed to the group"});
  if (store == "kafka" && delivery == "transactional")
    all.insert({"Kafka transaction begun", "results sent", "offsets sent", "Kafka transaction committed"});
  if (store == "s3" || store == "webhdfs" || store == "hbase") all.insert({"publish a state", "state published"});
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  int wanted = 0;
  if (words.size() > 2 && words[0] == "--kills") {
    wanted = std::stoi(words[1]);
    words.erase(words.begin(), words.begin() + 2);
  }
  if (words.size() != 2 && words.size() != 3) {
    std::cerr << "crash [--kills N] DELIVERY STORE [ADDRESS]\n";
    return 2;
  }
  words.resize(3);
  std::mt19937 random{seed()};
  courses c{words[0], words[1], words[2]};

  auto const points = c.course({});
  for (auto const& name : needed(words[0], words[1]))
    if (!points.contains(name)) {
      std::cout << "no consumer came to the point [" << name << "]\n";
      ++c.violations;
    }
  std::vector<std::vector<place>> plan;
  std::vector<std::string> names;
  for (auto const& [name, count] : points) names.push_back(name);
  auto const below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  auto const part = [&] { return 2.0 * static_cast<double>(random()) / static_cast<double>(random.max()); };
  /// Every other one at a moment. Its work may take twice as long as it took alone: four work side by side.
  auto const anywhere = [&](bool first) {
    if (random() % 2) return place{.at = moment{.claimed = random() % 5 > 0, .part = part()}};
    auto const& name = names[random() % names.size()];
    return place{name, first ? 1 + below(points.at(name)) : 1};
  };
  auto const another = [&] { return anywhere(false); };
  for (auto const& [name, count] : points) {
    std::cout << "  " << name << ": " << count << '\n';
    if (wanted > 0)
      for (int i = 1; i <= std::min(count, 20); ++i) plan.push_back({{name, i}, another(), another()});
    else {
      plan.push_back({{name, 1}, another()});
      if (count > 1) plan.push_back({{name, 2 + below(count - 1)}});
    }
  }
  std::mutex lock;
  std::size_t next = 0;
  auto const deaths = [&]() -> std::vector<place> {
    std::lock_guard const alone{lock};
    if (next < plan.size()) return plan[next++];
    bool const enough = c.at_points + c.at_moments >= wanted && c.at_moments >= wanted / 2;
    if (enough || c.violations > 0) return {};
    return {anywhere(true), another(), another()};
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 4 && !names.empty(); ++i)
    workers.emplace_back([&] {
      for (std::vector<place> all; !(all = deaths()).empty();) c.course(all);
    });
  for (auto& w : workers) w.join();
  std::cout << words[0] << ", " << words[1] << ": " << c.at_points + c.at_moments << " kills: " << c.at_points << " at "
            << points.size() << " points, " << c.at_moments << " at any moment; " << c.not_reached
            << " came to the end before, " << c.violations << " violations\n";
  return c.violations == 0 && !points.empty() ? 0 : 1;
}
