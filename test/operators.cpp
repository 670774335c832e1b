// OPERATORS.md: every error code is explained, and what supervises a program waits longer than it takes to drain.
#include <algorithm>
#include <cctype>
#include <sstream>
#include <vector>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "servers/process.hpp"

namespace {

std::filesystem::path const top = SLUICE_SOURCE_DIR;

std::vector<std::string> lines_of(std::string const& file) {
  std::vector<std::string> all;
  std::istringstream in{content_of(top / file)};
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

/// The names in `enum class errc`, in their order.
std::vector<std::string> codes() {
  std::vector<std::string> all;
  bool inside = false;
  for (auto const& line : lines_of("include/sluice/error.hpp")) {
    if (line.starts_with("};")) inside = false;
    auto const begin = line.find_first_not_of(' ');
    if (inside && begin != line.npos && std::islower(static_cast<unsigned char>(line[begin])))
      all.push_back(line.substr(begin, line.find_first_of(" ,", begin) - begin));
    if (line.starts_with("enum class errc")) inside = true;
  }
  return all;
}

/// What stands between ```KIND and ```.
std::string block(std::string const& kind) {
  std::string text;
  bool inside = false;
  for (auto const& line : lines_of("OPERATORS.md")) {
    if (inside && line == "```") return text;
    if (inside) text += line + "\n";
    if (line == "```" + kind) inside = true;
  }
  FAIL("no block of " << kind);
  return text;
}

int number_behind(std::string const& text, std::string const& name) {
  auto const at = text.find(name);
  REQUIRE(at != text.npos);
  return std::stoi(text.substr(at + name.size()));
}

}  // namespace

TEST_CASE("every error code is on the operators' page, as transient or permanent, with what to do") {
  auto const wanted = codes();
  REQUIRE(wanted.size() >= 25);
  REQUIRE(wanted.front() == "bad_configuration");
  std::vector<std::string> found;
  for (auto const& line : lines_of("OPERATORS.md")) {
    auto const end = line.find("` | transient | ");
    auto const also = line.find("` | permanent | ");
    auto const at = std::min(end, also);
    if (!line.starts_with("| `") || at == line.npos) continue;
    found.push_back(line.substr(3, at - 3));
    CHECK(line.size() > at + 16 + 10);
  }
  CHECK(found == wanted);
}

TEST_CASE("systemd and Kubernetes wait longer than a program takes to drain") {
  auto const unit = block("ini"), manifest = block("yaml");
  // Two rounds of 10 s (stream_consumer::run), calls that wait for a store on either side, a batch of 10 s run twice.
  CHECK(number_behind(unit, "TimeoutStopSec=") >= 60);
  CHECK(number_behind(manifest, "terminationGracePeriodSeconds: ") == number_behind(unit, "TimeoutStopSec="));
  CHECK(number_behind(content_of(top / "OPERATORS.md"), "call `drain(") < number_behind(unit, "TimeoutStopSec="));
  CHECK(unit.find("KillSignal=SIGTERM") != unit.npos);
}

TEST_CASE("the unit is one that systemd takes") {
  temporary_folder const folder;
  auto unit = block("ini");
  auto const program = unit.find("/usr/bin/billing");
  REQUIRE(program != unit.npos);
  write_file(folder.path / "billing.service", unit.replace(program, 16, "/bin/true"));
  try {
    servers::run({"sh", "-c", "command -v systemd-analyze"}, folder.name() + "/where");
  } catch (std::runtime_error const&) {
    WARN("there is no systemd-analyze here");
    return;
  }
  auto const log = folder.name() + "/log";
  CHECK_NOTHROW(servers::run({"systemd-analyze", "verify", "--man=no", folder.name() + "/billing.service"}, log));
  CHECK(content_of(log).find("billing.service:") == std::string::npos);
}
