#include <sluice/output/elasticsearch_upsert.hpp>

#include <thread>

#include "servers/elasticsearch.hpp"
#include "servers/http.hpp"
#include "servers/proxy.hpp"
#include "upsert_cases.hpp"

namespace {

using namespace upsert_cases;
using namespace std::chrono_literals;
using sl::detail::json;

servers::elasticsearch& the_elasticsearch() {
  static servers::elasticsearch server;
  return server;
}
int fixtures = 0;

json parsed(sl::detail::http::answer const& a) {
  INFO(a.content);
  auto const j = sl::detail::json_reader{a.content}.read();
  REQUIRE(j);
  return *j;
}

struct fixture {
  sl::elasticsearch_upsert_into upsert{
      .address = the_elasticsearch().address(), .index = "upsert" + std::to_string(++fixtures), .columns = {"v"}};

  template <class Map>
  auto output(Map map) {
    return sl::elasticsearch_upsert{upsert, map};
  }
  /// Documents by their keys: the fields, as they are written.
  std::map<std::string, std::map<std::string, std::string>> rows() const {
    std::map<std::string, std::map<std::string, std::string>> all;
    the_elasticsearch().ask("POST", "/" + upsert.index + "/_refresh");
    auto const found = parsed(the_elasticsearch().ask("GET", "/" + upsert.index + "/_search?size=1000"));
    if (!found.find("hits")) return all;  // there is no index yet
    for (auto const& hit : found.find("hits")->find("hits")->items) {
      auto& fields = all[hit.text_of("_id").value()];
      auto const& source = *hit.find("_source");
      for (std::size_t i = 0; i < source.names.size(); ++i) fields[source.names[i]] = source.items[i].is;
    }
    return all;
  }
  /// What the cases ask of SQL: the table `last`, or to drop it.
  texts look(std::string const& sql) const {
    texts all;
    for (auto& [key, fields] : rows()) {
      if (sql.starts_with("drop")) {
        the_elasticsearch().ask("DELETE", "/" + upsert.index + "/_doc/" + key);
        continue;
      }
      bool const deleted = fields.at("sluice_deleted") == "true";
      CHECK(sl::detail::upsert_place::of(fields.at("sluice"))->deleted == deleted);
      all.push_back(key + "|" + (deleted ? "null|1" : fields.at("v") + "|0"));
    }
    return all;
  }
};

}  // namespace

TEST_CASE("elasticsearch_upsert keeps what idempotent outputs promise") {
  hold_by_one_key<fixture>();
  on_fresh<fixture>("what a mapping throws goes through, and nothing of the batch is kept", throwing_mapping<fixture>);
}

TEST_CASE("documents that another one has written meanwhile are looked at again") {
  fixture f;
  auto mine = f.output(key_and_text), other = f.output(key_and_text);
  std::vector<std::thread> both;
  for (auto* out : {&mine, &other})
    both.emplace_back([out] {
      for (std::int64_t at = 1; at <= 40; ++at)
        (*out)(single(zero, at, "k" + std::to_string(at % 2), std::to_string(at)).batch());
    });
  for (auto& t : both) t.join();
  CHECK(last(f) == texts{"k0|40|0", "k1|39|0"});
}

TEST_CASE("a request that is lost, its answer, or that comes late: nothing old comes back") {
  using trouble = servers::proxy::trouble;
  servers::proxy p{the_elasticsearch().port()};
  fixture f;
  f.upsert.address = the_elasticsearch().address(p.port());
  f.upsert.batch_timeout = 3s;
  auto out = f.output(key_and_text);
  std::int64_t at = 0;
  for (auto const t : {trouble::cut_before, trouble::cut_after, trouble::hold})
    for (unsigned k = 0; k < 2; ++k) {
      ++at;
      auto const before = single(zero, at, "a", std::to_string(at));
      p.arrange(t, k);
      auto const e = error_of([&] { out(before.batch()); });
      CHECK((!e.code || e.code == sl::errc::store_unavailable));
      p.arrange(trouble::none);
      ++at;
      out(single(zero, at, "a", std::to_string(at)).batch());
      p.deliver();
      out(before.batch());
      CHECK(last(f) == texts{"a|" + std::to_string(at) + "|0"});
    }
}

TEST_CASE("what is there already is written again, since it can be read before it is safe; what is newer is not") {
  fixture f;
  auto out = f.output(key_and_text), anew = f.output(key_and_text);
  auto const version = [&] {
    auto const a = parsed(the_elasticsearch().ask("GET", "/" + f.upsert.index + "/_doc/a"));
    return a.find("_version")->is;
  };
  some_records r{zero};
  r.add(1, "a", "1").add(2, "a", "2");
  out(r.batch());
  CHECK(version() == "1");
  anew(r.batch());
  CHECK(version() == "2");
  anew(single(zero, 1, "a", "1").batch());
  CHECK(version() == "2");
  CHECK(last(f) == texts{"a|2|0"});
}

TEST_CASE("keys and values of every kind, and many of them") {
  fixture f;
  f.upsert.columns = {"text", "number", "flag", "none"};
  auto out = f.output([](sl::record r, auto& row) {
    row(r.key_text(), r.text(), r.offset().value(), r.offset().value() % 2 == 0, std::optional<double>{});
  });
  some_records r{zero};
  std::vector<std::string> const keys{"a/b", "a b", "é", "%41", "x?y#z", "..", "*", "\"\\\n", "_all"};
  std::int64_t at = 0;
  for (auto const& k : keys) r.add(++at, k, "text \"" + k);
  r.add(++at, "no utf-8", std::string("\xff\x01"));
  for (int i = 0; i < 1500; ++i) r.add(++at, "key number " + std::to_string(i), "1");
  for (int twice = 0; twice < 2; ++twice) out(r.batch());
  the_elasticsearch().ask("POST", "/" + f.upsert.index + "/_refresh");
  auto const count = parsed(the_elasticsearch().ask("GET", "/" + f.upsert.index + "/_count"));
  CHECK(count.find("count")->is == std::to_string(keys.size() + 1 + 1500));
  auto const there = the_elasticsearch().ask("GET", "/" + f.upsert.index + "/_doc/a%2Fb").content;
  CHECK_THAT(there, ContainsSubstring(R"("_source":{"text":"text \"a/b","number":1,"flag":false,"none":null,)"));
}

TEST_CASE("what doesn't fit is an error, and no byte of a record is in it") {
  fixture f;
  auto out = f.output(key_and_text);
  auto few = f.output([](sl::record r, auto& row) { row(r.key_text()); });
  the_elasticsearch().ask("PUT", "/" + f.upsert.index + "/_doc/CANARY", R"({"v":1})");
  for (auto const& e : {error_of([&] { few(single(zero, 1, "a", "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, std::nullopt, "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, "", "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, "\xff", "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, "CANARY", "CANARY").batch()); }),
                        error_of([&] { out(single(zero, 1, "other", "CANARY").batch()); })}) {  // v is a number there
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
  }
  the_elasticsearch().ask("PUT", "/" + f.upsert.index + "/_settings", R"({"index.blocks.write":true})");
  auto const e = error_of([&] { out(single(zero, 1, "b", "1").batch()); });
  CHECK(e.of_store);
  CHECK(e.code == sl::errc::store_full);
}

TEST_CASE("what the configuration can't be is told at construction") {
  auto const refused = [](auto change) {
    fixture f;
    change(f.upsert);
    auto const e = error_of([&] { f.output(key_and_text); });
    CHECK(e.code == sl::errc::bad_configuration);
    return e.text;
  };
  for (auto const* bad : {"", "No", "a b", "_a", "a/b", "a*"})
    CHECK_THAT(refused([&](auto& u) { u.index = bad; }), ContainsSubstring("elasticsearch_upsert.index"));
  CHECK_THAT(refused([](auto& u) { u.columns = {"v", "v"}; }), ContainsSubstring("twice"));
  CHECK_THAT(refused([](auto& u) { u.columns = {"sluice"}; }), ContainsSubstring("sluice"));
  CHECK_THAT(refused([](auto& u) { u.columns = {"a.b"}; }), ContainsSubstring("letters"));
  CHECK_THAT(refused([](auto& u) { u.address = "h"; }), ContainsSubstring("elasticsearch_upsert.address"));
  CHECK_THAT(refused([](auto& u) { u.password = "canary", u.password_file = "x"; }), ContainsSubstring("password"));
  fixture f;
  the_elasticsearch().ask("PUT", "/" + f.upsert.index, R"({"settings":{"index.translog.durability":"async"}})");
  auto const e = error_of([&] { f.output(key_and_text); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("translog.durability"));
}

TEST_CASE("user and password go with each request, and a refusal says so") {
  servers::http_server s{[](servers::http_request const&) -> std::optional<servers::http_answer> {
    return servers::http_answer{.status = 401, .content = R"({"error":{"type":"security_exception"},"status":401})"};
  }};
  auto const e = error_of([&] {
    sl::elasticsearch_upsert out{
        {.address = s.url(), .index = "i", .columns = {"v"}, .user = "app", .password = "canary"}, key_and_text};
  });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("401 security_exception") && ContainsSubstring(".password"));
  for (auto const& r : s.requests()) CHECK(r.header("authorization") == "Basic YXBwOmNhbmFyeQ==");
}

TEST_CASE("a server that is away is the store's failure, and the batch is taken when it is back") {
  fixture f;
  f.upsert.timeout = 1s;
  f.upsert.batch_timeout = 1s;
  auto out = f.output(key_and_text);
  out(single(zero, 1, "a", "1").batch());
  the_elasticsearch().freeze(true);
  auto const second = single(zero, 2, "a", "2");
  CHECK(error_of([&] { out(second.batch()); }).of_store);
  the_elasticsearch().freeze(false);
  for (auto const give_up = std::chrono::steady_clock::now() + 60s; error_of([&] { out(second.batch()); }).code;)
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  CHECK(last(f) == texts{"a|2|0"});
}
