#include <sluice/offset_store/file.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "offset_store/contract.hpp"

namespace {

namespace sl = sluice;
namespace fs = std::filesystem;
using contract::all;
using contract::claim;
using contract::resolver;
using contract::soon;
using contract::to;
using sl::offset;
using sl::outcome;

static_assert(sl::offset_store<sl::file_offsets::runtime>);
static_assert(sl::transactional_store<sl::file_offsets::runtime>);
static_assert(sl::sets_aside<sl::file_offsets::runtime>);

std::unique_ptr<sl::file_offsets::runtime> open_in(std::string const& directory) {
  return std::unique_ptr<sl::file_offsets::runtime>{
      new sl::file_offsets::runtime(sl::file_offsets::open({.directory = directory}, {.group = "billing"}))};
}

fs::path newest_file(fs::path const& directory) {
  fs::path newest;
  for (auto const& entry : fs::directory_iterator{directory})
    if (entry.path().filename().string().starts_with("generation.")) newest = std::max(newest, entry.path());
  return newest;
}

struct file_fixture {
  using store = sl::file_offsets::runtime;
  temporary_folder folder{};
  std::unique_ptr<store> open() { return open_in(folder.name()); }
  void forget(std::string const& group, sl::topic_partition const& of) {
    auto state = sl::read_generation(folder.name());
    state.topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    std::string bytes;
    encode(state, bytes);
    write_file(newest_file(folder.path), bytes);
  }
  std::vector<std::string> causes() {
    std::vector<std::string> found;
    for (auto const& j : sl::read_generation(folder.name()).jumps) found.push_back(j.cause);
    return found;
  }
  void write(sl::file_transaction& tx, std::string const& result) { tx.put(result, ""); }
  std::vector<std::string> results() {
    std::vector<std::string> found;
    for (auto const& [name, v] : sl::read_generation(folder.name()).values) found.push_back(name);
    return found;
  }
};

}  // namespace

TEST_CASE("file_offsets keeps the contract of stores") { contract::holds<file_fixture>(); }
