// Offsets in HBase with their history, rows TOPIC:GROUP:MILLISECONDS as Spark users keep them: goes on at the newest one.
// needs: hbase
#include <sluice/offset_store/hbase.hpp>
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 6) return std::cerr << "usage: offsets_in_hbase BROKERS GROUP TOPIC HBASE TABLE\n", 2;
  sl::stream_consumer consumer{sl::at_least_once{}, sl::hbase_offsets{.address = argv[4], .table = argv[5]},
                               sl::micro_batch{.interval = 1s},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    for (sl::record r : lines) std::cout << r.partition() << '\t' << r.offset().value() << '\t' << r.text() << '\n';
  });
}
