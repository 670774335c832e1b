#include <sluice/output/postgres_upsert.hpp>

#include "../offset_store/postgres_support.hpp"
#include "../servers/proxy.hpp"
#include "upsert_cases.hpp"

namespace {

using namespace upsert_cases;
using namespace std::chrono_literals;

struct fixture : postgres_fixture {
  static constexpr auto who = "postgres_upsert";
  sl::postgres_upsert_into upsert{.connection = here(), .table = "last", .key = {"k"}, .columns = {"v"}};

  template <class Map>
  auto output(Map map) {
    return sl::postgres_upsert{upsert, map};
  }
};

}  // namespace

TEST_CASE("postgres_upsert keeps what idempotent outputs promise") { hold<fixture>(); }

TEST_CASE("what a mapping throws goes through, and nothing of its batch is kept") {
  on_fresh<fixture>("a mapping that throws", throwing_mapping<fixture>);
}

TEST_CASE_METHOD(fixture, "a row of the wrong size or type is the handler's fault, told without values") {
  look(
      "create table typed (k int primary key, v int not null check (v < 10), sluice_partition text not null,"
      " sluice_incarnation bigint not null, sluice_offset bigint not null, sluice_version bigint not null,"
      " sluice_deleted integer not null)");
  rows_that_do_not_fit(*this);
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
      CHECK(last(*this) == texts{"a|" + std::to_string(at) + "|0"});
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

TEST_CASE_METHOD(fixture, "a table without the key is refused at construction") {
  (void)output(key_and_text);
  look("alter table last drop constraint last_pkey");
  auto const e = error_of([&] { output(key_and_text); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("lacks"));
}
