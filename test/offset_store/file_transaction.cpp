#include <sluice/offset_store/file_transaction.hpp>
// The store that makes transactions.
#include <sluice/offset_store/file.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "offset_store/contract.hpp"

namespace {

namespace sl = sluice;
using contract::resolver;
using contract::soon;
using sl::offset;
using sl::outcome;

static_assert(!std::is_copy_constructible_v<sl::file_transaction> &&
              !std::is_move_constructible_v<sl::file_transaction>);

struct member {
  sl::file_offsets::runtime store;
  std::vector<sl::claimed> mine{};
  member(std::string const& directory, std::vector<int> const& partitions)
      : store(sl::file_offsets::open({.directory = directory}, {.group = "billing"})) {
    resolver r{{{"orders", std::vector<offset>(4, offset{0})}}};
    mine = contract::claim(store, "billing", contract::partitions("orders", partitions), r);
  }
  std::vector<sl::move> moves() const {
    std::vector<sl::move> all;
    for (auto const& c : mine) all.push_back({c.of, c.next, offset{c.next.value() + 10}, c.mine, c.log});
    return all;
  }
  /// Handles one batch; where it was applied, moves on.
  template <class Handler>
  outcome batch(Handler handler) {
    auto const m = moves();
    auto& tx = store.begin(m, soon());
    handler(tx);
    store.advance(tx, m, soon());
    auto const o = store.commit(tx, soon());
    if (o == outcome::applied)
      for (auto& c : mine) c.next = offset{c.next.value() + 10};
    return o;
  }
};

template <class F>
sl::errc refusal(F f) {
  try {
    f();
  } catch (sl::error const& e) { return e.code(); }
  return {};
}

}  // namespace

TEST_CASE("a transaction sees what it put, and what was committed") {
  temporary_folder folder;
  member m{folder.name(), {0}};
  CHECK(m.batch([](auto& tx) {
    CHECK_FALSE(tx.get("total"));
    CHECK_FALSE(tx.get_text("total"));
    tx.put("total", "1");
    CHECK(tx.get_text("total") == "1");
    tx.put("total", sl::as_bytes(std::string_view{"\0\xff", 2}));
    CHECK(sl::as_text(*tx.get("total")) == std::string_view{"\0\xff", 2});
    tx.put("empty", "");
    tx.put("gone", "x");
    tx.erase("gone");
    CHECK_FALSE(tx.get("gone"));
    CHECK(::fcntl(tx.native_handle(), F_GETFD) >= 0);
  }) == outcome::applied);
  CHECK(m.batch([](auto& tx) {
    CHECK(tx.get_text("total") == std::string_view{"\0\xff", 2});
    CHECK(tx.get_text("empty") == "");
    CHECK_FALSE(tx.get_text("gone"));
    tx.erase("total");
    CHECK_FALSE(tx.get_text("total"));
  }) == outcome::applied);
  auto const state = sl::read_generation(folder.name());
  CHECK(state.values.size() == 1);
  CHECK(state.values.at("empty").content.empty());
}

TEST_CASE("text is added to what was committed, in the order of partitions") {
  temporary_folder folder;
  member m{folder.name(), {0, 1}};
  auto const both = [](std::string text) {
    return [=](sl::file_transaction& tx) {
      tx.append("lines", {"orders", 1}, text + "1\n");
      tx.append("lines", {"orders", 0}, text + "0\n");
      tx.append("other", {"orders", 0}, text);
    };
  };
  CHECK(sl::read_text(folder.name(), "lines").empty());
  CHECK(m.batch(both("a")) == outcome::applied);
  CHECK(m.batch(both("b")) == outcome::applied);
  CHECK(sl::read_text(folder.name(), "lines") == "a0\nb0\na1\nb1\n");
  CHECK(sl::read_text(folder.name(), "other") == "ab");

  auto& tx = m.store.begin(m.moves(), soon());
  both("gone")(tx);
  m.store.rollback(tx);
  CHECK(sl::read_text(folder.name(), "lines") == "a0\nb0\na1\nb1\n");

  member later{folder.name(), {0}};
  CHECK(later.mine[0].next == offset{20});
  CHECK(m.batch(both("late")) == outcome::refused);
  CHECK(later.batch([](auto& t) { t.append("lines", {"orders", 0}, "c0\n"); }) == outcome::applied);
  CHECK(sl::read_text(folder.name(), "lines") == "a0\nb0\nc0\na1\nb1\n");
  CHECK(sl::read_text(folder.name(), "lines", "billing") == "a0\nb0\nc0\na1\nb1\n");
  CHECK(sl::read_text(folder.name(), "lines", "others").empty());
  auto const files = sl::list_text(folder.name());
  REQUIRE(files.size() == 4);
  CHECK(files[1].of == sl::topic_partition{"orders", 0});
  CHECK(files[1].mine == later.mine[0].mine);
  CHECK(files[1].length == 3);
  CHECK(content_of(files[1].path) == "c0\n");
}

TEST_CASE("what was written and not committed is cut off by the next owner, and never read") {
  temporary_folder folder;
  {
    member m{folder.name(), {0}};
    CHECK(m.batch([](auto& tx) { tx.append("lines", {"orders", 0}, "good\n"); }) == outcome::applied);
  }
  auto const path = sl::list_text(folder.name()).at(0).path;
  write_file(path, content_of(path) + "never committed");
  CHECK(sl::read_text(folder.name(), "lines") == "good\n");
  member m{folder.name(), {0}};
  CHECK(m.batch([](auto& tx) { tx.append("lines", {"orders", 0}, "next\n"); }) == outcome::applied);
  CHECK(content_of(path) == "good\n");
  CHECK(sl::read_text(folder.name(), "lines") == "good\nnext\n");
}

TEST_CASE("a text that lost committed bytes is damaged, and named") {
  temporary_folder folder;
  member m{folder.name(), {0}};
  CHECK(m.batch([](auto& tx) { tx.append("lines", {"orders", 0}, "good\n"); }) == outcome::applied);
  auto const path = sl::list_text(folder.name()).at(0).path;
  write_file(path, "goo");
  try {
    sl::read_text(folder.name(), "lines");
    FAIL("read");
  } catch (sl::store_error const& e) {
    CHECK(e.code() == sl::errc::store_damaged);
    CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring(path));
  }
}

TEST_CASE("a failed record's half effects vanish") {
  temporary_folder folder;
  member m{folder.name(), {0, 1}};
  CHECK(m.batch([](auto& tx) {
    tx.put("kept", "1");
    tx.append("lines", {"orders", 0}, "a\n");
    tx.savepoint();
    tx.put("kept", "2");
    tx.put("kept", "3");
    tx.put("new", "x");
    tx.erase("kept");
    tx.append("lines", {"orders", 0}, "b\n");
    tx.append("lines", {"orders", 1}, "c\n");
    tx.append("lines", {"orders", 0}, "d\n");
    tx.rollback_to_savepoint();
    CHECK(tx.get_text("kept") == "1");
    CHECK_FALSE(tx.get("new"));
    tx.release_savepoint();
    tx.savepoint();
    tx.put("kept", "4");
    tx.append("lines", {"orders", 1}, "e\n");
    tx.release_savepoint();
    tx.rollback_to_savepoint();  // nothing is left to undo
  }) == outcome::applied);
  auto const state = sl::read_generation(folder.name());
  CHECK(state.values.size() == 1);
  CHECK(state.values.at("kept").content == "4");
  CHECK(sl::read_text(folder.name(), "lines") == "a\ne\n");
}

TEST_CASE("members that touch the same value run one after the other") {
  temporary_folder folder;
  member a{folder.name(), {0}}, b{folder.name(), {1}};
  auto const count = [](sl::file_transaction& tx) {
    auto const n = tx.get_text("total");
    tx.put("total", std::to_string((n ? std::stoi(std::string{*n}) : 0) + 1));
  };
  SECTION("both counted: the second runs again on the new state") {
    CHECK(a.batch([&](auto& tx) {
      count(tx);
      CHECK(b.batch(count) == outcome::applied);
    }) == outcome::refused);
    CHECK(a.batch(count) == outcome::applied);
    CHECK(sl::read_generation(folder.name()).values.at("total").content == "2");
  }
  SECTION("one only read it") {
    CHECK(a.batch([&](auto& tx) {
      CHECK_FALSE(tx.get("total"));
      CHECK(b.batch(count) == outcome::applied);
    }) == outcome::refused);
  }
  SECTION("one wrote it without looking") {
    CHECK(a.batch([&](auto& tx) {
      tx.put("total", "100");
      CHECK(b.batch(count) == outcome::applied);
    }) == outcome::refused);
  }
  SECTION("it was written with the same content") {
    CHECK(b.batch([](auto& tx) { tx.put("total", "5"); }) == outcome::applied);
    CHECK(a.batch([&](auto& tx) {
      tx.get("total");
      CHECK(b.batch([](auto& t) { t.put("total", "5"); }) == outcome::applied);
    }) == outcome::refused);
  }
  SECTION("other values and texts don't matter") {
    CHECK(a.batch([&](auto& tx) {
      tx.put("mine", "1");
      tx.append("lines", {"orders", 0}, "a\n");
      CHECK(b.batch([&](auto& t) {
        count(t);
        t.append("lines", {"orders", 1}, "b\n");
      }) == outcome::applied);
    }) == outcome::applied);
    auto const state = sl::read_generation(folder.name());
    CHECK(state.values.at("total").content == "1");
    CHECK(state.values.at("mine").content == "1");
    CHECK(sl::read_text(folder.name(), "lines") == "a\nb\n");
  }
}

TEST_CASE("names are any text, and the handler's mistakes are its own") {
  temporary_folder folder;
  auto const long_topic = std::string(249, '.');
  sl::file_offsets::runtime store(sl::file_offsets::open({.directory = folder.name()}, {.group = "billing"}));
  resolver r{{{"..", {offset{0}}}, {"a/../b", {offset{0}}}, {long_topic, {offset{0}}}}};
  std::vector<sl::topic_partition> const set{{"..", 0}, {"a/../b", 0}, {long_topic, 0}};
  std::vector<sl::move> moves;
  for (auto const& c : store.claim("billing", set, r, soon())) moves.push_back(contract::to(c, 10));
  auto& tx = store.begin(moves, soon());
  std::vector<std::string> const names{"..", ".", "../../x", "a.b.0.1-2", "%2E", std::string(200, 'x'), "\n"};
  for (auto const& name : names)
    for (auto const& of : set) tx.append(name, of, name + of.topic);
  CHECK(refusal([&] { tx.append(std::string(201, 'x'), set[0], ""); }) == sl::errc::bad_statement);
  CHECK(refusal([&] { tx.append("", set[0], ""); }) == sl::errc::bad_statement);
  CHECK(refusal([&] { tx.append("x", {"..", 1}, ""); }) == sl::errc::bad_statement);
  CHECK(refusal([&] { tx.put("", ""); }) == sl::errc::bad_statement);
  tx.put(std::string(1000, '/'), "value");
  store.advance(tx, moves, soon());
  REQUIRE(store.commit(tx, soon()) == outcome::applied);
  for (auto const& name : names)
    CHECK(sl::read_text(folder.name(), name) == name + ".." + name + long_topic + name + "a/../b");
  for (auto const& file : sl::list_text(folder.name()))
    CHECK(std::filesystem::canonical(file.path).string().starts_with(std::filesystem::canonical(folder.path).string()));
}

TEST_CASE("a record set aside is a line of the store's own text, with the offset or not at all") {
  temporary_folder folder;
  member m{folder.name(), {0, 1}};
  sl::detail::message const message{.key = "k", .value = nullptr, .key_size = 1, .at = 3};
  sl::detail::part const part{&message, &message + 1, {{"orders", 1}, offset{0}, offset{10}, 7}, nullptr};
  sl::dead_letter const letter{.what = {&message, &part}, .error = "too \"long\"", .attempts = 2};
  std::string const line = R"({"topic":"orders","partition":1,"offset":3,"incarnation":7,"timestamp":0,"key":"aw==",)"
                           R"("value":null,"headers":[],"error":"too \"long\"","attempts":2,"first":0})"
                           "\n";
  SECTION("in a transaction") {
    CHECK(m.batch([&](auto&) { m.store.set_aside("", letter); }) == outcome::applied);
    CHECK(sl::read_text(folder.name(), "skipped") == line);
    auto& tx = m.store.begin(m.moves(), soon());
    m.store.set_aside("", letter);
    m.store.rollback(tx);
    CHECK(m.batch([&](auto&) { m.store.set_aside("letters", letter); }) == outcome::applied);
    CHECK(sl::read_text(folder.name(), "skipped") == line);
    CHECK(sl::read_text(folder.name(), "letters") == line);
  }
  SECTION("with the next advance of its partition") {
    m.store.set_aside("", letter);
    CHECK(contract::advance(m.store, {m.moves()[0]}) == contract::all{outcome::applied});
    CHECK(sl::read_text(folder.name(), "skipped").empty());
    CHECK(contract::advance(m.store, {m.moves()[1]}) == contract::all{outcome::applied});
    CHECK(sl::read_text(folder.name(), "skipped") == line);
    CHECK(contract::advance(m.store, {m.moves()[1]}) == contract::all{outcome::applied});
    CHECK(sl::read_text(folder.name(), "skipped") == line);
  }
  SECTION("a refused advance forgets it") {
    m.store.set_aside("", letter);
    member other{folder.name(), {1}};
    CHECK(contract::advance(m.store, m.moves()) == contract::all{outcome::applied, outcome::refused});
    resolver r{{}};
    m.mine = contract::claim(m.store, "billing", contract::partitions("orders", {0, 1}), r);
    CHECK(contract::advance(m.store, m.moves()) == contract::all{outcome::applied, outcome::applied});
    CHECK(sl::read_text(folder.name(), "skipped").empty());
  }
}

TEST_CASE("more partitions than files are kept open for may append in one batch") {
  temporary_folder folder;
  sl::file_offsets::runtime store(sl::file_offsets::open({.directory = folder.name()}, {.group = "billing"}));
  resolver r{{{"orders", std::vector<offset>(70, offset{0})}}};
  std::vector<sl::move> moves;
  for (auto const& c : store.claim("billing", contract::partitions("orders", contract::up_to(70)), r, soon()))
    moves.push_back(contract::to(c, 10));
  for (int round = 0; round < 2; ++round) {
    auto& tx = store.begin(moves, soon());
    for (auto const& m : moves) tx.append("lines", m.of, std::to_string(m.of.partition) + "\n");
    store.advance(tx, moves, soon());
    REQUIRE(store.commit(tx, soon()) == outcome::applied);
    for (auto& m : moves) m.from = std::exchange(m.until, offset{m.until.value() + 10});
  }
  std::string expected;
  for (int i = 0; i < 70; ++i) expected += std::to_string(i) + "\n" + std::to_string(i) + "\n";
  CHECK(sl::read_text(folder.name(), "lines") == expected);
}
