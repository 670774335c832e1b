// A state of 10,000,000 keys under a cap of 64 MiB beside the same without a cap: records a second, and the memory each takes.
// Each key comes twice, in an order that jumps about; one record of ten is of a thousandth of the keys. Ends with 1 where a
// count is not what it must be, or the capped process took more than 64 MiB beside its cap.
//
//   bench.keys [checkpoint | sqlite [keys [MiB]]]
#include <sluice/state/checkpoint.hpp>
#include <sluice/state/sqlite.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace sl = sluice;
namespace fs = std::filesystem;
using seconds = std::chrono::duration<double>;
using counts = sl::keyed_state<std::string, std::int64_t>;

sl::topic_partition const of{"t", 0};
auto now() { return std::chrono::steady_clock::now(); }
auto soon() { return now() + std::chrono::seconds{60}; }

struct starts final : sl::start_resolver {
  sl::topic_start start_of(std::string const& topic, sl::time_point) override { return {topic, {sl::offset{0}}}; }
  sl::offset earliest(sl::topic_partition const&, sl::time_point) override { return sl::offset{0}; }
};

/// The keys that come, and how often each must have come at the end.
struct course {
  static constexpr std::uint64_t in_batch = 20'000;
  std::uint64_t keys;  // of which nine divide

  std::uint64_t hot() const { return keys / 1000; }
  /// Of every ten records nine go through all keys, and one through those that come often.
  std::uint64_t rounds() const { return 2 * keys / 9; }
  std::uint64_t records() const { return rounds() * 10; }
  std::uint64_t key(std::uint64_t record) const {
    auto const round = record / 10, place = record % 10;
    return place == 9 ? round % hot() : (round * 9 + place) * 7'368'787 % keys;  // a prime: it meets all of them
  }
  std::int64_t wanted(std::uint64_t key) const {
    auto const often = key >= hot() ? 0 : rounds() / hot() + (key < rounds() % hot() ? 1 : 0);
    return 2 + static_cast<std::int64_t>(often);
  }
};

std::string name_of(std::uint64_t key) { return "client-" + std::to_string(1'000'000'000 + key); }

/// Borrowed by one batch.
class made_batch {
  std::string names_{};
  std::vector<sl::detail::message> messages_{};
  std::vector<sl::detail::part> parts_{};

  static std::int64_t timestamp(void const*) { return -1; }
  static bool header(void const*, std::size_t, sl::header&) { return false; }
  static constexpr sl::detail::message_access access{&timestamp, &header};

 public:
  sl::batch of_records(course const& c, std::uint64_t first, std::uint64_t until) {
    names_.clear();
    messages_.clear();
    auto const size = name_of(0).size();
    for (auto r = first; r < until; ++r) names_ += name_of(c.key(r));
    for (auto r = first; r < until; ++r) {
      auto const* const name = names_.data() + (r - first) * size;
      messages_.push_back({name, nullptr, static_cast<std::uint32_t>(size), 0, static_cast<std::int64_t>(r), nullptr});
    }
    parts_ = {{messages_.data(),
               messages_.data() + messages_.size(),
               {of, sl::offset{static_cast<std::int64_t>(first)}, sl::offset{static_cast<std::int64_t>(until)}, 1},
               &access}};
    return sl::batch{parts_, {}, {}};
  }
};

/// What is in the store must be exact: asked for without keeping any of it.
template <class Store>
bool exact(Store& store, sl::claimed const& mine, course const& c) {
  std::uint64_t found = 0, wrong = 0;
  sl::move const m{mine.of, mine.next, mine.next.next(), mine.mine, mine.log};
  auto& tx = store.begin({&m, 1}, soon());
  sl::detail::state_store<typename Store::transaction>{tx, "counts"}.all(
      of, [&](std::string_view key, std::string_view value, std::int64_t) {
        if (key[0] != sl::detail::user_key) return;
        ++found;
        auto const name = sl::decoded<std::string>(key.substr(1));
        auto const number = static_cast<std::uint64_t>(std::stoll(name.substr(name.find('-') + 1))) - 1'000'000'000;
        wrong += sl::decoded<std::int64_t>(value) != c.wanted(number);
      });
  store.rollback(tx);
  if (found != c.keys || wrong > 0)
    std::printf("WRONG: %llu keys, %llu of them with a wrong count\n", static_cast<unsigned long long>(found),
                static_cast<unsigned long long>(wrong));
  return found == c.keys && wrong == 0;
}

/// Of this process so far.
struct usage {
  double peak_mib = 0, cpu = 0;
};
usage used() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  auto const in_seconds = [](timeval const& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return {static_cast<double>(u.ru_maxrss) / 1024, in_seconds(u.ru_utime) + in_seconds(u.ru_stime)};
}

template <class Policy>
int run(Policy const& policy, course const& c, std::size_t max_bytes, char const* title) {
  auto store = Policy::open(policy, sl::context{.group = "g"});
  starts s;
  auto mine = store.claim("g", {of}, s, soon()).at(0);
  counts state{.name = "counts", .max_bytes = max_bytes};
  made_batch made;
  auto const begun = now();
  for (std::uint64_t first = 0; first < c.records(); first += course::in_batch) {
    auto const until = std::min(c.records(), first + course::in_batch);
    auto const batch = made.of_records(c, first, until);
    sl::move const m{mine.of, mine.next, sl::offset{static_cast<std::int64_t>(until)}, mine.mine, mine.log};
    auto& tx = store.begin({&m, 1}, soon());
    state.update(
        batch, tx, [](sl::record r) { return r.key_text(); },
        [](auto records, std::optional<std::int64_t>& n) { n = n.value_or(0) + std::ssize(records); });
    store.advance(tx, {&m, 1}, soon());
    if (store.commit(tx, soon()) != sl::outcome::applied) std::abort();
    mine.next = m.until;
  }
  auto const took = seconds(now() - begun).count();
  auto const [peak, cpu] = used();
  bool const right = exact(store, mine, c);
  bool const small = max_bytes == ~std::size_t{0} || peak <= static_cast<double>(max_bytes >> 20) + 64;
  std::printf(
      "%-24s %8.0f records/s (%.0f s, %.1f us of CPU each); peak memory %5.0f MiB%s; each of %llu counts is %s\n",
      title, static_cast<double>(c.records()) / took, took, cpu * 1e6 / static_cast<double>(c.records()), peak,
      small ? "" : ": TOO MUCH", static_cast<unsigned long long>(c.keys), right ? "exact" : "WRONG");
  std::fflush(stdout);
  return right && small ? 0 : 1;
}

/// In a process of its own, so that its peak is its own; in a folder of its own.
int apart(std::function<int(std::string const&)> const& what) {
  auto const folder = fs::temp_directory_path() / ("keys." + std::to_string(::getpid()));
  fs::create_directory(folder);
  auto const pid = ::fork();
  if (pid == 0) ::_exit(what(folder.string()));
  int status = 0;
  ::waitpid(pid, &status, 0);
  fs::remove_all(folder);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string const store = argc > 1 ? argv[1] : "checkpoint";
  course const c{(argc > 2 ? static_cast<std::uint64_t>(std::atoll(argv[2])) + 8 : 10'000'008) / 9 * 9};
  std::size_t const mib = argc > 3 ? static_cast<std::size_t>(std::atoll(argv[3])) : 64;
  int failed = 0;
  for (auto const max_bytes : {mib << 20, ~std::size_t{0}})
    failed |= apart([&](std::string const& folder) {
      auto const title = store + (max_bytes == ~std::size_t{0} ? ", no cap" : ", " + std::to_string(mib) + " MiB");
      if (store == "sqlite") return run(sl::sqlite_offsets{.path = folder + "/counts.db"}, c, max_bytes, title.c_str());
      return run(sl::checkpoint{.directory = folder, .max_cache = 16 << 20}, c, max_bytes, title.c_str());
    });
  return failed;
}
