// The last request of each client as a row in MySQL, whatever is repeated: in Spark foreachPartition with an upsert by hand.
// needs: mysql
#include <sluice/output/mysql_upsert.hpp>
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 7) return std::cerr << "usage: idempotent_mysql_upsert BROKERS GROUP TOPIC PORT USER DATABASE\n", 2;
  sl::stream_consumer consumer{sl::idempotent{}, sl::kafka_offsets{},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  consumer.run(sl::stop_on_signal{}, sl::mysql_upsert{{.host = "127.0.0.1",
                                                       .port = std::stoi(argv[4]),
                                                       .user = argv[5],
                                                       .password_variable = "MYSQL_PWD",
                                                       .database = argv[6],
                                                       .table = "last_request",
                                                       .key = {"address"},
                                                       .columns = {"line"}},
                                                      [](sl::record r, auto& row) { row(r.key_text(), r.text()); }});
}
