// A new release takes the place of an old one without a gap, in one of two ways: the old one ends, and the new one goes on
// where it was; or both are in one group for a while, and then the old one ends. With --kill it is killed.
//
// test: stop
// test: side-by-side
// test: side-by-side --kill
//
// With transactional no record has two effects, and the counts are those of a plain loop, though the new release keeps more of
// each client than the old one did. With at_least_once no record is lost; those that were handled twice are printed.
#include "demo.hpp"

#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <map>
#include <thread>

namespace sl = sluice;
using namespace std::chrono_literals;

// ---- the program that is upgraded

/// What the old release keeps of each client.
struct visits {
  std::int64_t count = 0;
};
template <>
struct sluice::codec<visits> : sluice::members_of<&visits::count> {};

/// What the new one keeps. It reads what the old one wrote; the old one can't read what it writes. So partitions may move from
/// old to new only: once the new release runs, don't start the old one again.
struct visits_and_bytes {
  std::int64_t count = 0, bytes = 0;
};
template <>
struct sluice::codec<visits_and_bytes> : sluice::members_of<&visits_and_bytes::count, &visits_and_bytes::bytes> {
  static constexpr std::uint32_t version = 2;
  static visits_and_bytes decode(sluice::decoder& from, std::uint32_t written) {
    return written == 1 ? sluice::members_of<&visits_and_bytes::count>::read(from) : read(from);
  }
};

namespace {

struct member_options {
  int release = 0;
  std::string delivery{};
  std::string brokers{};

  sl::kafka source() const {
    return {.brokers = brokers,
            .group = delivery,
            .topics = {"requests"},
            .properties = {{"session.timeout.ms", "3000"}, {"heartbeat.interval.ms", "300"}}};
  }
  std::string file() const { return delivery + ".db"; }
  /// So slow that there is something to take over.
  static sl::max_rate_per_partition rate() { return {.records_per_second = 1'500}; }
};

/// SIGTERM, or nobody who would send it.
struct until_ended {
  sl::stop_on_signal signal{};
  pid_t parent = ::getppid();
  bool stop_requested() const { return signal.stop_requested() || ::getppid() != parent; }
};

template <class Visits>
void in_transactions(member_options const& o) {
  using consumer_t = sl::stream_consumer<sl::transactional, sl::sqlite_offsets, sl::kafka, sl::max_rate_per_partition>;
  consumer_t consumer{o.source(), sl::sqlite_offsets{o.file()}, member_options::rate()};
  sl::keyed_state<std::string, Visits> per_client{.name = "visits"};
  auto count = sl::update_state_by_key(
      per_client, [](sl::record r) { return r.key_text(); },
      [](std::string const& client, auto records, std::optional<Visits>& v, consumer_t::transaction& tx) {
        if (!v) v.emplace();
        v->count += std::ssize(records);
        std::int64_t bytes = 0;
        if constexpr (requires { v->bytes; }) {
          for (sl::record const& r : records) v->bytes += std::ssize(r.text());
          bytes = v->bytes;
        }
        tx.execute(
            "insert into clients values (?, ?, ?) on conflict do update set n = excluded.n, bytes = excluded.bytes",
            client, v->count, bytes);
      });
  consumer.run(until_ended{}, [&](sl::batch const& batch, consumer_t::transaction& tx) {
    tx.execute("create table if not exists clients (client text primary key, n integer, bytes integer)");
    tx.execute("create table if not exists handled (partition integer, offset integer, release integer, size integer)");
    auto row = tx.prepare("insert into handled values (?, ?, ?, ?)");
    for (sl::record r : batch) row.execute(r.partition(), r.offset().value(), o.release, std::ssize(r.text()));
    count(batch, tx);
  });
}

/// Its effects are lines in a file, which no transaction takes back.
void at_least_once(member_options const& o) {
  int const file = ::open("effects", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  sl::stream_consumer consumer{sl::at_least_once{}, o.source(), sl::sqlite_offsets{o.file()}, member_options::rate()};
  consumer.run(until_ended{}, [&](sl::batch const& batch) {
    for (sl::record r : batch) {
      auto const line = fmt::format("{} {} {}\n", r.partition(), r.offset().value(), o.release);
      if (::write(file, line.data(), line.size()) < 0) throw std::runtime_error("effects can't be written");
    }
  });
  ::close(file);
}

void be_member(member_options const& o) {
  if (o.delivery == "at_least_once") return at_least_once(o);
  o.release == 1 ? in_transactions<visits>(o) : in_transactions<visits_and_bytes>(o);
}

// ---- who upgrades it

class process {
  pid_t pid_ = -1;

 public:
  explicit process(member_options const& o) {
    std::vector<std::string> words{"upgrade",   "--release", std::to_string(o.release), "--delivery", o.delivery,
                                   "--brokers", o.brokers};
    std::vector<char*> arguments;
    for (auto& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    if (::posix_spawn(&pid_, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ))
      throw std::runtime_error("a member can't be started");
  }
  process(process const&) = delete;
  process& operator=(process const&) = delete;
  ~process() { end(SIGKILL); }

  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }
};

/// Which releases handled each record: one release twice where it did so twice.
using effects = std::map<std::pair<int, std::int64_t>, std::vector<int>>;

/// All that a query gives; nothing while its table isn't there.
std::vector<std::vector<std::string>> rows(std::string const& file, char const* query) {
  sqlite3* opened = nullptr;
  auto const there = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK;
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> const db{opened, sqlite3_close};
  std::vector<std::vector<std::string>> all;
  sqlite3_busy_timeout(opened, 5'000);
  auto const one = [](void* to, int n, char** row, char**) {
    auto& columns = static_cast<decltype(all)*>(to)->emplace_back();
    for (int i = 0; i < n; ++i) columns.emplace_back(row[i] ? row[i] : "");
    return 0;
  };
  if (there) sqlite3_exec(opened, query, one, &all, nullptr);
  return all;
}

effects effects_of(std::string const& delivery) {
  effects all;
  if (delivery == "transactional") {
    for (auto const& row : rows("transactional.db", "select partition, offset, release from handled"))
      all[{std::stoi(row[0]), std::stoll(row[1])}].push_back(std::stoi(row[2]));
    return all;
  }
  std::ifstream lines{"effects"};
  std::int64_t offset = 0;
  for (int partition = 0, release = 0; lines >> partition >> offset >> release;)
    all[{partition, offset}].push_back(release);
  return all;
}
std::size_t handled_by(effects const& all, int release) {
  std::size_t n = 0;
  for (auto const& [place, releases] : all) n += std::find(releases.begin(), releases.end(), release) != releases.end();
  return n;
}

struct plan {
  bool side_by_side = false;
  int signal = SIGTERM;
  std::size_t records = 0;
  std::string brokers{};
  std::map<std::string, std::int64_t> counts{};
};

/// What happened, for the reader; throws where it is not what was promised.
std::string upgrade(plan const& p, std::string const& delivery) {
  auto const give_up = std::chrono::steady_clock::now() + 90s;
  auto const until = [&](auto reached) {
    while (!reached(effects_of(delivery))) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error(delivery + ": it does not go on");
      std::this_thread::sleep_for(50ms);
    }
  };
  process old_release{{1, delivery, p.brokers}};
  until([&](effects const& all) { return all.size() > p.records / 10; });
  if (!p.side_by_side) old_release.end(p.signal);
  process new_release{{2, delivery, p.brokers}};
  until([&](effects const& all) { return handled_by(all, 2) > p.records / 20; });
  old_release.end(p.signal);
  until([&](effects const& all) { return all.size() == p.records; });
  new_release.end(SIGTERM);

  auto const all = effects_of(delivery);
  std::size_t twice = 0, by_both = 0;
  std::string places;
  for (auto const& [place, releases] : all) {
    if (releases.size() == 1) continue;
    ++twice;
    by_both += releases.front() != releases.back();
    if (twice <= 5) places += fmt::format(" {}/{}", place.first, place.second);
  }
  auto said =
      fmt::format("{}: the old release handled {}, the new one {} of {} records; {} twice, {} of them by both{}{}\n",
                  delivery, handled_by(all, 1), handled_by(all, 2), p.records, twice, by_both, twice ? ":" : "",
                  places + (twice > 5 ? " …" : ""));
  if (delivery == "at_least_once") return said;
  if (twice > 0) throw std::runtime_error(said + "a record has two effects");
  std::map<std::string, std::int64_t> counts;
  for (auto const& row : rows("transactional.db", "select client, n from clients")) counts[row[0]] = std::stoll(row[1]);
  if (counts != p.counts) throw std::runtime_error(said + "the counts are not what a plain loop says");
  auto const bytes = rows("transactional.db",
                          "select (select sum(bytes) from clients), (select sum(size) from handled where release = 2)");
  if (bytes.at(0).at(0) != bytes.at(0).at(1)) throw std::runtime_error(said + "the bytes are wrong");
  return said + fmt::format("{}: each of {} counts is what a plain loop says\n", delivery, counts.size());
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app{"Upgrades a consumer from one release to the next while it works."};
  std::string way = "stop";
  bool kill = false;
  member_options member;
  app.add_option("way", way)->check(CLI::IsMember({"stop", "side-by-side"}));
  app.add_flag("--kill", kill, "the old release is killed with SIGKILL instead of asked to end");
  for (auto* const hidden : {app.add_option("--release", member.release), app.add_option("--delivery", member.delivery),
                             app.add_option("--brokers", member.brokers)})
    hidden->group("");
  CLI11_PARSE(app, argc, argv);
  if (member.release > 0) {
    be_member(member);
    return 0;
  }

  auto const lines = demo::access_log();
  demo::topic const requests{1, argv, "requests", lines};
  plan p{.side_by_side = way == "side-by-side",
         .signal = kill ? SIGKILL : SIGTERM,
         .records = lines.size(),
         .brokers = requests.brokers()};
  for (auto const& l : lines) ++p.counts[l.key];
  std::string said[2], failed[2];
  {
    std::vector<std::jthread> both;
    for (int i = 0; i < 2; ++i)
      both.emplace_back([&, i] {
        try {
          said[i] = upgrade(p, i == 0 ? "transactional" : "at_least_once");
        } catch (std::exception const& e) { failed[i] = e.what(); }
      });
  }
  std::cout << said[0] << said[1];
  std::cerr << failed[0] << failed[1];
  return failed[0].empty() && failed[1].empty() ? 0 : 1;
} catch (std::exception const& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
