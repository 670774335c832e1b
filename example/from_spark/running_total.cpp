// Requests of each client since ever, in a table, in the transaction that keeps the offsets: in Spark updateStateByKey.
// needs: sqlite
#include <sluice/sluice.hpp>
#include <sluice/state/sqlite.hpp>

#include <iostream>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: running_total BROKERS GROUP TOPIC DATABASE\n", 2;
  sl::stream_consumer consumer{
      sl::transactional{}, sl::sqlite_offsets{argv[4]},
      sl::kafka{
          .brokers = argv[1], .group = argv[2], .topics = {argv[3]}, .properties = {{"session.timeout.ms", "6000"}}}};
  sl::keyed_state<std::string, std::int64_t> totals{.name = "totals"};
  auto const client = [](sl::record request) { return request.key_text(); };
  consumer.run(sl::stop_on_signal{},
               sl::update_state_by_key(totals, client, [](auto const& who, auto news, auto& n, auto& tx) {
                 n = n.value_or(0) + std::ssize(news);
                 tx.execute("insert into totals values (?, ?) on conflict do update set n = excluded.n", who, *n);
               }));
}
