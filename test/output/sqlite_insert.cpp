#include <sluice/output/sqlite_insert.hpp>
// Both outputs: they share their table.
#include <sluice/output/sqlite.hpp>

#include "../offset_store/sqlite_support.hpp"
#include "upsert_cases.hpp"

namespace {

using namespace upsert_cases;
using namespace std::chrono_literals;

struct fixture {
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

TEST_CASE_METHOD(fixture, "an insert happens once for each position") {
  sl::sqlite_insert out{insert, [](sl::record r, auto& row) {
                          row(r.text());
                          if (r.offset() == sl::offset{2}) row("and another");
                        }};
  some_records first{zero}, overlapping{zero};
  first.add(1, {}, "one").add(2, {}, "two");
  overlapping.add(2, {}, "two").add(3, {}, std::nullopt);
  out(first.batch());
  out(overlapping.batch());
  out(first.batch());
  CHECK(log() == texts{"one", "two", "and another", "null"});
  out(single(one, 1, {}, "elsewhere").batch());
  out(single({"clicks", 0}, 1, {}, "another topic").batch());
  out(single(zero, 1, {}, "read again", 2).batch());
  CHECK(rows(file, "select count(*) from log") == texts{"7"});
  CHECK(rows(file,
             "select sluice_topic, sluice_incarnation, sluice_partition, sluice_offset, sluice_row from log where v ="
             " 'read again'") == texts{"orders|2|0|1|0"});
}

TEST_CASE_METHOD(fixture, "what a mapping throws goes through, and nothing of its batch is kept") {
  struct mine {};
  auto const third_fails = [](sl::record r, auto& row) {
    if (r.offset() == sl::offset{3}) throw mine{};
    row(r.text());
  };
  sl::sqlite_insert out{insert, third_fails};
  some_records r{zero};
  r.add(1, {}, "1").add(2, {}, "2").add(3, {}, "3");
  CHECK_THROWS_AS(out(r.batch()), mine);
  CHECK(log().empty());
  out(single(zero, 1, {}, "1").batch());
  CHECK(log() == texts{"1"});
}
