#include <sluice/offset_store/mysql_read.hpp>

#include "mysql_support.hpp"
#include "reading.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;

struct fixture : mysql_fixture {
  sl::context context() const { return {}; }
  void newer() { look("update sluice_offsets_meta set value = '2' where name = 'format'"); }
};

}  // namespace

TEST_CASE("positions in MariaDB are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("the right to select is enough, and no table is made") {
  fixture f;
  CHECK(reading::read(f).empty());
  CHECK(f.look("show tables") == std::vector<std::string>{"results"});
  auto const s = f.open();
  contract::resolver r{{{"orders", {sl::offset{10}}}}};
  contract::claim(*s, "billing", {sl::topic_partition{"orders", 0}}, r);
  f.config.user = "reader_" + f.database;
  f.look("create user " + f.config.user + " identified by '" + server().password() + "'; grant select on " +
         f.database + ".* to " + f.config.user);
  auto const found = reading::read(f);
  REQUIRE(found.size() == 1);
  CHECK(found[0].next == sl::offset{10});
}

TEST_CASE("a table that is not the library's is not read") {
  fixture f;
  f.look("create table sluice_offsets (x int)");
  CHECK_THROWS_WITH(reading::read(f), ContainsSubstring("not one that the library made"));
  f.config.table = "no`name";
  CHECK_THROWS_WITH(reading::read(f), ContainsSubstring("mysql_offsets.table"));
}

TEST_CASE("a group whose name is not UTF-8 has no positions") {
  fixture f;
  auto const s = f.open();
  contract::resolver r{{{"orders", {sl::offset{10}}}}};
  contract::claim(*s, "?", {sl::topic_partition{"orders", 0}}, r);
  CHECK(reading::read(f, "\xff").empty());
  CHECK(reading::read(f, "?").size() == 1);
}
