#include <sluice/offset_store/hbase_history.hpp>

#include <random>

#include "contract.hpp"
#include "seed.hpp"
#include "servers/small_hbase.hpp"
#include "thrown.hpp"

namespace {

using namespace contract;
using servers::http_request;
using servers::small_hbase;
using sl::errc;

namespace hb = sl::detail::hbase;
using next_of = std::vector<std::optional<offset>>;

hb::table table_in(small_hbase const& s) { return hb::table{hb::settings_of(s.config())}; }

/// The newest row's key; empty: none.
std::string newest(small_hbase const& s, std::string const& topic, std::string const& group) {
  auto t = table_in(s);
  auto const found = hb::newest_row(t, topic, group, soon());
  return found ? found->key : "";
}

sl::hbase_offset_store opened(sl::hbase_offsets const& config, std::vector<std::string>* told = nullptr) {
  sl::context around{.group = "billing"};
  if (told) around.log = [told](int, std::string_view line) { told->emplace_back(line); };
  return sl::hbase_offsets::open(config, around);
}

/// The keys of the history, in order.
texts keys(small_hbase const& s) {
  texts all;
  for (auto const& [key, cells] : s.rows)
    if (!key.starts_with('~')) all.push_back(key);
  return all;
}

}  // namespace

TEST_CASE("a row of the history says where the partitions that it names stand") {
  small_hbase s;
  s.rows["orders:billing:1795310688831"] = {{"offsets:0", "41"}, {"offsets:2", "0"}, {"current:9", "7"}};
  auto t = table_in(s);
  auto const found = hb::newest_row(t, "orders", "billing", soon());
  REQUIRE(found);
  CHECK(found->when == 1795310688831);
  CHECK(found->next == next_of{offset{41}, {}, offset{0}});
  auto const made = hb::made_row("orders", "billing", 1795310688831, "offsets", found->next);
  CHECK(made == hb::row{found->key, {{"offsets:0", "41"}, {"offsets:2", "0"}}});
  CHECK(hb::made_row("orders", "billing", 1, "f", next_of{offset{0}}, 1).cells[0].value == "-1");
}

TEST_CASE("the newest row is found among those of groups whose names begin alike") {
  small_hbase s;
  auto const put = [&](std::string const& key) { s.rows[key] = {{"offsets:0", "1"}}; };
  CHECK(newest(s, "t", "a").empty());
  for (auto const* key : {"t:a:100", "t:a:20", "t:a:15", "t:a:150", "t:a:15:", "t:a:15:300", "t:a:15:7:300", "t:a:3x",
                          "t:a:", "t:a::", "t:a:/", "t:b:999", "t2:a:999", "s:a:999", "t:a:1\xc3\xa9", "t:a:2\x01"})
    put(key);
  CHECK(newest(s, "t", "a") == "t:a:20");
  s.rows.erase("t:a:20");
  CHECK(newest(s, "t", "a") == "t:a:150");
  s.rows.erase("t:a:150");
  CHECK(newest(s, "t", "a") == "t:a:15");
  s.rows.erase("t:a:15");
  CHECK(newest(s, "t", "a") == "t:a:100");
  s.rows.erase("t:a:100");
  CHECK(newest(s, "t", "a").empty());
  CHECK(newest(s, "t", "a:15") == "t:a:15:300");
  CHECK(newest(s, "t", "a:15:7") == "t:a:15:7:300");
  CHECK(newest(s, "t", "a:3x").empty());
  CHECK(newest(s, "t:a", "15").empty());  // no topic of Kafka's
}

TEST_CASE("whatever rows lie there, the newest of the group's own is found") {
  std::mt19937 random{seed()};
  for (int round = 0; round < 40; ++round) {
    small_hbase s;
    std::string best;
    for (auto n = random() % 30; n > 0; --n) {
      std::string rest;
      for (auto i = 1 + random() % 4; i > 0; --i) rest += "019:/x.\x7f"[random() % 8];
      s.rows["t:a:" + rest] = {{"offsets:0", "1"}};
      if (rest.find_first_not_of("0123456789") == rest.npos) best = std::max(best, "t:a:" + rest);
    }
    INFO("round " << round);
    CHECK(newest(s, "t", "a") == best);
  }
}

TEST_CASE("what is in the history and is no offset is told with its row and column, and nothing is claimed") {
  small_hbase s;
  auto const bad = [&](std::string const& qualifier, std::string const& value, std::string const& part) {
    s.rows.clear();
    s.rows["orders:billing:1795310688831"] = {{"offsets:" + qualifier, value}};
    auto store = opened(s.config());
    auto r = orders();
    auto const e = error_of([&] { store.claim("billing", partitions("orders", {0}), r, soon()); });
    INFO(e.text);
    CHECK(e.code == errc::store_damaged);
    CHECK_THAT(e.text,
               ContainsSubstring("row orders:billing:1795310688831, column offsets:") && ContainsSubstring(part));
    CHECK(s.rows.size() <= 2);
    CHECK_FALSE(s.rows["~sluice~billing"].contains("current:state"));
  };
  for (auto const* value : {"", "canary", "-1", "+1", " 1", "1 ", "1.0", "0x1", "9223372036854775808",
                            "9223372036854775807", "\x01\x02\x03\x04\x05\x06\x07\x08"})
    bad("0", value, "no offset");
  for (auto const* qualifier : {"", "x", "-1", "0:1", "1000000", "99999999999"}) bad(qualifier, "1", "no partition");
}

TEST_CASE("a first claim goes on where the history says, and asks for what it does not name") {
  small_hbase s;
  s.rows["orders:billing:1795310688000"] = {{"offsets:0", "1"}, {"offsets:1", "1"}, {"offsets:2", "1"}};
  s.rows["orders:billing:1795310688831"] = {{"offsets:0", "41"}, {"offsets:2", "17"}};
  s.rows["orders:another:1795310699999"] = {{"offsets:0", "7"}};
  texts told;
  auto store = opened(s.config(), &told);
  resolver r{{{"clicks", {offset{5}}}}};
  auto const c =
      claim(store, "billing", {{"orders", 0}, {"orders", 1}, {"orders", 2}, {"orders", 3}, {"clicks", 0}}, r);
  CHECK(c[0].next == offset{41});
  CHECK(c[1].next == offset{101});
  CHECK(c[2].next == offset{17});
  CHECK(c[3].next == offset{103});
  CHECK(c[3].what == sl::claimed::added);
  CHECK(c[4].next == offset{5});
  CHECK_FALSE(c[0].log.last);
  CHECK(r.asked == 1);
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], ContainsSubstring("orders goes on where row orders:billing:1795310688831 says"));

  // From then on the history is not looked at.
  CHECK(advance(store, {to(c[0], 50)}) == all{outcome::applied});
  s.rows["orders:billing:1999999999999"] = {{"offsets:0", "1"}};
  auto again = opened(s.config());
  CHECK(claim(again, "billing", partitions("orders", {0}), r)[0].next == offset{50});
}

TEST_CASE("an advance writes a row for each topic that has moved, with all of its partitions") {
  small_hbase s;
  auto config = s.config();
  config.history_every = 0ms;
  auto store = opened(config);
  resolver r{{{"orders", {offset{10}, offset{20}}}, {"clicks", {offset{5}}}}};
  auto const c = claim(store, "billing", {{"orders", 0}, {"orders", 1}, {"clicks", 0}}, r);
  CHECK(keys(s).empty());
  auto const before = wall_ms();
  CHECK(advance(store, {to(c[0], 15)}) == all{outcome::applied});
  auto first = keys(s);
  REQUIRE(first.size() == 2);
  CHECK(first[0].starts_with("clicks:billing:"));
  CHECK(std::stoll(first[1].substr(std::string{"orders:billing:"}.size())) >= before);
  CHECK(s.rows[first[1]] == small_hbase::cells{{"offsets:0", "15"}, {"offsets:1", "20"}});
  std::this_thread::sleep_for(2ms);
  CHECK(advance(store, {to(c[1], 25)}) == all{outcome::applied});
  auto const second = keys(s);
  REQUIRE(second.size() == 3);
  CHECK(s.rows[second[2]] == small_hbase::cells{{"offsets:0", "15"}, {"offsets:1", "25"}});
  CHECK(advance(store, {to(c[1], 25)}) == all{outcome::applied});  // nothing has moved
  CHECK(keys(s).size() == 3);
}

TEST_CASE("rows of the history come not more often than they shall, and at the end") {
  small_hbase s;
  auto config = s.config();
  config.history_every = 1h;
  auto store = opened(config);
  auto r = orders();
  auto const c = claim(store, "billing", partitions("orders", {0, 1}), r);
  auto move = to(c[0], 15);
  for (int i = 0; i < 5; ++i) {
    CHECK(advance(store, {move}) == all{outcome::applied});
    move.from = move.until;
    move.until = move.until.next();
  }
  CHECK(keys(s).size() == 1);
  std::this_thread::sleep_for(2ms);
  auto const back = store.record({{c[1].of, offset{3}, c[1].mine, "seek"}}, soon());
  REQUIRE(keys(s).size() == 2);
  CHECK(s.rows[keys(s)[1]] == small_hbase::cells{{"offsets:0", "19"}, {"offsets:1", "3"}});
  move.from = offset{19};
  move.until = offset{30};
  CHECK(advance(store, {move}) == all{outcome::applied});
  CHECK(keys(s).size() == 2);
  std::this_thread::sleep_for(2ms);
  store.release({c[0], back[0]}, soon());
  REQUIRE(keys(s).size() == 3);
  CHECK(s.rows[keys(s)[2]].at("offsets:0") == "30");

  config.history = false;
  auto quiet = opened(config);
  auto const d = claim(quiet, "billing", partitions("orders", {0}), r);
  CHECK(advance(quiet, {to(d[0], 40)}) == all{outcome::applied});
  quiet.release(d, soon());
  CHECK(keys(s).size() == 3);
}

TEST_CASE("a row bears the time before its state was stored, so a sleeper's is not the newest") {
  small_hbase s;
  auto config = s.config();
  config.history_every = 0ms;
  auto store = opened(config);
  auto r = orders();
  auto const c = claim(store, "billing", partitions("orders", {0}), r);
  std::int64_t stored_at = 0;
  s.say = [&](http_request const& q) -> std::optional<servers::http_answer> {
    if (q.target.ends_with("?check=put")) {
      stored_at = wall_ms();
      std::this_thread::sleep_for(5ms);
    }
    return {};
  };
  CHECK(advance(store, {to(c[0], 15)}) == all{outcome::applied});
  REQUIRE(keys(s).size() == 1);
  CHECK(std::stoll(keys(s)[0].substr(std::string{"orders:billing:"}.size())) <= stored_at);
}

TEST_CASE("a history that takes nothing does not hold the advance up, and is not asked again at once") {
  small_hbase s;
  auto config = s.config();
  config.history_every = 0ms;
  texts told;
  auto store = opened(config, &told);
  auto r = orders();
  auto const c = claim(store, "billing", partitions("orders", {0}), r);
  s.say = [](http_request const& q) -> std::optional<servers::http_answer> {
    if (q.target == "/t/rows") return servers::http_answer{.status = 503, .content = "Unavailable canary"};
    return {};
  };
  auto move = to(c[0], 15);
  for (int i = 0; i < 3; ++i) {
    CHECK(advance(store, {move}) == all{outcome::applied});
    move.from = move.until;
    move.until = move.until.next();
  }
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], ContainsSubstring("which does not count") && !ContainsSubstring("canary"));
  CHECK(s.asked("PUT", "/t/rows") == 1);
}

TEST_CASE("a group with a colon has no history, which must be said") {
  small_hbase s;
  auto config = s.config();
  auto const open = [&](std::string const& group) {
    return error_of([&] { auto const store = sl::hbase_offsets::open(config, sl::context{.group = group}); });
  };
  auto const e = open("a:15");
  CHECK(e.code == errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("hbase_offsets.history = false"));
  auto store = opened(config);
  auto r = orders();
  CHECK(error_of([&] { store.claim("a:15", partitions("orders", {0}), r, soon()); }).code == errc::bad_configuration);
  config.history = false;
  CHECK(open("a:15").text == "");

  // It goes on where its rows say all the same: they can be told from others'.
  s.rows["orders:a:15:1795310688831"] = {{"offsets:0", "41"}};
  auto quiet = opened(config);
  CHECK(claim(quiet, "a:15", partitions("orders", {0}), r)[0].next == offset{41});
  CHECK(claim(quiet, "a", partitions("orders", {0}), r)[0].next == offset{10});
}
