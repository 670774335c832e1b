// The main job: every delivery reads the same 10,000 records while its processes are killed, and keeps its promise.
//
// test: --kills 4 --seed 1
//
// A parent holds an embedded broker and loads it with an access log. For each delivery two children of one group keep a
// table of hits and bytes of each client in SQLite; the parent kills one or the other with SIGKILL at random moments and
// starts it again, until the stream is through. Two controls get the order wrong on purpose and go through the same
// course. Then the parent compares what is there with the input.
#include "child.hpp"
#include "illegal.hpp"
#include "store.hpp"
#include "stream.hpp"
#include "trial.hpp"
#include "verdict.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <random>
#include <thread>

using namespace crash_course;
using namespace std::chrono_literals;

namespace {

struct options {
  std::string input = SLUICE_SOURCE_DIR "/example/data/apache_access.log";
  std::string brokers{};
  std::string store{};
  std::string address{};
  std::vector<std::string> only{};
  int kills = 15;
  unsigned seed = std::random_device{}();
};

/// One course while it runs, and what came of it.
struct entry {
  course const& what;
  std::string title{};  ///< as the table shows it
  setup with{};
  progress now{};
  seen saw{};
  verdict found{};
  std::jthread thread{};
};

void print_progress(std::deque<entry> const& entries, std::int64_t records, int kills, bool again) {
  if (again) fmt::print("\033[{}A", entries.size());
  for (auto const& e : entries) {
    auto const filled = static_cast<std::size_t>(e.now.stored * 30 / std::max<std::int64_t>(1, records));
    fmt::print("{:<31} [{:<30}] {:>2}/{} kills, {:<22}\033[K\n", e.title,
               std::string(std::min<std::size_t>(filled, 30), '#'), e.now.kills.load(), kills, e.now.doing.load());
  }
  std::fflush(stdout);
}

void print_plainly(std::deque<entry> const& entries, std::int64_t records) {
  for (auto const& e : entries)
    fmt::print("{}: {} kills, {} of {} records, {}\n", e.what.name, e.now.kills.load(), e.now.stored.load(), records,
               e.now.doing.load());
  std::fflush(stdout);
}

bool as_it_must_be(entry const& e, int kills) {
  if (!e.saw.failure.empty() || !too_easy(e.saw, e.found, kills).empty()) return false;
  if (e.what.control == course::must_lose) return e.found.lost > 0;
  if (e.what.control == course::must_double) return e.found.doubled > 0;
  return e.found.kept;
}

std::string in_words(entry const& e, int kills) {
  if (!e.saw.failure.empty()) return "FAILED: " + e.saw.failure;
  if (auto const why = too_easy(e.saw, e.found, kills); !why.empty()) return "TOO EASY: " + why;
  bool const good = as_it_must_be(e, kills);
  if (e.what.control == course::must_lose) return good ? "loses, as it must" : "NOT SEEN: nothing lost";
  if (e.what.control == course::must_double) return good ? "doubles, as it must" : "NOT SEEN: nothing doubled";
  return good ? "as promised" : "BROKEN: " + e.found.why;
}

void print_table(std::deque<entry> const& entries, std::size_t records, int kills) {
  fmt::print("\n{:<31} {:>7} {:>5} {:>13} {:>9} {:>8} {:>7} {:>6} {:>7} {:>7}\n", "", "", "", "kills in", "re-",
             "children", "", "", "effects", "");
  fmt::print("{:<31} {:>7} {:>5} {:>13} {:>9} {:>8} {:>7} {:>6} {:>7}  {}\n", "delivery, store", "records", "kills",
             "h / b / s / n", "balances", "share %", "handled", "lost", "doubled", "is it what the type promises?");
  for (auto const& e : entries) {
    auto const& k = e.saw.kills;
    fmt::print("{:<31} {:>7} {:>5} {:>13} {:>9} {:>8} {:>7} {:>6} {:>7}  {}\n", e.title, records, e.saw.all_kills(),
               fmt::format("{} / {} / {} / {}", k[0], k[1], k[2], k[3]),
               fmt::format("{} ({})", e.saw.rebalances, e.saw.rebalances_in_hand),
               fmt::format("{:.0f} / {:.0f}", 100 * e.found.shares[0], 100 * e.found.shares[1]), e.found.handled,
               e.found.lost, e.found.doubled, in_words(e, kills));
  }
  fmt::print(
      "\nkills: in the (h)andler, (b)etween handling and storing, during the (s)tore, (n) between batches;\n"
      "rebalances: in brackets those that met a batch in hand. Counted from the input, from a log written inside the\n"
      "handlers, and from the final tables. \"lost\" also counts effects of records whose handler was cut off by a "
      "kill.\n");
}

int child(int argc, char** argv) {
  auto const number = [&](int i) { return std::stoi(argv[i]); };
  if (argc < 12 + partitions) return 2;
  setup s{.course = argv[2],
          .folder = argv[3],
          .brokers = argv[4],
          .topic = argv[5],
          .group = argv[6],
          .store = argv[7],
          .address = argv[8],
          .child = number(9),
          .session_ms = number(10),
          .parent = number(11)};
  for (int i = 12; i < argc; ++i) s.sizes.push_back(number(i));
  return child_main(s);
}

sigset_t asked_to_end() {
  sigset_t signals{};
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

/// False: the store doesn't promise it, or it is a control and these need no other store.
bool is_to_run(course const& c, options const& o) {
  if (!o.only.empty() && std::ranges::find(o.only, c.name) == o.only.end()) return false;
  return o.store.empty() || (c.control == course::none && store_of(o.store).promises(c.name));
}

void add(std::deque<entry>& entries, course const& c, options const& o, std::string const& folder, stream const& from) {
  auto& e = entries.emplace_back(c);
  auto const kept_in = o.store.empty() ? std::string(c.store) : o.store;
  e.title =
      c.control == course::none ? fmt::format("{}, {}_offsets", c.name, kept_in) : fmt::format("control: {}", c.store);
  e.with = {.course = std::string(c.name),
            .folder = fmt::format("{}/{}", folder, c.name),
            .brokers = from.brokers(),
            .topic = from.topic(),
            .group = fmt::format("{}-{}", from.topic(), c.name),
            .store = kept_in,
            .address = o.address,
            .session_ms = from.embedded() ? 2500 : 6000};  // what the broker allows
  for (auto const& lines : from.lines()) e.with.sizes.push_back(static_cast<std::int64_t>(lines.size()));
  std::filesystem::create_directory(e.with.folder);
}

/// All side by side. False: asked to end before they were through.
bool run(std::deque<entry>& entries, options const& o, std::size_t records, illegal_combination& illegal) {
  std::atomic<std::size_t> running = entries.size();
  for (auto& e : entries)
    e.thread = std::jthread{[&](std::stop_token stop) {
      auto const number = static_cast<unsigned>(&e.what - courses.data());
      e.saw = trial{e.what, e.with, o.kills, o.seed * 31 + number, stop, e.now}.run();
      --running;
    }};

  auto const signals = asked_to_end();
  bool const terminal = ::isatty(STDOUT_FILENO) == 1;
  bool stopped = false, drawn = false, shown = false;
  for (int tick = 0; running > 0; ++tick) {
    timespec const wait{0, 200'000'000};
    if (::sigtimedwait(&signals, nullptr, &wait) > 0) {
      stopped = true;
      for (auto& e : entries) e.thread.request_stop();
    }
    if (!shown && illegal.ready()) {
      fmt::print("\n{}", illegal.text());
      shown = true;
      drawn = false;
    }
    if (terminal)
      print_progress(entries, static_cast<std::int64_t>(records), o.kills, std::exchange(drawn, true));
    else if (tick % 50 == 49)
      print_plainly(entries, static_cast<std::int64_t>(records));
  }
  for (auto& e : entries) e.thread.join();
  if (!shown && !stopped) fmt::print("\n{}", illegal.text());
  return !stopped;
}

int parent(options const& o) {
  auto const signals = asked_to_end();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  stream const from{o.input, o.brokers};
  std::size_t records = 0;
  for (auto const& lines : from.lines()) records += lines.size();
  fmt::print("{} records in {} partitions, {} kills for each delivery, seed {}\n", records, partitions, o.kills,
             o.seed);
  std::fflush(stdout);

  auto folder = (std::filesystem::temp_directory_path() / "crash_course-XXXXXX").string();
  if (!::mkdtemp(folder.data())) throw std::runtime_error("can't make a folder in " + folder);
  illegal_combination illegal{folder};
  std::deque<entry> entries;
  for (auto const& c : courses)
    if (is_to_run(c, o)) add(entries, c, o, folder, from);

  auto const begin = std::chrono::steady_clock::now();
  if (!run(entries, o, records, illegal)) {
    std::filesystem::remove_all(folder);
    fmt::print("stopped\n");
    return 130;
  }
  auto const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  bool good = true;
  for (auto& e : entries) {
    e.found = judge(e.what, e.with, from.lines(), e.saw);
    good = good && as_it_must_be(e, o.kills);
  }
  print_table(entries, records, o.kills);
  if (!good) {
    fmt::print("\nNot everything is as it must be. {:.0f} s; logs and tables are in {}\n", seconds, folder);
    return 1;
  }
  std::filesystem::remove_all(folder);
  fmt::print("\n{}. {:.0f} s\n",
             o.only.empty() && o.store.empty()
                 ? "Every delivery kept its promise, and the controls show that a broken one is seen"
                 : "All as it must be",
             seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc > 1 && std::string_view{argv[1]} == "--child") return child(argc, argv);
    options o;
    CLI::App app{"Kills the processes of each delivery at random moments, and checks that it keeps its promise."};
    app.add_option("--input", o.input, "an access log, instead of the one that comes with the program")
        ->check(CLI::ExistingFile);
    app.add_option("--brokers", o.brokers,
                   "a real cluster, HOST:PORT,…, instead of the embedded broker; its topic is deleted again");
    app.add_option("--kills", o.kills, "how many for each delivery")->check(CLI::Range(1, 1000))->capture_default_str();
    app.add_option("--seed", o.seed, "decides who is killed when; printed");
    std::vector<std::string> names, kinds;
    for (auto const& c : courses) names.emplace_back(c.name);
    std::string addresses = "where that store's server is:";
    for (auto const& s : stores()) {
      kinds.emplace_back(s.name);
      if (!s.address.empty()) addresses += fmt::format(" {}: {}.", s.name, s.address);
    }
    app.add_option("--store", o.store, "every delivery that this store promises, instead of the mixture")
        ->check(CLI::IsMember(kinds));
    app.add_option("--at", o.address, addresses);
    app.add_option("--only", o.only, "only this delivery; may be given again")
        ->check(CLI::IsMember(names))
        ->expected(1)
        ->take_all();
    CLI11_PARSE(app, argc, argv);
    return parent(o);
  } catch (std::exception const& e) {
    fmt::print(stderr, "crash_course: {}\n", e.what());
    return 2;
  }
}
