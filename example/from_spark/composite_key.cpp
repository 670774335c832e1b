// Rows whose key is made of topic, partition and offset, so that a repetition inserts nothing: in Spark by hand.
// needs: sqlite
#include <sluice/output/sqlite.hpp>
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: composite_key BROKERS GROUP TOPIC DATABASE\n", 2;
  sl::stream_consumer consumer{
      sl::idempotent{}, sl::kafka_offsets{},
      sl::kafka{
          .brokers = argv[1], .group = argv[2], .topics = {argv[3]}, .properties = {{"session.timeout.ms", "6000"}}}};
  consumer.run(sl::stop_on_signal{},
               sl::sqlite_insert{{.path = argv[4], .table = "requests", .columns = {"address", "line"}},
                                 [](sl::record r, auto& row) { row(r.key_text(), r.text()); }});
}
