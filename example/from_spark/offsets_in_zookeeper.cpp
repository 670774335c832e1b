// Offsets in ZooKeeper, where a Spark job has left them: goes on there, and writes them on in the same layout.
// needs: zookeeper
#include <sluice/offset_store/zookeeper.hpp>
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;

int main(int argc, char** argv) {
  if (argc != 5) return std::cerr << "usage: offsets_in_zookeeper BROKERS GROUP TOPIC ZOOKEEPER\n", 2;
  sl::stream_consumer consumer{sl::at_least_once{}, sl::zookeeper_offsets{.servers = argv[4]},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    for (sl::record r : lines) std::cout << r.partition() << '\t' << r.offset().value() << '\t' << r.text() << '\n';
  });
}
