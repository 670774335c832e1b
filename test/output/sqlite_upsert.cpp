#include <sluice/output/sqlite_upsert.hpp>
// Both outputs: they share their table.
#include <sluice/output/sqlite.hpp>

#include "../offset_store/sqlite_support.hpp"
#include "upsert_cases.hpp"

namespace {

using namespace upsert_cases;
using namespace std::chrono_literals;

struct fixture {
  static constexpr auto who = "sqlite_upsert";
  failing_disk disk{};
  folder in{};
  std::string file = in / "out.db";
  sl::sqlite_upsert_into upsert{.path = file, .table = "last", .key = {"k"}, .columns = {"v"}};
  sl::sqlite_insert_into insert{.path = file, .table = "log", .columns = {"v"}};

  template <class Map>
  auto output(Map map) {
    return sl::sqlite_upsert{upsert, map};
  }
  texts look(std::string const& sql) { return rows(file, sql); }
  texts log() { return look("select v from log order by sluice_partition, sluice_offset, sluice_row"); }
};

}  // namespace

TEST_CASE("sqlite_upsert keeps what idempotent outputs promise") { hold<fixture>(); }
