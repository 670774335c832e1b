#include <sluice/offset_store/sqlite.hpp>

#include "contract.hpp"

#include <filesystem>

namespace sl = sluice;
static_assert(sl::transactional_store<sl::sqlite_offset_store>);
static_assert(sl::sets_aside<sl::sqlite_offset_store>);

namespace {
struct folder {
  std::string path;
  folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  folder(folder const&) = delete;
  ~folder() { std::filesystem::remove_all(path); }
  std::string operator/(std::string const& name) const { return path + "/" + name; }
};

struct fixture {
  using store = sl::sqlite_offset_store;
  folder in{};
  sl::sqlite_offsets config{.path = in / "billing.db"};

  std::unique_ptr<store> open() { return std::unique_ptr<store>{new store(sl::sqlite_offsets::open(config, {}))}; }
};
}  // namespace
TEST_CASE("sqlite_offsets keeps the contract of stores") { contract::holds<fixture>(); }
