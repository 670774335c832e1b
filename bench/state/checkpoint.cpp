// What a checkpoint of 1,000,000 keys costs: bytes written for each byte changed, restoring it, and the memory it takes.
// Ends with 1 where more than three times what was changed is written, merging included.
//
//   bench.checkpoint [keys [changed [batches]]]
#include <sluice/state/checkpoint.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <string>

namespace {

namespace sl = sluice;
namespace fs = std::filesystem;
using seconds = std::chrono::duration<double>;
using rows = sl::detail::state_store<sl::checkpoint_transaction>;

sl::topic_partition const of{"t", 0};
auto now() { return std::chrono::steady_clock::now(); }
auto soon() { return now() + std::chrono::seconds{10}; }

struct starts final : sl::start_resolver {
  sl::topic_start start_of(std::string const& topic, sl::time_point) override { return {topic, {sl::offset{0}}}; }
  sl::offset earliest(sl::topic_partition const&, sl::time_point) override { return sl::offset{0}; }
};

/// Of this process so far, by any file: /proc/self/io.
double written() {
  double n = 0;
  if (auto* f = std::fopen("/proc/self/io", "re")) {
    char line[200];
    while (std::fgets(line, sizeof line, f)) (void)std::sscanf(line, "wchar: %lf", &n);
    std::fclose(f);
  }
  return n;
}
double peak_mib() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_maxrss) / 1024;
}

class counting {
  sl::checkpoint::runtime store_;
  sl::claimed mine_{};

 public:
  double changed = 0;

  explicit counting(std::string const& folder) : store_(sl::checkpoint::open({.directory = folder}, {.group = "g"})) {
    starts s;
    mine_ = store_.claim("g", {of}, s, soon()).at(0);
  }
  static std::string key(std::uint64_t i) { return "k" + std::to_string(1'000'000'000'000 + i); }

  /// Reads the rows of these keys and writes them one higher.
  void batch(std::vector<std::uint64_t> const& numbers) {
    sl::move const m{mine_.of, mine_.next, mine_.next.next(), mine_.mine, mine_.log};
    auto& tx = store_.begin({&m, 1}, soon());
    rows in{tx, "counts"};
    std::vector<std::string> keys, values(numbers.size(), std::string(8, '\0'));
    for (auto const i : numbers) keys.push_back(key(i));
    std::vector<sl::detail::state_row> all;
    for (auto const& k : keys) all.push_back({.of = &of, .key = k});
    in.read(all, [&](std::size_t i, std::string_view value, std::int64_t) { values[i] = value; });
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto* const n = values[i].data();
      for (int b = 0; b < 8 && ++n[b] == 0; ++b) {}
      all[i].value = values[i];
      changed += static_cast<double>(all[i].key.size() + all[i].value.size());
    }
    in.write(all);
    store_.advance(tx, {&m, 1}, soon());
    if (store_.commit(tx, soon()) != sl::outcome::applied) std::abort();
    mine_.next = m.until;
  }
  /// Calls f() for each row.
  template <class F>
  void each(F f) {
    sl::move const m{mine_.of, mine_.next, mine_.next.next(), mine_.mine, mine_.log};
    auto& tx = store_.begin({&m, 1}, soon());
    rows{tx, "counts"}.all(of, [&](auto const&...) { f(); });
    store_.rollback(tx);
  }
};

/// In a process of its own, so that its peak is its own.
bool apart(std::function<bool()> const& what) {
  std::fflush(stdout);
  auto const pid = ::fork();
  if (pid == 0) {
    bool const good = what();
    std::fflush(stdout);
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool write(std::string const& folder, std::uint64_t keys, std::uint64_t at_once, std::uint64_t batches) {
  std::mt19937_64 random{1};
  counting c{folder};
  auto const begun = now();
  for (std::uint64_t first = 0; first < keys; first += at_once) {
    std::vector<std::uint64_t> numbers;
    for (auto i = first; i < std::min(keys, first + at_once); ++i) numbers.push_back(i * 7919 % keys);
    c.batch(numbers);
  }
  std::printf("%llu keys put in %.2f s\n", static_cast<unsigned long long>(keys), seconds(now() - begun).count());
  c.changed = 0;
  auto const before = written();
  auto const changing = now();
  double longest = 0;
  for (std::uint64_t b = 0; b < batches; ++b) {
    auto const one = now();
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t i = 0; i < at_once; ++i) numbers.push_back(random() % keys);
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    c.batch(numbers);
    longest = std::max(longest, seconds(now() - one).count());
  }
  auto const bytes = written() - before;
  std::printf(
      "%llu batches of %llu changes: %.2f s (longest %.3f s), %.1f MB changed, %.1f MB written: %.2f times; peak "
      "memory "
      "%.0f MiB\n",
      static_cast<unsigned long long>(batches), static_cast<unsigned long long>(at_once),
      seconds(now() - changing).count(), longest, c.changed / 1e6, bytes / 1e6, bytes / c.changed, peak_mib());
  return bytes <= 3 * c.changed;
}

bool restore(std::string const& folder, std::uint64_t keys) {
  double size = 0;
  int files = 0;
  for (auto const& f : fs::recursive_directory_iterator{folder})
    if (f.is_regular_file() && f.file_size() > 0) size += static_cast<double>(f.file_size()), ++files;
  auto const restoring = now();
  counting again{folder};
  auto const open = seconds(now() - restoring).count();
  again.batch({0, keys / 2, keys - 1});
  auto const first = seconds(now() - restoring).count();
  std::uint64_t found = 0;
  again.each([&] { ++found; });
  std::printf(
      "restored: %.1f MB in %d files, opened in %.4f s, first batch after %.4f s, all %llu keys read after %.2f s; "
      "peak "
      "memory %.0f MiB\n",
      size / 1e6, files, open, first, static_cast<unsigned long long>(found), seconds(now() - restoring).count(),
      peak_mib());
  return found == keys;
}

}  // namespace

int main(int argc, char** argv) {
  auto const argument = [&](int i, std::uint64_t otherwise) {
    return argc > i ? static_cast<std::uint64_t>(std::atoll(argv[i])) : otherwise;
  };
  auto const keys = argument(1, 1'000'000), at_once = argument(2, 10'000), batches = argument(3, 100);
  auto const folder = fs::temp_directory_path() / ("checkpoint." + std::to_string(::getpid()));
  fs::create_directory(folder);
  bool const good = apart([&] { return write(folder.string(), keys, at_once, batches); }) &&
                    apart([&] { return restore(folder.string(), keys); });
  fs::remove_all(folder);
  return good ? 0 : 1;
}
