// Counts and offsets in one transaction of MySQL: in Spark foreachRDD with offsetRanges, a connection, and a table by hand.
// needs: mysql
#include <sluice/offset_store/mysql.hpp>
#include <sluice/sluice.hpp>

#include <iostream>
#include <map>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 7) return std::cerr << "usage: transactional_mysql BROKERS GROUP TOPIC PORT USER DATABASE\n", 2;
  sl::stream_consumer consumer{
      sl::transactional{},
      sl::kafka{
          .brokers = argv[1], .group = argv[2], .topics = {argv[3]}, .properties = {{"session.timeout.ms", "6000"}}},
      sl::mysql_offsets{.host = "127.0.0.1",
                        .port = std::stoi(argv[4]),
                        .user = argv[5],
                        .password_variable = "MYSQL_PWD",
                        .database = argv[6]}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& requests, sl::mysql_transaction& tx) {
    std::map<std::string_view, int> counts;
    for (sl::record r : requests) ++counts[r.key_text()];
    for (auto const& [address, n] : counts)
      tx.execute("insert into hits (address, n) values (?, ?) on duplicate key update n = n + values(n)", address, n);
  });
}
