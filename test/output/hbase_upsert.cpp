#include <sluice/output/hbase_upsert.hpp>

#include <thread>

#include "../offset_store/hbase_support.hpp"
#include "upsert_cases.hpp"

namespace {

using namespace upsert_cases;
using namespace std::chrono_literals;

struct fixture {
  sl::hbase_upsert_into upsert{
      .address = the_hbase().address(), .table = "upsert" + std::to_string(++hbase_fixtures), .columns = {"v"}};

  template <class Map>
  auto output(Map map) {
    return sl::hbase_upsert{upsert, map};
  }
  std::map<std::string, std::map<std::string, std::string>> rows() const {
    std::map<std::string, std::map<std::string, std::string>> all;
    auto const a = the_hbase().ask("GET", "/" + upsert.table + "/*");
    for (auto const& r : hb::rows_of(a.content).value_or(std::vector<hb::row>{}))
      for (auto const& c : r.cells) all[r.key][c.column] = c.value;
    return all;
  }
  /// What the cases ask of SQL: the table `last`, or to drop it.
  texts look(std::string const& sql) const {
    texts all;
    for (auto& [key, cells] : rows()) {
      if (sql.starts_with("drop")) {
        the_hbase().must("DELETE", "/" + upsert.table + "/" + key);
        continue;
      }
      auto const place = hb::upsert_place::of(cells.at("current:sluice"));
      REQUIRE(place);
      all.push_back(key + "|" + (place->deleted ? "null|1" : cells.at("current:v") + "|0"));
    }
    if (sql.starts_with("drop"))
      std::this_thread::sleep_for(5ms);  // what is put in the same millisecond is deleted, too
    return all;
  }
};

}  // namespace

TEST_CASE("hbase_upsert keeps what idempotent outputs promise") {
  hold_by_one_key<fixture>();
  on_fresh<fixture>("what a mapping throws goes through, and nothing of the batch is kept", throwing_mapping<fixture>);
}

TEST_CASE("a row that another one has written meanwhile is looked at again") {
  fixture f;
  auto mine = f.output(key_and_text), other = f.output(key_and_text);
  std::vector<std::thread> both;
  for (auto* out : {&mine, &other})
    both.emplace_back([out] {
      for (std::int64_t at = 1; at <= 60; ++at)
        (*out)(single(zero, at, "k" + std::to_string(at % 2), std::to_string(at)).batch());
    });
  for (auto& t : both) t.join();
  CHECK(last(f) == texts{"k0|60|0", "k1|59|0"});
}

TEST_CASE("keys of every kind, and many of them") {
  fixture f;
  auto out = f.output(key_and_text);
  some_records r{zero};
  std::vector<std::string> const keys{"a/b", "a b", "a&row=c", "é", "%41", "x?y#z", "..", "*", "a*", "a"};
  std::int64_t at = 0;
  for (auto const& k : keys) r.add(++at, k, "1");
  for (int i = 0; i < 500; ++i) r.add(++at, "key number " + std::to_string(i), "1");
  for (int twice = 0; twice < 2; ++twice) {
    out(r.batch());
    auto const rows = f.rows();
    CHECK(rows.size() == keys.size() + 500);
    for (auto const& k : keys) CHECK(rows.contains(k));
  }
}

TEST_CASE("what doesn't fit is an error, and no byte of a record is in it") {
  fixture f;
  auto out = f.output(key_and_text);
  auto few = f.output([](sl::record r, auto& row) { row(r.key_text()); });
  the_hbase().must("PUT", "/" + f.upsert.table + "/row",
                   hb::json_of({{.key = "CANARY", .cells = {{"current:sluice", "theirs"}}}}));
  for (auto const& e : {error_of([&] { few(single(zero, 1, "a", "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, std::nullopt, "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, "", "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, "\xff", "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, "CANARY", "CANARY").batch()); })}) {
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
  }
}

TEST_CASE("what the configuration can't be is told at construction") {
  auto const refused = [](auto change) {
    fixture f;
    change(f.upsert);
    auto const e = error_of([&] { f.output(key_and_text); });
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("hbase_upsert") && !ContainsSubstring("hbase_offsets"));
    return e.text;
  };
  CHECK_THAT(refused([](auto& u) { u.table = "no good"; }), ContainsSubstring("hbase_upsert.table"));
  CHECK_THAT(refused([](auto& u) { u.family = ""; }), ContainsSubstring("hbase_upsert.family"));
  CHECK_THAT(refused([](auto& u) { u.columns = {"v", "v"}; }), ContainsSubstring("twice"));
  CHECK_THAT(refused([](auto& u) { u.columns = {"sluice"}; }), ContainsSubstring("sluice"));
  CHECK_THAT(refused([](auto& u) { u.columns = {"a:b"}; }), ContainsSubstring("letters"));
  CHECK_THAT(refused([](auto& u) { u.address = "h"; }), ContainsSubstring("hbase_upsert.address"));
  CHECK_THAT(refused([](auto& u) { u.create = false; }), ContainsSubstring("create '"));
  fixture expiring;
  the_hbase().must("POST", "/" + expiring.upsert.table + "/schema",
                   R"({"name":")" + expiring.upsert.table + R"(","ColumnSchema":[{"name":"current","TTL":"100"}]})");
  auto const e = error_of([&] { expiring.output(key_and_text); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("what is old could come back"));
}

TEST_CASE("a server that is away is the store's failure, and the batch is taken when it is back") {
  fixture f;
  f.upsert.timeout = 2s;
  f.upsert.batch_timeout = 4s;
  auto out = f.output(key_and_text);
  auto const first = single(zero, 1, "a", "1"), second = single(zero, 2, "a", "2");
  out(first.batch());
  the_hbase().freeze_master(true);
  CHECK(error_of([&] { out(second.batch()); }).of_store);
  the_hbase().freeze_master(false);
  for (auto const give_up = std::chrono::steady_clock::now() + 60s; error_of([&] { out(second.batch()); }).code;)
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  CHECK(last(f) == texts{"a|2|0"});
}
