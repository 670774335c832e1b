#include <sluice/output/postgres_upsert.hpp>

#include <sluice/delivery/idempotent.hpp>

#include <algorithm>
#include <map>
#include <random>

#include "../offset_store/postgres_support.hpp"
#include "../seed.hpp"
#include "../servers/proxy.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using texts = std::vector<std::string>;
using namespace std::chrono_literals;

auto const key_and_text = [](sl::record r, auto& row) { row(r.key_text(), r.text()); };

sl::topic_partition const zero{"orders", 0}, one{"orders", 1};

struct fixture : postgres_fixture {
  sl::postgres_upsert_into upsert{.connection = here(), .table = "last", .key = {"k"}, .columns = {"v"}};
  texts last() { return look("select k, v, sluice_deleted from last order by k"); }
};

some_records single(sl::topic_partition const& of, std::int64_t at, std::optional<std::string> const& key,
                    std::optional<std::string> const& value, std::int64_t incarnation = 1) {
  some_records r{of, incarnation};
  r.add(at, key, value);
  return r;
}

}  // namespace

TEST_CASE("the output is what idempotent takes") {
  STATIC_REQUIRE(sl::idempotent_output<sl::postgres_upsert<decltype(key_and_text)>>);
}

TEST_CASE_METHOD(fixture, "an upsert keeps the newest of each key, in any order, however often") {
  sl::postgres_upsert out{upsert, key_and_text};
  auto const first = single(zero, 5, "a", "5"), late = single(zero, 3, "a", "3"), next = single(zero, 9, "a", "9");
  out(first.batch());
  CHECK(last() == texts{"a|5|0"});
  out(late.batch());
  CHECK(last() == texts{"a|5|0"});
  out(next.batch());
  out(first.batch());
  CHECK(last() == texts{"a|9|0"});
  out(sl::batch{});
}

TEST_CASE_METHOD(fixture, "a tombstone stays, so that nothing old comes back") {
  sl::postgres_upsert out{upsert, key_and_text};
  out(single(zero, 5, "a", "5").batch());
  out(single(zero, 6, "a", std::nullopt).batch());
  CHECK(last() == texts{"a|null|1"});
  out(single(zero, 5, "a", "5").batch());
  CHECK(last() == texts{"a|null|1"});
  out(single(zero, 7, "a", "").batch());
  CHECK(last() == texts{"a||0"});
  out(single(zero, 8, "never seen", std::nullopt).batch());
  out(single(zero, 7, "never seen", "old").batch());
  CHECK(last() == texts{"a||0", "never seen|null|1"});
}

TEST_CASE_METHOD(fixture, "a mapping may remove a key itself, write no row, or several") {
  sl::postgres_upsert out{upsert, [](sl::record r, auto& row) {
                            if (r.text() == "nothing") return;
                            if (r.text() == "gone") return row.remove(r.key_text());
                            row(r.key_text(), r.text());
                            row(r.key_text(), "second of the same key");
                            row(std::string(r.key_text()) + "2", r.text());
                          }};
  out(single(zero, 1, "a", "x").batch());
  CHECK(last() == texts{"a|x|0", "a2|x|0"});
  out(single(zero, 2, "a", "gone").batch());
  out(single(zero, 3, "a2", "nothing").batch());
  CHECK(last() == texts{"a|null|1", "a2|x|0"});
}

TEST_CASE_METHOD(fixture, "a new incarnation is newer, whatever its offsets") {
  sl::postgres_upsert out{upsert, key_and_text};
  out(single(zero, 100, "a", "old", 1000).batch());
  out(single(zero, 2, "a", "new", 1001).batch());
  CHECK(last() == texts{"a|new|0"});
  out(single(zero, 101, "a", "zombie", 1000).batch());
  CHECK(last() == texts{"a|new|0"});
}

TEST_CASE_METHOD(fixture,
                 "a key from another partition is an error that names both, and nothing of its batch is kept") {
  sl::postgres_upsert out{upsert, key_and_text};
  out(single(zero, 5, "CANARY", "5").batch());
  for (auto const& value : {std::optional<std::string>("CANARY"), std::optional<std::string>()}) {
    some_records other{one};
    other.add(6, "b", "6").add(7, "CANARY", value);
    auto const e = error_of([&] { out(other.batch()); });
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring("6 bytes") && ContainsSubstring("orders/0") && ContainsSubstring("orders/1") &&
                           ContainsSubstring(".version"));
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
    CHECK(last() == texts{"CANARY|5|0"});
  }
  CHECK(error_of([&] { out(single({"clicks", 0}, 6, "CANARY", "x").batch()); }).code == sl::errc::bad_statement);
}

TEST_CASE_METHOD(fixture, "with a version keys may come from anywhere, and the order of arrival does not matter") {
  upsert.version = [](sl::record r) { return std::stoll(std::string(r.text()).substr(0, 1)); };
  std::vector<some_records> all;
  all.push_back(single(zero, 100, "a", "1 old"));
  all.push_back(single(one, 3, "a", "2 tie from 1"));
  all.push_back(single(zero, 7, "a", "2 tie from 0"));
  all.push_back(single(one, 2, "a", "2 earlier in 1"));
  std::vector<std::size_t> order{0, 1, 2, 3};
  do {
    look("drop table if exists last");
    sl::postgres_upsert out{upsert, key_and_text};
    for (auto const i : order) out(all[i].batch());
    CHECK(last() == texts{"a|2 tie from 1|0"});
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE_METHOD(fixture, "keys of several columns") {
  upsert.key = {"k", "part"};
  sl::postgres_upsert out{upsert, [](sl::record r, auto& row) { row(r.key_text(), r.offset().value() % 2, r.text()); }};
  some_records r{zero};
  r.add(1, "a", "1").add(2, "a", "2").add(3, "a", "3").add(4, "a", std::nullopt);
  out(r.batch());
  CHECK(look("select k, part, v, sluice_deleted from last order by part") == texts{"a|0|null|1", "a|1|3|0"});
}

TEST_CASE_METHOD(fixture, "repeated, late and reordered batches end as if each record had been applied once") {
  std::minstd_rand random{seed()};
  std::vector<some_records> batches;
  std::map<std::string, std::string> newest;
  for (std::int64_t at = 0; at < 60;) {
    some_records b{zero};
    for (auto const end = at + 1 + static_cast<std::int64_t>(random() % 5); at < end; ++at) {
      auto const key = std::string(1, static_cast<char>('a' + random() % 4));
      bool const gone = random() % 4 == 0;
      b.add(at, key, gone ? std::nullopt : std::optional(std::to_string(at)));
      newest[key] = key + "|" + (gone ? "null|1" : std::to_string(at) + "|0");
    }
    batches.push_back(std::move(b));
  }
  texts want;
  for (auto const& [_, row] : newest) want.push_back(row);
  sl::postgres_upsert out{upsert, key_and_text};
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < batches.size(); ++i) order.insert(order.end(), 1 + random() % 3, i);
  std::shuffle(order.begin(), order.end(), random);
  for (auto const i : order) out(batches[i].batch());
  CHECK(last() == want);
}

TEST_CASE_METHOD(fixture, "what a mapping throws goes through, and nothing of its batch is kept") {
  struct mine {};
  sl::postgres_upsert out{upsert, [](sl::record r, auto& row) {
                            if (r.offset() == sl::offset{3}) throw mine{};
                            row(r.key_text(), r.text());
                          }};
  some_records r{zero};
  r.add(1, "a", "1").add(2, "b", "2").add(3, "c", "3");
  CHECK_THROWS_AS(out(r.batch()), mine);
  CHECK(last().empty());
  out(single(zero, 1, "a", "1").batch());
  CHECK(last() == texts{"a|1|0"});
}

TEST_CASE_METHOD(fixture, "a row of the wrong size or type is the handler's fault, told without values") {
  look(
      "create table typed (k int primary key, v int not null check (v < 10), sluice_partition text not null,"
      " sluice_incarnation bigint not null, sluice_offset bigint not null, sluice_version bigint not null,"
      " sluice_deleted integer not null)");
  sl::postgres_upsert few{upsert, [](sl::record, auto& row) { row(); }};
  sl::postgres_upsert no_key{upsert, key_and_text};
  upsert.table = "typed";
  sl::postgres_upsert typed{upsert, key_and_text};
  auto const r = single(zero, 1, std::nullopt, "CANARY"), text = single(zero, 1, "7", "CANARY"),
             big = single(zero, 1, "7", "11");
  for (auto const& e : {error_of([&] { few(r.batch()); }), error_of([&] { no_key(r.batch()); }),
                        error_of([&] { typed(text.batch()); }), error_of([&] { typed(big.batch()); })}) {
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
  }
  typed(single(zero, 2, "7", "9").batch());
  CHECK(look("select k, v from typed") == texts{"7|9"});
}

TEST_CASE_METHOD(fixture, "a server that fails is never the record's fault, and a batch comes again unharmed") {
  servers::proxy p{port()};
  upsert.connection = here(p.port());
  sl::postgres_upsert out{upsert, key_and_text};
  std::int64_t at = 0;
  for (auto const t :
       {servers::proxy::trouble::cut_before, servers::proxy::trouble::cut_after, servers::proxy::trouble::hold})
    for (unsigned k = 0; k < 2; ++k) {
      ++at;
      auto const next = single(zero, at, "a", std::to_string(at));
      p.arrange(t, k);
      CHECK(error_of([&] { out(next.batch()); }).of_store);
      out(next.batch());
      p.deliver();
      CHECK(last() == texts{"a|" + std::to_string(at) + "|0"});
    }
  plain_session other{here()};
  other.rows("begin");
  other.rows("select * from last for update");
  upsert.lock_timeout = 50ms;
  sl::postgres_upsert impatient{upsert, key_and_text};
  auto const e = error_of([&] { impatient(single(zero, 99, "a", "99").batch()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK(e.of_store);
}

TEST_CASE_METHOD(fixture, "what the configuration can't be is told at construction") {
  auto const refused = [&] {
    auto const e = error_of([&] { sl::postgres_upsert{upsert, key_and_text}; });
    CHECK(e.code == sl::errc::bad_configuration);
    return e.text;
  };
  auto const good = upsert;
  upsert.table = "no good";
  CHECK_THAT(refused(), ContainsSubstring("postgres_upsert.table"));
  upsert = good;
  upsert.key = {};
  CHECK_THAT(refused(), ContainsSubstring("postgres_upsert.key"));
  upsert.key = {"v"};
  CHECK_THAT(refused(), ContainsSubstring("twice"));
  upsert.key = {"sluice_offset"};
  CHECK_THAT(refused(), ContainsSubstring("sluice_"));
  upsert = good;
  upsert.columns = {"v; drop table last"};
  refused();
  upsert = good;
  look("create table last (k text primary key, v text)");
  CHECK_THAT(refused(), ContainsSubstring("postgres_upsert.table") && ContainsSubstring("lacks"));
  look("drop table last");
  sl::postgres_upsert{upsert, key_and_text};
  look("alter table last drop constraint last_pkey");
  CHECK_THAT(refused(), ContainsSubstring("lacks"));
}
