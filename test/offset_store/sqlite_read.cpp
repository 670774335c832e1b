#include <sluice/offset_store/sqlite_read.hpp>

#include "../detail/temporary_folder.hpp"
#include "reading.hpp"
#include "sqlite_support.hpp"

namespace sl = sluice;

namespace {

struct fixture {
  using store = sl::sqlite_offsets::runtime;
  folder place{};
  sl::sqlite_offsets config{.path = place / "offsets.db"};

  sl::context context() const { return {}; }
  std::unique_ptr<store> open() { return std::unique_ptr<store>{new store(config, {})}; }
  void forget(std::string const& group, sl::topic_partition const& of) {
    rows(config.path, "delete from sluice_offsets where grp = '" + group + "' and topic = '" + of.topic +
                          "' and partition = " + std::to_string(of.partition));
  }
  void newer() { rows(config.path, "update sluice_offsets_meta set value = '2' where name = 'format'"); }
};

}  // namespace

TEST_CASE("positions in SQLite are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("reading makes no file, and takes no table for the library's that is not") {
  fixture f;
  CHECK(reading::read(f).empty());
  CHECK_FALSE(std::filesystem::exists(f.config.path));
  rows(f.config.path, "create table other (x)");
  CHECK(reading::read(f).empty());
  CHECK(rows(f.config.path, "select name from sqlite_schema") == std::vector<std::string>{"other"});
  f.config.table = "other";
  CHECK_THROWS_WITH(reading::read(f), Catch::Matchers::ContainsSubstring("not one that the library made"));
  f.config.path = f.place / "no/such/offsets.db";
  CHECK(reading::read(f).empty());
}

TEST_CASE("what a consumer is writing is read as it was before") {
  fixture f;
  auto const s = f.open();
  contract::resolver r{{{"orders", {sl::offset{10}}}}};
  auto const c = contract::claim(*s, "billing", {sl::topic_partition{"orders", 0}}, r);
  std::vector const moves{contract::to(c[0], 11)};
  auto& tx = s->begin(moves, contract::soon());
  s->advance(tx, moves, contract::soon());
  CHECK(reading::read(f).at(0).next == sl::offset{10});
  CHECK(s->commit(tx, contract::soon()) == sl::outcome::applied);
  CHECK(reading::read(f).at(0).next == sl::offset{11});
}

TEST_CASE("tables of format 1 that were written once are read the same for ever, and kept up") {
  fixture f;
  rows(f.config.path, content_of(SLUICE_SOURCE_DIR "/test/golden/sqlite_offsets.v1.sql"));
  auto const found = reading::read(f);
  REQUIRE(found.size() == 2);
  sl::log_state const log{.incarnation = 1795308585441, .last = sl::fingerprint{sl::offset{2716}, 7774827076669557826}};
  CHECK(found[0].next == sl::offset{2717});
  CHECK(found[0].log == log);
  CHECK_FALSE(found[0].held);
  CHECK(found[1].next == sl::offset{0});
  CHECK(found[1].held);

  auto const s = f.open();
  CHECK(s->local_id() == "a145d7d4dc0c1813950e114f9d6864d6");
  contract::resolver none{{}};
  auto const claims = contract::claim(*s, "billing", {sl::topic_partition{"orders", 0}, {"orders", 1}}, none);
  CHECK(claims[0].what == sl::claimed::stored);
  CHECK(claims[0].mine.turn == 10);
  CHECK(claims[0].log == log);
  CHECK(contract::advance(*s, {contract::to(claims[0], 2720)}) == contract::all{sl::outcome::applied});
  CHECK(rows(f.config.path, "select next from sluice_offsets where grp = 'billing' order by partition") ==
        std::vector<std::string>{"2720", "0"});
  CHECK(rows(f.config.path, "select \"offset\", hex(value) from sluice_offsets_skipped") ==
        std::vector<std::string>{"2711|6100"});
  CHECK(rows(f.config.path, "select headers from sluice_offsets_skipped") == std::vector<std::string>{"null"});
}
