#include <sluice/offset_store/checkpoint.hpp>
#include <sluice/offset_store/file_changes.hpp>
#include <sluice/state/checkpoint.hpp>

#include <random>

#include "catch.hpp"
#include "detail/simulated_files.hpp"
#include "offset_store/contract.hpp"

// Two stores on one simulated folder: what becomes of a change when another one comes in between.
namespace {

namespace sl = sluice;
using contract::resolver;
using contract::soon;
using sl::offset;
using sl::outcome;
using store = sl::basic_file_store<simulated::files>;

struct two_stores {
  std::shared_ptr<simulated::disk> disk = std::make_shared<simulated::disk>();
  store a{simulated::files{disk}, sl::file_offsets{.directory = "d"}, "billing"};
  store b{simulated::files{disk}, sl::file_offsets{.directory = "d"}, "billing"};

  static sl::claimed claim(store& by, std::int32_t partition) {
    resolver r{{{"orders", {offset{0}, offset{0}}}}};
    return by.claim("billing", {{"orders", partition}}, r, soon()).at(0);
  }
  std::string lines() const { return sl::detail::read_text(simulated::files{disk}, "d", "lines", ""); }
  auto newest() const { return sl::detail::generation_folder<simulated::files>{simulated::files{disk}, "d"}.newest(); }
};

sl::move forward(sl::claimed& c, std::int64_t by) {
  sl::move const m{c.of, c.next, offset{c.next.value() + by}, c.mine, c.log};
  c.next = m.until;
  return m;
}

}  // namespace

TEST_CASE("a transaction whose moves go nowhere is published, though another is faster") {
  two_stores two;
  auto ours = two.claim(two.a, 0), theirs = two.claim(two.b, 1);
  auto const still = forward(ours, 0);
  auto& tx = two.a.begin({&still, 1}, soon());
  tx.put("what", "kept");
  bool const with_text = GENERATE(false, true);
  if (with_text) tx.append("lines", still.of, "one\n");
  CHECK(two.a.advance(tx, {&still, 1}, soon())[0] == outcome::applied);
  int published = 0;
  two.disk->fail = [&](std::string const& operation, std::string const&) {
    if (operation == "publish" && ++published == 1) {
      auto const next = forward(theirs, 5);
      CHECK(two.b.advance({&next, 1}, soon())[0] == outcome::applied);
    }
    return 0;
  };
  CHECK(two.a.commit(tx, soon()) == outcome::applied);
  CHECK(published == 3);
  auto const state = two.newest();
  REQUIRE(state.values.contains("what"));
  CHECK(state.texts.size() == (with_text ? 1 : 0));
}

TEST_CASE("a transaction whose moves go nowhere is there once, though another has stored on top of it at once") {
  two_stores two;
  auto ours = two.claim(two.a, 0), theirs = two.claim(two.b, 1);
  auto const still = forward(ours, 0);
  auto& tx = two.a.begin({&still, 1}, soon());
  bool const with_value = GENERATE(false, true);
  if (with_value) tx.put("what", "kept");
  tx.append("lines", still.of, "one\n");
  CHECK(two.a.advance(tx, {&still, 1}, soon())[0] == outcome::applied);
  bool published = false;
  int stored = 0;
  two.disk->fail = [&](std::string const& operation, std::string const&) {
    if (operation == "publish" && stored == 0) published = true;
    if (operation == "list" && std::exchange(published, false)) {
      ++stored;
      auto const next = forward(theirs, 5);
      CHECK(two.b.advance({&next, 1}, soon())[0] == outcome::applied);
    }
    return 0;
  };
  CHECK(two.a.commit(tx, soon()) == outcome::applied);
  CHECK(stored == 1);
  CHECK(two.lines() == "one\n");
}

TEST_CASE("a claim or rewind that was built upon before it was answered is made once") {
  two_stores two;
  auto theirs = two.claim(two.b, 1);
  auto const behind_the_name = [&] {
    two.disk->fail = [&, done = false](std::string const& op, std::string const&) mutable {
      if (op != "sync_folder" || std::exchange(done, true)) return 0;
      auto const m = forward(theirs, 10);
      CHECK(two.b.advance({&m, 1}, soon())[0] == outcome::applied);
      return 0;
    };
  };
  behind_the_name();
  auto mine = two.claim(two.a, 0);
  CHECK(mine.mine.turn == 1);
  behind_the_name();
  auto const back = two.a.record({{mine.of, offset{3}, mine.mine, "seek"}}, soon()).at(0);
  CHECK(back.what == sl::claimed::stored);
  CHECK(back.mine.turn == 2);
  behind_the_name();
  sl::move const m{back.of, back.next, offset{9}, back.mine, back.log};
  auto& tx = two.a.begin({&m, 1}, soon());
  tx.append("lines", m.of, "once\n");
  two.a.advance(tx, {&m, 1}, soon());
  CHECK(two.a.commit(tx, soon()) == outcome::applied);
  CHECK(two.lines() == "once\n");
  CHECK(two.newest().jumps.size() == 1);
}

TEST_CASE("what can't be read behind a commit is unknown until it can be") {
  two_stores two;
  auto ours = two.claim(two.a, 0);
  auto const next = forward(ours, 5);
  auto& tx = two.a.begin({&next, 1}, soon());
  tx.append("lines", next.of, "one\n");
  CHECK(two.a.advance(tx, {&next, 1}, soon())[0] == outcome::applied);
  std::string const operation = GENERATE("list", "open");
  int failed = 0;
  two.disk->fail = [&, published = false](std::string const& op, std::string const&) mutable {
    published = published || op == "publish";
    return published && op == operation && ++failed > 0 ? EIO : 0;
  };
  CHECK(two.a.commit(tx, soon()) == (operation == "list" ? outcome::unknown : outcome::applied));
  CHECK(two.a.settle({&next, 1}, soon())[0] == outcome::unknown);
  CHECK(failed > 0);
  two.disk->fail = {};
  CHECK(two.a.settle({&next, 1}, soon())[0] == outcome::applied);
  CHECK(two.lines() == "one\n");
}

TEST_CASE("what another has published over is unknown where it can't be read") {
  two_stores two;
  auto ours = two.claim(two.a, 0), theirs = two.claim(two.b, 1);
  auto const next = forward(ours, 5);
  auto& tx = two.a.begin({&next, 1}, soon());
  tx.append("lines", next.of, "one\n");
  CHECK(two.a.advance(tx, {&next, 1}, soon())[0] == outcome::applied);
  bool published = false, others = false, overtaken = false;
  two.disk->fail = [&](std::string const& operation, std::string const&) {
    if (overtaken && operation == "open") return EIO;
    if (operation == "publish" && !others) published = true;
    if (operation == "list" && std::exchange(published, false)) {
      others = true;
      auto const further = forward(theirs, 5);
      CHECK(two.b.advance({&further, 1}, soon())[0] == outcome::applied);
      overtaken = true;
    }
    return 0;
  };
  CHECK(two.a.commit(tx, soon()) == outcome::unknown);
  CHECK(overtaken);
  two.disk->fail = {};
  CHECK(two.a.settle({&next, 1}, soon())[0] == outcome::applied);
  CHECK(two.lines() == "one\n");
}

TEST_CASE("a transaction is there, though another one has claimed a part of it before it was answered") {
  two_stores two;
  int const taken_over = GENERATE(1, 2);
  bool const with_text = GENERATE(false, true);
  auto first = two.claim(two.a, 0), second = two.claim(two.a, 1);
  std::vector<sl::move> const moves{forward(first, 5), forward(second, 5)};
  auto& tx = two.a.begin(moves, soon());
  tx.put("what", "kept");
  if (with_text) tx.append("lines", moves[0].of, "one\n");
  two.a.advance(tx, moves, soon());
  bool published = false;
  int claimed = 0;
  two.disk->fail = [&](std::string const& operation, std::string const&) {
    if (operation == "publish" && claimed == 0) published = true;
    if (operation == "list" && std::exchange(published, false))
      for (claimed = 1; claimed <= taken_over; ++claimed) CHECK(two.claim(two.b, 2 - claimed).next == offset{5});
    return 0;
  };
  // Where all is taken over and no text tells, nobody knows whether the one who did it has seen it.
  bool const known = taken_over == 1 || with_text;
  CHECK(two.a.commit(tx, soon()) == (known ? outcome::applied : outcome::unknown));
  if (!known)
    for (auto const o : two.a.settle(moves, soon())) CHECK(o == outcome::refused);
  CHECK(claimed == taken_over + 1);
  CHECK(two.lines() == (with_text ? "one\n" : ""));
  CHECK(two.newest().values.at("what").content == "kept");
}

TEST_CASE("a text's folder that another one took back is made, and made durable, again") {
  two_stores two;
  auto ours = two.claim(two.a, 0), theirs = two.claim(two.b, 1);
  auto const append = [](store& to, sl::move const& m, std::string_view line) {
    auto& tx = to.begin({&m, 1}, soon());
    tx.append("lines", m.of, line);
    CHECK(to.advance(tx, {&m, 1}, soon())[0] == outcome::applied);
    return to.commit(tx, soon());
  };
  auto const mine = forward(ours, 5), other = forward(theirs, 5);
  two.disk->fail = [](std::string const& operation, std::string const& name) {
    return operation == "create" && name.starts_with("lines") ? EIO : 0;
  };
  CHECK_THROWS_AS(append(two.a, mine, "one\n"), sl::store_error);
  int syncs = 0;
  two.disk->fail = [&](std::string const& operation, std::string const&) {
    return operation == "sync_folder" && ++syncs == 2 ? EIO : 0;
  };
  CHECK_THROWS_AS(append(two.b, other, "two\n"), sl::store_error);
  two.disk->fail = {};
  for (auto done = outcome::unknown; done != outcome::applied;) {
    try {
      done = append(two.a, mine, "one\n");
    } catch (sl::store_error const&) {}
  }
  std::mt19937 random{1};
  two.disk->crashed(simulated::survives::nothing, random);
  CHECK(two.lines() == "one\n");
}

TEST_CASE("what waited in memory is forgotten before a handler sees a state that is read anew") {
  auto const disk = std::make_shared<simulated::disk>();
  sl::basic_file_store<simulated::files, sl::checkpoint_kind> s{
      simulated::files{disk}, sl::checkpoint{.directory = "d", .interval = std::chrono::hours{1}}, "billing"};
  resolver r{{{"orders", {offset{0}, offset{0}}}}};
  auto c = s.claim("billing", {{"orders", 0}}, r, soon()).at(0);
  auto const first = forward(c, 5);
  sl::detail::state_row const row{.of = &first.of, .key = "k", .value = "v"};
  auto const begin = [&] {
    auto& tx = s.begin({&first, 1}, soon());
    std::string is = "-";
    sl::detail::state_store<sl::checkpoint_transaction>{tx, "rows"}.all(
        first.of, [&](auto, std::string_view value, auto) { is = value; });
    return std::pair<decltype(tx)&, std::string>{tx, is};
  };
  auto const [tx, before] = begin();
  CHECK(before == "-");
  sl::detail::state_store<sl::checkpoint_transaction>{tx, "rows"}.write({&row, 1});
  CHECK(s.advance(tx, {&first, 1}, soon())[0] == outcome::applied);
  CHECK(s.commit(tx, soon()) == outcome::applied);
  CHECK(begin().second == "v");
  disk->fail = [](std::string const& operation, std::string const&) { return operation == "create" ? ENOSPC : 0; };
  CHECK_THROWS_AS(s.claim("billing", {{"orders", 1}}, r, soon()), sl::store_error);
  disk->fail = {};
  // The position is what the disk has, and so are the rows.
  auto const again = begin();
  CHECK(again.second == "-");
}
