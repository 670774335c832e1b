#include <sluice/offset_store/postgres_read.hpp>

#include "postgres_support.hpp"
#include "reading.hpp"

namespace {

struct fixture : postgres_fixture {
  sl::context context() const { return {}; }
  void newer() { look("update sluice_offsets_meta set value = '2' where name = 'format'"); }
};

}  // namespace

TEST_CASE("positions in PostgreSQL are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("the right to select is enough, and no table is made") {
  fixture f;
  CHECK(reading::read(f).empty());
  CHECK(f.look("select 1 from pg_tables where schemaname = '" + f.schema + "'").empty());
  auto const s = f.open();
  contract::resolver r{{{"orders", {sl::offset{10}}}}};
  contract::claim(*s, "billing", {sl::topic_partition{"orders", 0}}, r);
  auto const role = "reader_" + f.schema;
  f.look("create role " + role + " login password 'reader'; grant usage on schema " + f.schema + " to " + role +
         "; grant select on all tables in schema " + f.schema + " to " + role);
  auto config = f.config;
  config.connection += " user=" + role + " password=reader";
  auto const found = sl::read_positions(config, {.group = "billing"}, contract::soon());
  REQUIRE(found.size() == 1);
  CHECK(found[0].next == sl::offset{10});
}

TEST_CASE("a table that is not the library's is not read") {
  fixture f;
  f.look("create table sluice_offsets (x int)");
  CHECK_THROWS_WITH(reading::read(f), Catch::Matchers::ContainsSubstring("not one that the library made"));
}
