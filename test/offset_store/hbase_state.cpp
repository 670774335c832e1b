#include <sluice/offset_store/hbase_state.hpp>

#include "contract.hpp"
#include "servers/small_hbase.hpp"
#include "thrown.hpp"

namespace {

using namespace contract;
using servers::http_answer;
using servers::http_request;
using servers::small_hbase;
using sl::errc;
using sl::detail::publication;

namespace hb = sl::detail::hbase;

constexpr auto row_of_billing = "~sluice~billing";
constexpr auto column = "current:state";

hb::state state_in(small_hbase const& s, std::string const& group = "billing") {
  hb::state one{hb::settings_of(s.config())};
  one.select(group);
  return one;
}
sl::hbase_offset_store opened(small_hbase const& s) {
  auto config = s.config();
  config.history = false;
  return sl::hbase_offsets::open(config, sl::context{.group = "billing"});
}

}  // namespace

TEST_CASE("a state is created where there is none, and replaced where it is what was read") {
  small_hbase s;
  auto a = state_in(s), b = state_in(s);
  a.newest(soon()).topics[{"billing", "a"}];
  b.newest(soon()).topics[{"billing", "b"}];
  CHECK(a.publish(soon()) == publication::yes);
  CHECK(a.current());
  CHECK(b.publish(soon()) == publication::taken);
  CHECK_FALSE(b.current());
  CHECK(b.newest(soon()).topics.contains({"billing", "a"}));
  b.newest(soon()).topics[{"billing", "b"}];
  CHECK(b.publish(soon()) == publication::yes);
  a.newest(soon()).topics[{"billing", "late"}];
  CHECK(a.publish(soon()) == publication::taken);
  CHECK(a.newest(soon()).topics.contains({"billing", "b"}));
  CHECK_FALSE(a.newest(soon()).topics.contains({"billing", "late"}));
  CHECK(s.rows.size() == 1);
}

TEST_CASE("of two states the one that was published later has no smaller time") {
  small_hbase s;
  auto a = state_in(s), b = state_in(s);
  auto const before = wall_ms();
  a.newest(soon()).topics[{"billing", "a"}];
  CHECK(a.publish(soon()) == publication::yes);
  CHECK(a.as_of() >= before);
  auto const first = a.as_of();
  std::this_thread::sleep_for(3ms);
  b.newest(soon()).topics[{"billing", "b"}];
  CHECK(b.as_of() > first);
  CHECK(b.publish(soon()) == publication::yes);
  CHECK(a.as_of() == first);  // though this one is looked at later
}

TEST_CASE("that a cell is not there is believed from a server that sees its tables only") {
  small_hbase s;
  auto one = state_in(s);
  auto const missing = http_answer{.status = 404, .content = "Not found\r\n"};
  bool master = false;
  s.say = [&](http_request const& r) -> std::optional<http_answer> {
    if (r.target.ends_with(column) && !master) return missing;
    if (r.target == "/t/schema" && !master) return http_answer{.status = 503, .content = "Unavailable"};
    return {};
  };
  s.rows[row_of_billing][column] = "x";
  CHECK(error_of([&] { one.newest(soon()); }).code == errc::store_unavailable);
  // It comes back between the two looks at the cell.
  s.say = [&](http_request const& r) -> std::optional<http_answer> {
    if (r.target == "/t/schema") master = true;
    return r.target.ends_with(column) && !master ? std::optional{missing} : std::nullopt;
  };
  CHECK(error_of([&] { one.newest(soon()); }).code == errc::store_damaged);
  s.rows.clear();
  CHECK(one.newest(soon()).topics.empty());
}

TEST_CASE("an answer that may hide a success leaves it unknown, one that can't is thrown") {
  small_hbase s;
  auto store = opened(s);
  auto r = orders();
  auto const c = claim(store, "billing", partitions("orders", {0}), r);
  std::vector const moves{to(c[0], 15)};
  int times = 0;
  auto const first_put = [&](http_answer const& a, bool stored) {
    times = 0;
    s.say = [&, a, stored](http_request const& q) -> std::optional<http_answer> {
      if (q.method != "PUT" || times++ > 0) return {};
      if (stored) s.answer(q);
      return a;
    };
  };
  SECTION("304 though nobody else was there: the same request came twice") {
    first_put({.status = 304}, true);
    CHECK(advance(store, moves) == all{outcome::applied});
    CHECK(times == 1);
  }
  SECTION("a server in trouble, stored or not") {
    auto const a = GENERATE(http_answer{.status = 503, .content = "Unavailable"}, http_answer{.status = 500},
                            http_answer{.status = 429}, http_answer{.status = 0});
    bool const stored = GENERATE(true, false);
    first_put(a, stored);
    auto answers = advance(store, moves);
    if (a.status != 0) CHECK(answers == all{outcome::unknown});  // libcurl itself asks again where nothing came
    answers = contract::copy(store.settle(moves, soon()));
    CHECK(answers == all{outcome::applied});
    CHECK(state_in(s).newest(soon()).topics.at({"billing", "orders"})[0].next == offset{15});
  }
  SECTION("a claim") {
    first_put({.status = 503, .content = "Unavailable canary"}, true);
    auto const failed = store.claim("billing", partitions("orders", {0}), r, soon());
    CHECK(failed[0].what == sl::claimed::failed);
    CHECK_THAT(failed[0].why, ContainsSubstring(row_of_billing) && ContainsSubstring("no answer"));
  }
  SECTION("no room") {
    first_put({.status = 400, .content = "Bad request\r\njava.lang.IllegalArgumentException: KeyValue size too large"},
              false);
    CHECK(error_of([&] { store.advance(moves, soon()); }).code == errc::store_full);
    CHECK(advance(store, moves) == all{outcome::applied});
  }
  SECTION("a right that is gone") {
    first_put({.status = 403, .content = "Forbidden canary"}, false);
    CHECK(error_of([&] { store.advance(moves, soon()); }).code == errc::bad_configuration);
    CHECK(advance(store, moves) == all{outcome::applied});
  }
  SECTION("a table that is gone") {
    s.there = false;
    auto const e = error_of([&] { store.advance(moves, soon()); });
    CHECK(e.code == errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("create 't', {NAME => 'current', VERSIONS => 1}"));
    CHECK(contract::copy(store.settle(moves, soon())) == all{outcome::unknown});
  }
}

TEST_CASE("what is in the cell and can't be read is told, and left as it was") {
  small_hbase s;
  auto store = opened(s);
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const c = claim(store, "billing", set, r);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto const good = s.rows.at(row_of_billing).at(column);
  auto const everything = [&](std::string const& content, errc code, std::string const& part) {
    if (content.empty())
      s.rows.erase(row_of_billing);
    else
      s.rows[row_of_billing][column] = content;
    auto const before = s.rows[row_of_billing];
    auto const told = [&](auto call) {
      auto const e = error_of(call);
      INFO(e.text);
      CHECK(e.of_store);
      CHECK(e.code == code);
      CHECK_THAT(e.text, ContainsSubstring("table t") && ContainsSubstring(row_of_billing) && ContainsSubstring(part));
      CHECK(s.rows[row_of_billing] == before);
    };
    told([&] { store.advance(moves, soon()); });
    told([&] { store.claim("billing", set, r, soon()); });
    told([&] { store.record({{set[1], offset{1}, c[1].mine, "seek"}}, soon()); });
    CHECK(contract::copy(store.settle(moves, soon())) == all(2, outcome::unknown));
    store.release(c, soon());
  };
  SECTION("somebody else's") { everything("canary", errc::store_damaged, "no file of offsets"); }
  SECTION("cut short") { everything(good.substr(0, good.size() - 1), errc::store_damaged, "put it back"); }
  SECTION("a bit") {
    auto bit = good;
    bit[40] ^= 1;
    everything(bit, errc::store_damaged, "its checksum");
  }
  SECTION("of another group") {
    claim(store, "other", set, r);
    claim(store, "billing", set, r);
    everything(s.rows.at("~sluice~other").at(column), errc::store_damaged, "the group 'other'");
  }
  SECTION("a newer format") {
    std::string head{sl::detail::generation_magic}, length;
    sl::detail::byte_writer{head}.number(std::uint32_t{2});
    sl::detail::byte_writer{length}.number(std::uint64_t{3});
    auto const crc = sl::detail::crc32c("new", sl::detail::crc32c(length, sl::detail::crc32c(head)));
    sl::detail::byte_writer{head}.number(crc);
    everything(head + length + "new", errc::store_newer, "later version");
  }
  SECTION("it is gone") { everything("", errc::store_damaged, "was there before"); }
}

TEST_CASE("groups have different rows, none of which a topic's can be") {
  auto const key = [](std::string const& group) {
    small_hbase s;
    auto one = state_in(s, group);
    one.newest(soon());
    CHECK(one.publish(soon()) == publication::yes);
    return s.rows.begin()->first;
  };
  CHECK(key("billing") == row_of_billing);
  CHECK(key("") == "~sluice~~");
  CHECK(key("a:b") == "~sluice~a~3Ab");
  CHECK(key("a/b,c*") == "~sluice~a~2Fb~2Cc~2A");
  CHECK(key("~probe") != "~sluice~~probe");
  small_hbase const s;
  auto const e = error_of([&] { state_in(s, std::string(33'000, 'x')); });
  CHECK(e.code == errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("too long"));
}
