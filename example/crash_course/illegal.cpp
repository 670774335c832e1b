#include "illegal.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

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

std::string ask_compiler(std::string const& folder) {
  auto const include = std::filesystem::path{__FILE__}.parent_path().parent_path().parent_path() / "include";
  if (!std::filesystem::exists(include / "sluice/sluice.hpp")) return {};
  auto const source = folder + "/illegal.cpp";
  std::ofstream{source} << program;
  auto const command =
      fmt::format("LC_ALL=C nice c++ -std=c++20 -fsyntax-only -I'{}' '{}' 2>&1", include.string(), source);
  struct closer {
    void operator()(FILE* f) const { ::pclose(f); }
  };
  std::unique_ptr<FILE, closer> const output{::popen(command.c_str(), "r")};
  if (!output) return {};
  std::string said;
  for (int c = std::fgetc(output.get()); c != EOF; c = std::fgetc(output.get())) said += static_cast<char>(c);
  auto const from = said.find("sluice: ");
  return from == said.npos ? "" : said.substr(from, said.find('\n', from) - from);
}

}  // namespace

std::string show_illegal_combination(std::string const& folder) {
  auto const said = ask_compiler(folder);
  return fmt::format("This does not compile:\n\n{}\n{}:\n  {}\n\n", program,
                     said.empty() ? "The compiler's sentence" : "The compiler just said",
                     said.empty() ? sentence : said);
}

}  // namespace crash_course
