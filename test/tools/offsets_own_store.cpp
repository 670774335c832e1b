// How sluice-offsets writes to a store of the library's: by claim, recorded rewind and release, and nothing else.
#include "offsets/own_store.hpp"

#include <sluice/offset_store/file_read.hpp>

#include "offset_store/contract.hpp"
#include "offsets.hpp"

namespace sl = sluice;
using contract::soon;
using sl::offset;
namespace tool = offsets_tool;

namespace {

struct folder_store {
  temporary_folder place{};
  sl::file_offsets config{.directory = place.name()};
  contract::resolver starts{{{"orders", {offset{10}, offset{20}}}}};

  std::unique_ptr<sl::file_offsets::runtime> open() {
    return std::make_unique<sl::file_offsets::runtime>(sl::detail::posix_files{}, config, "billing");
  }
  std::vector<sl::kept_position> read() { return sl::read_positions(config, {.group = "billing"}, soon()); }
  sl::file_generation state() {
    sl::detail::generation_folder<sl::detail::posix_files> folder{{}, config.directory};
    return folder.newest();
  }
  tool::order order(std::vector<tool::change> changes) {
    return {.group = "billing", .changes = std::move(changes), .cause = "sluice-offsets test", .starts = &starts};
  }
};

}  // namespace

TEST_CASE("who is alive is refused afterwards, and the jump is recorded with its cause") {
  folder_store f;
  auto const alive = f.open();
  auto const mine = contract::claim(*alive, "billing", contract::partitions("orders", {0, 1}), f.starts);

  auto const s = f.open();
  auto const done = tool::put(*s, f.order({{.of = {"orders", 0}, .before = offset{10}, .after = offset{3}}}), soon());
  CHECK(done.why == std::vector<std::string>{""});
  CHECK(done.local_id == s->local_id());

  CHECK(contract::advance(*alive, {contract::to(mine[0], 11)}) == contract::all{sl::outcome::refused});
  CHECK(contract::advance(*alive, {contract::to(mine[1], 21)}) == contract::all{sl::outcome::applied});
  auto const now = f.read();
  CHECK(now[0].next == offset{3});
  CHECK_FALSE(now[0].held);
  auto const jumps = f.state().jumps;
  REQUIRE(jumps.size() == 1);
  CHECK(jumps[0].cause == "sluice-offsets test");
  CHECK(jumps[0].from == offset{10});
}

TEST_CASE("a position that has moved since it was read is left alone, unless that is allowed") {
  folder_store f;
  auto const s = f.open();
  contract::claim(*s, "billing", contract::partitions("orders", {0, 1}), f.starts);
  auto moved = f.order({{.of = {"orders", 1}, .before = offset{20}, .after = offset{1}},
                        {.of = {"orders", 0}, .before = offset{9}, .after = offset{1}}});
  CHECK_THROWS_AS(tool::put(*s, moved, soon()), tool::refusal);
  CHECK(f.read()[0].next == offset{10});
  CHECK(f.read()[1].next == offset{20});
  CHECK_FALSE(f.read()[0].held);  // what was claimed is given back
  moved.may_be_alive = true;
  CHECK(tool::put(*s, moved, soon()).why == std::vector<std::string>{"", ""});
  CHECK(f.read()[0].next == offset{1});
}

TEST_CASE("a first claim stores the given starts, without a jump") {
  folder_store f;
  auto const s = f.open();
  CHECK(tool::put(*s, f.order({{.of = {"orders", 0}, .after = offset{10}}, {.of = {"orders", 1}, .after = offset{20}}}),
                  soon())
            .why.size() == 2);
  CHECK(f.read()[1].next == offset{20});
  CHECK(f.state().jumps.empty());
  // One beyond those that are known: an added partition.
  CHECK(tool::put(*s, f.order({{.of = {"orders", 2}, .after = offset{102}}}), soon()).why ==
        std::vector<std::string>{""});
  CHECK(f.read()[2].next == offset{102});
  CHECK(f.state().jumps.empty());
}
