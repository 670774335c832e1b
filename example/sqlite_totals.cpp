// Exactly once into SQLite: totals and offsets are one transaction, so that no crash can count a request twice.
// The second run in the same folder goes on behind the first.
//
// test:
#include "demo.hpp"

#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>

namespace sl = sluice;
using totals = sl::stream_consumer<sl::transactional, sl::sqlite_offsets>;

int main(int argc, char** argv) {
  demo::topic const requests{argc, argv, "requests", demo::access_log()};

  totals consumer{
      sl::kafka{.brokers = requests.brokers(), .group = "totals", .topics = {requests.name()}},
      sl::sqlite_offsets{"totals.db"},
  };

  std::size_t handled = 0;
  std::int64_t clients = 0, hits = 0;
  consumer.run(demo::until_read{handled, requests}, [&](sl::batch const& batch, totals::transaction& tx) {
    tx.execute("create table if not exists totals (client text primary key, hits integer not null) without rowid");
    auto add = tx.prepare("insert into totals values (?, 1) on conflict (client) do update set hits = hits + 1");
    for (sl::record r : batch) add.execute(r.key_text());

    for (auto const& row : tx.query("select count(*), sum(hits) from totals")) {
      clients = row.get<std::int64_t>(0);
      hits = row.get<std::int64_t>(1);
    }
    handled += batch.size();
  });

  std::cout << hits << " requests of " << clients << " clients in totals.db\n";
  return handled == requests.size() && hits == 10'000 ? 0 : 1;
}
