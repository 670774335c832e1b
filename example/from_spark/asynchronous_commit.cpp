// Offsets committed to Kafka in the background, with a callback: in Spark CanCommitOffsets.commitAsync(offsetRanges, callback).
#include <sluice/sluice.hpp>

#include <iostream>

namespace sl = sluice;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: asynchronous_commit BROKERS GROUP TOPIC\n", 2;
  auto const told = [](auto const& positions, std::string const& error) {
    for (auto const& p : positions)
      std::cout << "committed\t" << p.of.partition << '\t' << p.next.value() << '\t' << error << '\n';
  };
  sl::stream_consumer consumer{sl::at_least_once{}, sl::periodic_kafka_offsets{.interval = 500ms, .on_commit = told},
                               sl::kafka{.brokers = argv[1], .group = argv[2], .topics = {argv[3]}}};
  consumer.run(sl::stop_on_signal{}, [](sl::batch const& lines) {
    for (sl::record r : lines) std::cout << "handled\t" << r.partition() << '\t' << r.offset().value() << '\n';
  });
}
