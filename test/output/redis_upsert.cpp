#include <sluice/output/redis_upsert.hpp>

#include "../offset_store/redis_support.hpp"
#include "upsert_cases.hpp"

namespace {

using namespace upsert_cases;
using namespace std::chrono_literals;

struct fixture {
  sl::redis_upsert_into upsert{.host = "127.0.0.1",
                               .port = the_redis().port(),
                               .password = the_redis().password(),
                               .prefix = "last" + std::to_string(++fixtures),
                               .columns = {"v"}};

  template <class Map>
  auto output(Map map) {
    return sl::redis_upsert{upsert, map};
  }
  std::string key(std::string const& k) const { return "{" + upsert.prefix + "}:" + k; }
  std::map<std::string, std::string> hash(std::string const& k) const {
    auto const all = the_redis().ask({"HGETALL", key(k)});
    std::map<std::string, std::string> fields;
    for (std::size_t i = 0; i + 1 < all.size(); i += 2) fields[all[i]] = all[i + 1];
    return fields;
  }
  /// What the cases ask of SQL: the table `last`, or to drop it.
  texts look(std::string const& sql) {
    auto keys = the_redis().ask({"KEYS", key("*")});
    std::sort(keys.begin(), keys.end());
    texts all;
    for (auto const& k : keys) {
      if (sql.starts_with("drop")) {
        the_redis().ask({"DEL", k});
        continue;
      }
      auto const name = k.substr(key("").size());
      auto f = hash(name);
      all.push_back(name + "|" + (f.contains("v") ? f["v"] : "null") + "|" + f["sluice_deleted"]);
    }
    return all;
  }
};

}  // namespace

TEST_CASE("redis_upsert keeps what idempotent outputs promise") {
  hold_by_one_key<fixture>();
  on_fresh<fixture>("what a mapping throws goes through, and nothing of the batch is kept", throwing_mapping<fixture>);
}

TEST_CASE("numbers are compared as numbers, negative versions and large ones too") {
  fixture f;
  std::int64_t version = 0;
  f.upsert.version = [&](sl::record) { return version; };
  auto out = f.output(key_and_text);
  std::int64_t at = 0;
  auto const write = [&](std::int64_t v, std::string const& text) {
    version = v;
    out(single(zero, ++at, "a", text).batch());
    return last(f);
  };
  CHECK(write(INT64_MIN, "lowest") == texts{"a|lowest|0"});
  CHECK(write(-10, "-10") == texts{"a|-10|0"});
  CHECK(write(-9, "-9") == texts{"a|-9|0"});
  CHECK(write(-10, "-10") == texts{"a|-9|0"});
  CHECK(write(9, "9") == texts{"a|9|0"});
  CHECK(write(10, "10") == texts{"a|10|0"});
  CHECK(write(9, "9") == texts{"a|10|0"});
  CHECK(write(INT64_MAX - 1, "high") == texts{"a|high|0"});
  CHECK(write(INT64_MAX, "highest") == texts{"a|highest|0"});
  CHECK(write(INT64_MAX - 1, "high") == texts{"a|highest|0"});
  CHECK(f.hash("a")["sluice_version"] == "9223372036854775807");
}

TEST_CASE("columns are of many types, and may be missing") {
  fixture f;
  f.upsert.columns = {"v", "n", "none", "raw", "yes"};
  auto out = f.output([](sl::record r, auto& row) {
    row(r.offset().value(), r.text(), -5, r.offset() == sl::offset{1} ? std::optional<double>(1.5) : std::nullopt,
        r.value(), true);
  });
  some_records r{zero};
  r.add(1, "a", std::string{"\0\xff-=", 4});
  out(r.batch());
  auto fields = f.hash("1");
  CHECK(fields["v"] == std::string{"\0\xff-=", 4});
  CHECK(fields["n"] == "-5");
  CHECK(fields["none"] == "1.5");
  CHECK(fields["raw"] == fields["v"]);
  CHECK(fields["yes"] == "1");
  out(single(zero, 2, "a", "x").batch());
  CHECK_FALSE(f.hash("2").contains("none"));
}

TEST_CASE("what doesn't fit is an error, and no byte of a record is in it") {
  fixture f;
  auto few = f.output([](sl::record r, auto& row) { row(r.key_text()); });
  auto no_key = f.output([](sl::record r, auto& row) { row(r.key(), r.text()); });
  auto out = f.output(key_and_text);
  the_redis().ask({"HSET", f.key("CANARY"), "v", "theirs"});
  the_redis().ask({"SET", f.key("text"), "theirs"});
  for (auto const& e : {error_of([&] { few(single(zero, 1, "a", "CANARY").batch()); }),
                        error_of([&] { no_key(single(zero, 1, std::nullopt, "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, "CANARY", "CANARY").batch()); })}) {
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
  }
  CHECK(f.hash("CANARY") == std::map<std::string, std::string>{{"v", "theirs"}});
  CHECK(error_of([&] { out(single(zero, 1, "text", "x").batch()); }).of_store);
  the_redis().ask({"DEL", f.key("text"), f.key("CANARY")});
}

TEST_CASE("what the configuration can't be is told at construction") {
  auto const refused = [](auto change) {
    fixture f;
    change(f.upsert);
    auto const e = error_of([&] { f.output(key_and_text); });
    CHECK(e.code == sl::errc::bad_configuration);
    return e.text;
  };
  CHECK_THAT(refused([](auto& u) { u.prefix = ""; }), ContainsSubstring("redis_upsert.prefix"));
  CHECK_THAT(refused([](auto& u) { u.prefix = "a}b"; }), ContainsSubstring("redis_upsert.prefix"));
  CHECK_THAT(refused([](auto& u) { u.columns = {"v", "v"}; }), ContainsSubstring("twice"));
  CHECK_THAT(refused([](auto& u) { u.columns = {"sluice_offset"}; }), ContainsSubstring("sluice_"));
  CHECK_THAT(refused([](auto& u) { u.columns = {""}; }), ContainsSubstring("empty"));
  CHECK_THAT(refused([](auto& u) { u.port = 0; }), ContainsSubstring("redis_upsert.port"));
}

TEST_CASE("a server that is away is the store's failure, and the batch is taken when it is back") {
  fixture f;
  auto out = f.output(key_and_text);
  auto const first = single(zero, 1, "a", "1"), second = single(zero, 2, "a", "2");
  out(first.batch());
  the_redis().kill();
  CHECK(error_of([&] { out(second.batch()); }).of_store);
  the_redis().start();
  out(second.batch());
  CHECK(last(f) == texts{"a|2|0"});
}

TEST_CASE("a server that may lose what it has taken is refused, unless that was asked for") {
  servers::redis lossy{{"--appendfsync", "everysec"}};
  sl::redis_upsert_into into{
      .host = "127.0.0.1", .port = lossy.port(), .password = lossy.password(), .prefix = "x", .columns = {"v"}};
  auto const e = error_of([&] { sl::redis_upsert{into, key_and_text}; });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("appendfsync"));
  into.durable = false;
  sl::redis_upsert{into, key_and_text}(single(zero, 1, "a", "1").batch());
}
