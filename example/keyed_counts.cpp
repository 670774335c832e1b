// Requests of each client since ever, with a time-out: state beside the offset, both in one SQLite transaction. Kill it anywhere
// and run it again in the same folder: the counts go on, and are exact.
//
// test:
#include "demo.hpp"

#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

#include <map>

namespace sl = sluice;
using counter = sl::stream_consumer<sl::transactional, sl::sqlite_offsets>;

int main(int argc, char** argv) {
  auto const lines = demo::access_log();
  demo::topic const requests{argc, argv, "requests", lines};
  counter consumer{
      sl::kafka{.brokers = requests.brokers(), .group = "counts", .topics = {requests.name()}},
      sl::sqlite_offsets{"counts.db"},
  };

  sl::keyed_state<std::string, std::int64_t> hits{.name = "hits", .timeout = std::chrono::hours{24 * 30}};
  auto count = sl::update_state_by_key(
      hits, [](sl::record r) { return r.key_text(); },
      [](std::string const& client, auto records, std::optional<std::int64_t>& n, counter::transaction& tx) {
        n = n.value_or(0) + std::ssize(records);
        tx.execute("insert into hits values (?, ?) on conflict do update set n = excluded.n", client, *n);
      },
      [](std::string const& client, std::int64_t, counter::transaction& tx) {
        tx.execute("delete from hits where client = ?", client);
      });

  std::size_t handled = 0;
  std::map<std::string, std::int64_t> counted;
  consumer.run(demo::until_read{handled, requests}, [&](sl::batch const& batch, counter::transaction& tx) {
    tx.execute("create table if not exists hits (client text primary key, n integer) strict, without rowid");
    count(batch, tx);
    handled += batch.size();
    if (handled == requests.size())
      for (auto const& row : tx.query("select client, n from hits"))
        counted[row.get<std::string>(0)] = row.get<std::int64_t>(1);
  });

  std::map<std::string, std::int64_t> wanted;
  for (auto const& l : lines) ++wanted[l.key];
  std::cout << counted.size() << " clients; " << (counted == wanted ? "each count is" : "the counts are NOT")
            << " what a plain loop over the file says\n";
  return counted == wanted ? 0 : 1;
}
