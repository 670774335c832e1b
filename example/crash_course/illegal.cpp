#include "illegal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace crash_course {
namespace {

constexpr char const* program = R"(#include <sluice/offset_store/periodic_kafka.hpp>
#include <sluice/sluice.hpp>
namespace sl = sluice;
int main() {
  sl::stream_consumer<sl::transactional, sl::periodic_kafka_offsets> consumer{sl::kafka{.brokers = "localhost:9092"}};
}
)";
constexpr char const* sentence =
    "sluice: transactional needs a store that commits offsets with the results, and this one can't; use sqlite_offsets "
    "or "
    "file_offsets, or kafka_offsets for Kafka to Kafka";

}  // namespace

illegal_combination::illegal_combination(std::string folder) : folder_(std::move(folder)) {
  auto const include = std::filesystem::path{SLUICE_SOURCE_DIR} / "include";
  if (!std::filesystem::exists(include / "sluice/sluice.hpp")) return;
  auto const source = folder_ + "/illegal.cpp";
  auto const said = folder_ + "/illegal.txt";
  std::ofstream{source} << program;

  std::vector<std::string> words{
      "env", "LC_ALL=C", "nice", "c++", "-std=c++20", "-fsyntax-only", "-I" + include.string(), source};
  std::vector<char*> argv;
  for (auto& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files{};
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawnattr_t own_group{};
  posix_spawnattr_init(&own_group);
  posix_spawnattr_setflags(&own_group, POSIX_SPAWN_SETPGROUP);
  if (::posix_spawnp(&compiler_, "env", &files, &own_group, argv.data(), environ) != 0) compiler_ = -1;
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&own_group);
}

illegal_combination::~illegal_combination() {
  if (compiler_ < 0) return;
  ::kill(-compiler_, SIGKILL);
  ::waitpid(compiler_, nullptr, 0);
}

bool illegal_combination::ready() {
  if (compiler_ > 0 && ::waitpid(compiler_, nullptr, WNOHANG) == compiler_) compiler_ = -1;
  return compiler_ < 0;
}

std::string illegal_combination::text() {
  std::ifstream file{folder_ + "/illegal.txt"};
  std::string const all{std::istreambuf_iterator<char>{file}, {}};
  auto const from = ready() ? all.find("sluice: ") : all.npos;
  auto const said = from == all.npos ? "" : all.substr(from, all.find('\n', from) - from);
  return fmt::format("This does not compile:\n\n{}\n{}:\n  {}\n\n", program,
                     said.empty() ? "The compiler's sentence" : "The compiler just said",
                     said.empty() ? sentence : said);
}

}  // namespace crash_course
